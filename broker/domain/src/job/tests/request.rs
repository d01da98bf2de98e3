use std::time::Duration;

use super::*;
use crate::limits::{JOB_ID_CHARS_MAX, JOB_JSON_BYTES_MAX, QUERY_CHARS_MAX};
use crate::registry::IfMatch;
use crate::twin::SectionChange;

#[test]
fn a_twin_job_is_read_whole() {
    let request = parse(TWIN).unwrap();
    assert_eq!(request.query_condition, "tags.floor = 1");
    assert_eq!(request.start, Some(UnixMs(START)));
    assert_eq!(request.max_execution, Duration::from_secs(60));
    let JobAction::UpdateTwin(twin) = request.action else { panic!("{:?}", request.action) };
    assert_eq!(twin.precondition(), IfMatch::Any);
    let Some(SectionChange::Patch(tags)) = twin.update.tags else { panic!("a patch") };
    assert_eq!((tags["b"].as_u64(), twin.update.desired), (Some(43), None));
}

#[test]
fn a_method_job_is_read_whole_and_what_it_leaves_out_has_a_default() {
    let request = parse(METHOD).unwrap();
    assert_eq!((request.query_condition.as_str(), request.start), ("", None));
    assert_eq!(request.max_execution, Duration::from_secs(3600));
    let JobAction::DeviceMethod(call) = request.action else { panic!("{:?}", request.action) };
    assert_eq!((call.name.as_str(), &call.payload[..]), ("m", &br#"{"x":1}"#[..]));
    assert_eq!(call.response_timeout, Duration::from_secs(5));
}

#[test]
fn what_sdks_write_for_nothing_is_nothing() {
    for rest in [
        r#""startTime":null,"maxExecutionTimeInSeconds":0"#,
        r#""startTime":"0001-01-01T00:00:00","queryCondition":null"#,
        r#""startTime":"0001-01-01T00:00:00Z","jobId":null"#,
        r#""startTime":"","updateTwin":null,"unknown":[1]"#,
    ] {
        let request = parse(&METHOD.replacen('{', &format!("{{{rest},"), 1)).unwrap();
        assert_eq!(request.start, None, "{rest}");
        assert_eq!(request.max_execution, Duration::from_secs(3600), "{rest}");
    }
}

#[test]
fn only_a_condition_that_says_something_is_one() {
    for (text, expected) in
        [("", None), ("*", None), (" * ", None), ("deviceId = 'a'", Some("deviceId = 'a'"))]
    {
        let mut job = job(METHOD, 1);
        job.query_condition = text.into();
        assert_eq!(job.condition(), expected, "{text:?}");
    }
}

#[test]
fn what_breaks_a_rule_is_refused_and_named() {
    let twin = |part: &str| format!(r#"{{"type":"scheduleUpdateTwin","updateTwin":{part}}}"#);
    let with = |rest: &str| METHOD.replacen('{', &format!("{{{rest},"), 1);
    for (body, why) in [
        (String::new(), "not a job in JSON"),
        ("[]".into(), "not a job in JSON"),
        ("{}".into(), "type is missing"),
        (r#"{"type":7}"#.into(), "type is no text"),
        (r#"{"type":"reboot"}"#.into(), "neither"),
        (r#"{"type":"export"}"#.into(), "/jobs/create"),
        (r#"{"type":"scheduleDeviceMethod"}"#.into(), "cloudToDeviceMethod is missing"),
        (r#"{"type":"scheduleUpdateTwin"}"#.into(), "updateTwin is missing"),
        (twin("7"), "updateTwin: "),
        (twin("{}"), "neither tags nor"),
        (twin(r#"{"tags":{"a.b":1}}"#), "updateTwin: tags.a.b: "),
        (twin(r#"{"etag":7,"tags":{}}"#), "etag is no text"),
        (METHOD.replace(":5", ":4"), "cloudToDeviceMethod: responseTimeoutInSeconds"),
        (with(r#""jobId":"j2""#), "is not j1 of the path"),
        (with(r#""startTime":"tomorrow""#), "startTime is not a time"),
        (with(r#""startTime":7"#), "startTime is no text"),
        (with(r#""queryCondition":7"#), "queryCondition is no text"),
        (with(&format!(r#""queryCondition":"{}""#, "x".repeat(QUERY_CHARS_MAX + 1))), "8192"),
        (with(r#""maxExecutionTimeInSeconds":-1"#), "number of seconds"),
        (with(r#""maxExecutionTimeInSeconds":"60""#), "number of seconds"),
        (with(r#""maxExecutionTimeInSeconds":2592001"#), "not in 1 to 2592000"),
    ] {
        match parse(&body) {
            Err(HubError::InvalidArgument(told)) => assert!(told.contains(why), "{body}: {told}"),
            other => panic!("{body}: {other:?}"),
        }
    }
    let list = JobRequest::parse(id("Query"), METHOD.as_bytes(), PAYLOAD_MAX);
    assert!(list.is_err(), "the path of the list");
    let large = METHOD.replace("1}", &format!("\"{}\"}}", "x".repeat(PAYLOAD_MAX)));
    assert!(matches!(parse(&large), Err(HubError::MessageTooLarge { max: PAYLOAD_MAX, .. })));
    let huge = " ".repeat(JOB_JSON_BYTES_MAX + 1);
    assert!(matches!(parse(&huge), Err(HubError::MessageTooLarge { .. })));
}

#[test]
fn an_id_has_a_grammar() {
    let longest = "x".repeat(JOB_ID_CHARS_MAX);
    for good in ["j", "J-7_a.b:c+d", longest.as_str()] {
        assert_eq!(id(good).as_str(), good);
    }
    let too_long = "x".repeat(JOB_ID_CHARS_MAX + 1);
    for bad in ["", "a b", "a/b", "\u{e4}", "a\n", "%", too_long.as_str()] {
        assert!(JobId::new(bad).is_err(), "{bad:?}");
    }
}

#[test]
fn words_are_read_in_any_case() {
    for word in ["scheduleUpdateTwin", "scheduleDeviceMethod", "import", "export"] {
        assert_eq!(JobType::parse(&word.to_uppercase()).map(JobType::as_str), Some(word));
    }
    assert_eq!(JobType::parse("scheduleTwinUpdate"), Some(JobType::UpdateTwin));
    assert_eq!(JobType::parse("unknown"), None);
    for word in ["enqueued", "scheduled", "queued", "running", "completed", "failed", "cancelled"] {
        assert_eq!(JobStatus::parse(&word.to_uppercase()).map(JobStatus::as_str), Some(word));
    }
    assert_eq!(JobStatus::parse("canceled"), None);
    for word in ["pending", "scheduled", "running", "completed", "failed", "canceled"] {
        let read = DeviceJobStatus::parse(&word.to_uppercase());
        assert_eq!(read.map(DeviceJobStatus::as_str), Some(word));
    }
    assert_eq!(DeviceJobStatus::parse("cancelled"), None);
}
