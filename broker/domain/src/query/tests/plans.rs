//! Which rows a query looks at; and that no row beyond meets its condition.

use proptest::prelude::*;
use serde_json::json;

use super::*;

fn indexed() -> Vec<Vec<String>> {
    vec![vec!["floor".into()], vec!["location".into(), "region".into()]]
}

fn shown(plan: &Plan) -> String {
    let list = |values: &[Value]| serde_json::to_string(values).unwrap();
    match plan {
        Plan::Devices(ids) => format!("devices {}", ids.join(" ")),
        Plan::Jobs(ids) => format!("jobs {}", ids.join(" ")),
        Plan::Index(IndexKey::Tag(names), values) => {
            format!("tags.{} {}", names.join("."), list(values))
        }
        Plan::Index(IndexKey::Status, values) => format!("status {}", list(values)),
        Plan::Index(IndexKey::ConnectionState, values) => format!("connection {}", list(values)),
        Plan::Scan => "scan".to_owned(),
    }
}

#[test]
fn the_narrowest_conjunct_decides() {
    for (condition, expected) in [
        ("deviceId = 'x'", "devices x"),
        ("'x' = DEVICEID", "devices x"),
        ("deviceId IN ['b', 'a', 'b', 1]", "devices a b"),
        ("deviceId = 5", "devices "),
        ("deviceId = 'a' OR deviceId = 'b'", "devices a b"),
        ("deviceId = 'a' OR status = 'enabled'", "scan"),
        ("(deviceId = 'a' AND tags.x = 1) OR deviceId IN ['c']", "devices a c"),
        ("deviceId != 'x'", "scan"),
        ("NOT deviceId = 'x'", "scan"),
        ("deviceId NIN ['x']", "scan"),
        ("deviceId > 'x'", "scan"),
        ("deviceId = tags.x", "scan"),
        ("deviceId = undefined", "devices "),
        ("STARTS_WITH(deviceId, 'x')", "scan"),
        ("status = 'disabled'", r#"status ["disabled"]"#),
        ("connectionState = 'Connected'", r#"connection ["Connected"]"#),
        ("connectionState = 'Connected' AND status = 'enabled'", r#"connection ["Connected"]"#),
        ("tags.floor = 3", "tags.floor [3]"),
        ("tags.floor IN [3, 3.0, '3']", r#"tags.floor [3,"3"]"#),
        ("tags.floor = 1 OR tags.floor = 2", "tags.floor [1,2]"),
        ("tags.floor", "tags.floor [true]"),
        ("tags.location.region = 'US'", r#"tags.location.region ["US"]"#),
        ("tags.location = 'US'", "scan"),
        ("tags.location.region.x = 'US'", "scan"),
        ("tags.other = 'US'", "scan"),
        ("status = 'enabled' AND tags.floor = 3 AND tags.other = 1", "tags.floor [3]"),
        ("tags.floor IN [1, 2] AND tags.location.region = 'US'", r#"tags.location.region ["US"]"#),
        ("tags.floor = 3 AND deviceId = 'x'", "devices x"),
        ("tags.floor = 3 AND (status = 'enabled' OR tags.other = 1)", "tags.floor [3]"),
    ] {
        let query = query(&format!("SELECT * FROM devices WHERE {condition}"));
        assert_eq!(shown(&query.plan(&indexed())), expected, "{condition}");
    }
    assert_eq!(query("SELECT * FROM devices").plan(&indexed()), Plan::Scan);
    assert_eq!(query("SELECT * FROM devices WHERE tags.floor = 1").plan(&[]), Plan::Scan);
}

#[test]
fn jobs_are_found_by_job_or_device() {
    for (condition, expected) in [
        ("jobId = 'j'", "jobs j"),
        ("devices.jobs.deviceId = 'd' AND jobId = 'j'", "devices d"),
        ("devices.deviceId = 'd' AND jobId = 'j'", "devices d"),
        ("status = 'completed'", "scan"),
        ("status = 'completed' AND jobId IN ['j', 'k']", "jobs j k"),
    ] {
        let query = query(&format!("SELECT * FROM devices.jobs WHERE {condition}"));
        assert_eq!(shown(&query.plan(&indexed())), expected, "{condition}");
    }
    let devices = query("SELECT * FROM devices WHERE jobId = 'j'");
    assert_eq!(devices.plan(&indexed()), Plan::Scan);
}

#[test]
fn modules_are_found_by_their_device_however_it_is_written() {
    for name in
        ["deviceId", "DEVICEID", "devices.modules.deviceId", "devices.deviceId", "Devices.deviceid"]
    {
        let query = query(&format!("SELECT * FROM devices.modules WHERE {name} = 'd'"));
        assert_eq!(shown(&query.plan(&indexed())), "devices d", "{name}");
    }
    let unknown = query("SELECT * FROM devices.modules WHERE modules.deviceId = 'd'");
    assert_eq!(unknown.plan(&indexed()), Plan::Scan);
}

#[test]
fn values_that_are_equal_have_the_same_key_and_no_others() {
    let values = [
        json!(null),
        json!(true),
        json!(false),
        json!(1),
        json!(-1),
        json!(1.5),
        json!("1"),
        json!(""),
        json!("n"),
        json!(9_007_199_254_740_993_u64),
        json!(9_007_199_254_740_992.0),
        json!(u64::MAX),
    ];
    for (i, a) in values.iter().enumerate() {
        for (k, b) in values.iter().enumerate() {
            assert_eq!(index_key(a) == index_key(b), i == k, "{a} {b}");
        }
    }
    assert_eq!(index_key(&json!(1)), index_key(&json!(1.0)));
    assert_eq!(index_key(&json!(-0.0)), index_key(&json!(0)));
    assert_eq!(index_key(&json!([1])), None);
    assert_eq!(index_key(&json!({})), None);
}

/// Whether a row is where the plan looks.
fn is_inside(plan: &Plan, row: &Value) -> bool {
    let at = |pointer: &str, values: &[Value]| {
        let found = row.pointer(pointer).and_then(index_key);
        found.is_some() && values.iter().any(|value| index_key(value) == found)
    };
    match plan {
        Plan::Scan => true,
        Plan::Devices(ids) => ids.iter().any(|id| row["deviceId"] == id.as_str()),
        Plan::Jobs(_) => false,
        Plan::Index(IndexKey::Status, values) => at("/status", values),
        Plan::Index(IndexKey::ConnectionState, values) => at("/connectionState", values),
        Plan::Index(IndexKey::Tag(names), values) => {
            at(&format!("/tags/{}", names.join("/")), values)
        }
    }
}

fn conditions() -> impl Strategy<Value = String> {
    let part = prop::sample::select(vec![
        "deviceId = 'a'",
        "deviceId IN ['a', 'b']",
        "status = 'enabled'",
        "status != 'enabled'",
        "tags.floor = 1",
        "tags.floor IN [1.0, '1']",
        "tags.floor",
        "tags.floor > 0",
        "true",
        "tags.none = 1",
        "connectionState = 'Connected'",
    ]);
    part.prop_map(str::to_owned).prop_recursive(4, 24, 3, |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 1..4)
                .prop_map(|all| format!("({})", all.join(" AND "))),
            prop::collection::vec(inner.clone(), 1..4)
                .prop_map(|all| format!("({})", all.join(" OR "))),
            inner.prop_map(|one| format!("(NOT {one})")),
        ]
    })
}

proptest! {
    #[test]
    fn every_row_that_meets_the_condition_is_inside_the_plan(
        text in conditions(),
        id in prop::sample::select(vec!["a", "b", "c"]),
        status in prop::sample::select(vec!["enabled", "disabled"]),
        floor in prop::sample::select(vec![json!(1), json!(1.0), json!("1"), json!(true), json!(2), json!([1]), json!(null)]),
        connected in prop::bool::ANY,
    ) {
        let state = if connected { "Connected" } else { "Disconnected" };
        let row = json!({ "deviceId": id, "status": status, "connectionState": state, "tags": { "floor": floor } });
        let query = query(&format!("SELECT * FROM devices WHERE {text}"));
        let plan = query.plan(&indexed());
        let row = Document(row);
        prop_assert!(!query.is_met(&row) || is_inside(&plan, &row.0), "{} {:?} {}", text, plan, row.0);
    }
}
