use std::collections::BTreeMap;

use serde_json::json;

use super::*;
use crate::limits::{CONFIGURATION_JSON_BYTES_MAX, QUERY_CHARS_MAX};

fn parse(body: &Value) -> Result<ConfigurationRequest, HubError> {
    ConfigurationRequest::parse(id("cfg1"), body.to_string().as_bytes())
}

fn body() -> Value {
    json!({"id": "cfg1", "content": {"deviceContent": {"properties.desired.a": {"t": 66}}}})
}

fn with(name: &str, value: Value) -> Value {
    let mut body = body();
    body[name] = value;
    body
}

#[test]
fn a_request_is_read_whole_and_what_the_hub_writes_is_passed_over() {
    let mut body = body();
    for (name, value) in [
        ("schemaVersion", json!("2.0")),
        ("labels", json!({"env": "test", "empty": null})),
        ("targetCondition", json!("tags.environment='test'")),
        ("priority", json!(10)),
        ("etag", json!("MQ==")),
        ("systemMetrics", json!({"results": {}, "queries": 7})),
        ("metrics", json!({"results": {"p": 1}, "queries": {"p": "SELECT deviceId FROM devices"}})),
    ] {
        body[name] = value;
    }
    let request = parse(&body).unwrap();
    let map = |pairs: &[(&str, &str)]| -> BTreeMap<String, String> {
        pairs.iter().map(|(k, v)| (k.to_string(), v.to_string())).collect()
    };
    assert_eq!(request.schema_version, "2.0");
    assert_eq!(request.labels, map(&[("env", "test"), ("empty", "")]));
    assert_eq!(request.target_condition, "tags.environment='test'");
    assert_eq!(request.priority, 10);
    assert_eq!(request.metrics, map(&[("p", "SELECT deviceId FROM devices")]));
}

#[test]
fn what_is_left_out_or_null_has_a_default() {
    let mut nulls = body();
    for name in ["id", "schemaVersion", "labels", "targetCondition", "priority", "metrics"] {
        nulls[name] = Value::Null;
    }
    for body in [body(), nulls, with("metrics", json!({"queries": null}))] {
        let request = parse(&body).unwrap();
        assert_eq!(request.schema_version, "1.0");
        assert_eq!((request.target_condition.as_str(), request.priority), ("", 0));
        assert!(request.labels.is_empty() && request.metrics.is_empty());
    }
}

#[test]
fn what_breaks_a_rule_is_refused_and_named() {
    let many = |n: usize| (0..n).map(|n| (format!("k{n}"), json!("x"))).collect::<Object>();
    let modules = json!({"moduleContent": {"properties.desired.a": 1}});
    let mut mismatched = with("content", modules);
    mismatched["targetCondition"] = json!("tags.a = 1");
    for (body, why) in [
        (json!([]), "not a JSON object"),
        (json!({}), "content is missing"),
        (with("id", json!("other")), "is not cfg1 of the path"),
        (with("id", json!(7)), "id is no text"),
        (with("content", json!(7)), "content is missing, or not an object"),
        (with("priority", json!(-1)), "priority"),
        (with("priority", json!(1.5)), "priority"),
        (with("priority", json!("1")), "priority"),
        (with("priority", json!(1_u64 << 31)), "priority"),
        (with("labels", json!([])), "labels is not an object"),
        (with("labels", json!({"a": 1})), "a is no text"),
        (with("labels", many(21).into()), "more than 20 labels"),
        (with("labels", json!({"a": "x".repeat(257)})), "256 characters"),
        (with("schemaVersion", json!("x".repeat(257))), "256 characters"),
        (with("metrics", json!(7)), "metrics is not an object"),
        (with("metrics", json!({"queries": many(6)})), "more than 5 metrics"),
        (with("metrics", json!({"queries": {"a": 1}})), "a is no text"),
        (with("metrics", json!({"queries": {"a": "x".repeat(QUERY_CHARS_MAX + 1)}})), "8192"),
        (with("targetCondition", json!(7)), "targetCondition is no text"),
        (with("targetCondition", json!("x".repeat(QUERY_CHARS_MAX + 1))), "8192"),
        (with("targetCondition", json!("from devices.modules where a = 1")), "is for devices"),
        (mismatched, "begins with FROM devices.modules"),
        (with("x", json!("x".repeat(CONFIGURATION_JSON_BYTES_MAX))), "bytes"),
    ] {
        let told = refused(parse(&body));
        assert!(told.contains(why), "{:.200}: {told}", body.to_string());
    }
}

#[test]
fn an_id_has_a_grammar() {
    let longest = "x".repeat(128);
    for good in ["c", "a-1_b.c:d+e%f*g!h'i(j)", longest.as_str()] {
        assert_eq!(id(good).as_str(), good);
    }
    let too_long = "x".repeat(129);
    for bad in [
        "",
        "A",
        "a b",
        "a/b",
        "a&b",
        "a^",
        "[a]",
        "{a}",
        "a\\",
        "a|",
        "a\"",
        "<a>",
        "\u{e4}",
        "a\n",
        too_long.as_str(),
    ] {
        assert!(ConfigurationId::new(bad).is_err(), "{bad:?}");
    }
}

#[test]
fn a_condition_says_where_and_which() {
    for (text, source, query) in [
        ("", TargetSource::Devices, ""),
        ("  ", TargetSource::Devices, ""),
        ("*", TargetSource::Devices, "select deviceId from devices"),
        ("tags.a = 1", TargetSource::Devices, "select deviceId from devices where tags.a = 1"),
        (
            "FROM devices WHERE a = 1",
            TargetSource::Devices,
            "select deviceId from devices where a = 1",
        ),
        ("from.x = 1", TargetSource::Devices, "select deviceId from devices where from.x = 1"),
        (
            "FROM devices.modules",
            TargetSource::Modules,
            "select deviceId, moduleId from devices.modules",
        ),
        (
            "from  Devices.Modules\n where moduleId = 'm'",
            TargetSource::Modules,
            "select deviceId, moduleId from devices.modules where moduleId = 'm'",
        ),
        (
            "FROM elsewhere",
            TargetSource::Devices,
            "select deviceId from devices where FROM elsewhere",
        ),
    ] {
        let target = Target::parse(text);
        assert_eq!((target.source, target.query().as_str()), (source, query), "{text:?}");
    }
    let module = Content::parse(object(json!({"moduleContent": {}}))).unwrap();
    for (text, condition) in [("", TargetCondition::Nothing), ("*", TargetCondition::All)] {
        let expected = Target { source: TargetSource::Modules, condition };
        assert_eq!(Target::of(text, &module), Ok(expected), "{text:?}");
    }
}

#[test]
fn a_trial_names_what_is_wrong_and_nothing_else() {
    let body = json!({"targetCondition": "tags.a = 1", "customMetricQueries": {"m": "SELECT"}});
    let trial = TrialRequest::parse(body.to_string().as_bytes()).unwrap();
    assert_eq!(trial.target.as_deref(), Some("tags.a = 1"));
    assert_eq!(trial.metrics["m"], "SELECT");
    let nothing = TrialRequest::parse(br#"{"targetCondition":null}"#).unwrap();
    assert_eq!(nothing, TrialRequest { target: None, metrics: BTreeMap::new() });
    assert!(refused(TrialRequest::parse(b"7")).contains("object"));
    let good = json!({"targetConditionError": null, "customMetricQueryErrors": {}});
    assert_eq!(TrialRequest::result_json(None, &BTreeMap::new()), good);
    let wrong = BTreeMap::from([("m".to_owned(), "why".to_owned())]);
    let bad = json!({"targetConditionError": "what", "customMetricQueryErrors": {"m": "why"}});
    assert_eq!(TrialRequest::result_json(Some("what"), &wrong), bad);
}
