use bytes::Bytes;
use serde_json::json;

use super::*;
use crate::ids::{DeviceId, IdentityId, ModuleId};
use crate::method::MethodAnswer;

#[test]
fn a_job_is_what_the_sdks_parse() {
    let twin = job(TWIN, START);
    let expected = json!({
        "jobId": "j1", "type": "scheduleUpdateTwin", "queryCondition": "tags.floor = 1",
        "updateTwin": {"etag": "*", "tags": {"b": 43}},
        "createdTime": "2026-11-22T20:13:21.631Z", "startTime": "2026-11-22T20:13:21.631Z",
        "maxExecutionTimeInSeconds": 60, "status": "queued",
        "deviceJobStatistics": {"deviceCount": 0, "failedCount": 0, "succeededCount": 0,
            "runningCount": 0, "pendingCount": 0},
    });
    assert_eq!(twin.json(), expected);
    assert_eq!(twin.operation(), "queueJob");

    let method = job(METHOD, 0).after(JobEvent::Fail { reason: "why".into() }, UnixMs(1)).unwrap();
    let mut expected = json!({
        "jobId": "j1", "type": "scheduleDeviceMethod", "queryCondition": "",
        "cloudToDeviceMethod": {"methodName": "m", "payload": {"x": 1},
            "responseTimeoutInSeconds": 5, "connectTimeoutInSeconds": 0},
        "createdTime": "1970-01-01T00:00:00.000Z", "startTime": "1970-01-01T00:00:00.000Z",
        "endTime": "1970-01-01T00:00:00.001Z",
        "maxExecutionTimeInSeconds": 3600, "status": "failed", "failureReason": "why",
        "deviceJobStatistics": {"deviceCount": 0, "failedCount": 0, "succeededCount": 0,
            "runningCount": 0, "pendingCount": 0},
    });
    assert_eq!(method.json(), expected);
    expected["statusMessage"] = "more".into();
    let method = Job { status_message: Some("more".into()), ..method };
    assert_eq!((method.json(), method.operation()), (expected, "failJob"));
}

#[test]
fn what_a_job_shows_of_its_twin_can_be_sent_again() {
    let body = r#"{"type":"scheduleUpdateTwin","updateTwin":{"etag":"AAE=","tags":{"a":null},
        "properties":{"desired":{"x":{"y":1.5}}}}}"#;
    let asked = job(body, 1);
    let shown = asked.json();
    let again = json!({"type": shown["type"], "updateTwin": shown["updateTwin"]}).to_string();
    assert_eq!(job(&again, 1).action, asked.action);
}

#[test]
fn a_row_is_what_a_query_shows() {
    let module = IdentityId::module(DeviceId::new("d1").unwrap(), ModuleId::new("m1").unwrap());
    let mut row = DeviceJob::new(id("j1"), JobType::DeviceMethod, module, UnixMs(0));
    let mut expected = json!({
        "deviceId": "d1", "moduleId": "m1", "jobId": "j1", "jobType": "scheduleDeviceMethod",
        "status": "pending", "createdDateTimeUtc": "1970-01-01T00:00:00.000Z",
        "lastUpdatedDateTimeUtc": "1970-01-01T00:00:00.000Z",
    });
    assert_eq!(row.json(), expected);
    let mut failed = row.clone();
    assert!(row.start(UnixMs(1)));
    let answer = MethodAnswer { status: 200, payload: Bytes::from_static(b"[1]") };
    assert!(row.finish(Ok(Some(answer)), UnixMs(2)));
    expected["startTimeUtc"] = "1970-01-01T00:00:00.001Z".into();
    expected["endTimeUtc"] = "1970-01-01T00:00:00.002Z".into();
    expected["lastUpdatedDateTimeUtc"] = "1970-01-01T00:00:00.002Z".into();
    expected["status"] = "completed".into();
    expected["outcome"] = json!({"deviceMethodResponse": {"status": 200, "payload": [1]}});
    assert_eq!(row.json(), expected);
    assert!(failed.finish(Err(DeviceJobError::new(&HubError::Busy)), UnixMs(2)));
    assert_eq!(failed.json()["error"]["code"], "ThrottlingException");
    assert_eq!(failed.json()["status"], "failed");
}
