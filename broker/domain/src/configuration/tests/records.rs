use std::collections::BTreeMap;

use serde_json::json;

use super::*;
use crate::limits::CONFIGURATIONS_MAX;
use crate::registry::IfMatch;
use crate::time::UnixMs;

fn request(body: Value) -> ConfigurationRequest {
    ConfigurationRequest::parse(id("cfg1"), body.to_string().as_bytes()).unwrap()
}

fn content(t: u64) -> Value {
    json!({"deviceContent": {"properties.desired.chiller": {"t": t}}})
}

fn made() -> Configuration {
    let body = json!({"content": content(66), "targetCondition": "tags.environment='test'",
        "priority": 10, "labels": {"env": "test"},
        "metrics": {"queries": {"pending": "SELECT deviceId FROM devices"}}});
    put(None, 0, request(body), None, UnixMs(1000)).unwrap()
}

#[test]
fn every_put_and_delete_meets_every_state() {
    let existing = made();
    let body = || request(json!({"content": content(67)}));
    let missing = || HubError::ConfigurationNotFound("cfg1".into());
    let stale = || HubError::PreconditionFailed { current: "MQ==".into() };
    for (exists, header, expected) in [
        (false, None, Ok(("MQ==", 2000))),
        (false, Some("*"), Err(missing())),
        (true, None, Err(HubError::ConfigurationAlreadyExists("cfg1".into()))),
        (true, Some("\"*\""), Ok(("Mg==", 1000))),
        (true, Some("\"MQ==\""), Ok(("Mg==", 1000))),
        (true, Some("\"Mg==\""), Err(stale())),
    ] {
        let existing = exists.then_some(&existing);
        let header = header.map(IfMatch::parse);
        let done = put(existing, CONFIGURATIONS_MAX - 1, body(), header.as_ref(), UnixMs(2000));
        let done = done.map(|one| {
            assert_eq!((one.updated, &one.content), (UnixMs(2000), &body().content));
            assert!(one.labels.is_empty() && one.priority == 0, "a put replaces everything");
            (one.etag(), one.created.0)
        });
        let expected = expected.map(|(etag, created)| (etag.to_owned(), created));
        assert_eq!(done, expected, "{exists} {header:?}");
    }
    let full = HubError::TooManyConfigurations { max: CONFIGURATIONS_MAX };
    assert_eq!(put(None, CONFIGURATIONS_MAX, body(), None, UnixMs(1)), Err(full));
    let any = Some(&IfMatch::Any);
    assert!(put(Some(&existing), CONFIGURATIONS_MAX, body(), any, UnixMs(1)).is_ok());

    let old = IfMatch::parse("old");
    for (exists, header, expected) in [
        (true, None, Ok(())),
        (true, Some(&IfMatch::Any), Ok(())),
        (true, Some(&old), Err(stale())),
        (false, None, Err(missing())),
    ] {
        let done = delete(exists.then_some(&existing), &id("cfg1"), header);
        assert_eq!(done, expected, "{exists} {header:?}");
    }
}

#[test]
fn a_configuration_is_what_the_sdks_parse() {
    let results = MetricResults {
        targeted: Some(5),
        applied: Some(3),
        custom: BTreeMap::from([("pending".into(), 1)]),
    };
    let mut expected = json!({
        "id": "cfg1", "schemaVersion": "1.0", "labels": {"env": "test"}, "content": content(66),
        "targetCondition": "tags.environment='test'", "priority": 10,
        "createdTimeUtc": "1970-01-01T00:00:01.000Z",
        "lastUpdatedTimeUtc": "1970-01-01T00:00:01.000Z", "etag": "MQ==",
        "systemMetrics": {
            "results": {"targetedCount": 5, "appliedCount": 3},
            "queries": {
                "targetedCount": "select deviceId from devices where tags.environment='test'",
                "appliedCount":
                    "select deviceId from devices where configurations.[[cfg1]].status = 'Applied'",
            },
        },
        "metrics": {"results": {"pending": 1},
            "queries": {"pending": "SELECT deviceId FROM devices"}},
    });
    assert_eq!(made().json(&results), expected);
    expected["systemMetrics"]["results"] = json!({});
    expected["metrics"]["results"] = json!({});
    assert_eq!(made().json(&MetricResults::default()), expected);
}

#[test]
fn what_is_shown_can_be_put_again() {
    let shown = made().json(&MetricResults::default());
    let again = put(Some(&made()), 1, request(shown), Some(&IfMatch::Any), UnixMs(2)).unwrap();
    let made = Configuration { updated: UnixMs(2), etag_counter: 2, ..made() };
    assert_eq!(again, made);
}

#[test]
fn the_queries_of_modules_are_about_modules() {
    let body = json!({"content": {"moduleContent": {"properties.desired.a": 1}},
        "targetCondition": "FROM devices.modules WHERE moduleId = 'm'"});
    let one = put(None, 0, request(body), None, UnixMs(1)).unwrap();
    let select = "select deviceId, moduleId from devices.modules where";
    assert_eq!(one.targeted_query(), format!("{select} moduleId = 'm'"));
    let applied = format!("{select} configurations.[[cfg1]].status = 'Applied'");
    assert_eq!(one.applied_query(), applied);
    assert_eq!(one.prepare().id(), &id("cfg1"));
}
