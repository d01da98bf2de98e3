use serde_json::json;

use super::*;
use crate::HubError;
use crate::job::{JobId, JobStatus};
use crate::limits::{JOB_HISTORY_MS, TRANSFERS_MAX};
use crate::time::UnixMs;

const EXPORT: &str = r#"{"type":"export","outputBlobContainerUri":"https://a.example.test/c?sig=secret",
    "excludeKeysInExport":true}"#;
const IMPORT: &str = r#"{"type":"Import","inputBlobContainerUri":"http://a.example.test/in?sig=secret",
    "outputBlobContainerUri":"http://a.example.test/out?sig=secret","inputBlobName":"x/y.txt",
    "storageAuthenticationType":"keyBased","includeConfigurations":true,"identity":null,"other":[]}"#;

fn job(name: &str, body: &str) -> TransferJob {
    let request = TransferRequest::parse(body.as_bytes()).unwrap();
    TransferJob::new(JobId::new(name).unwrap(), request, UnixMs(0))
}

#[test]
fn requests_are_read_and_shown_without_their_signatures() {
    let export = job("e", EXPORT);
    let TransferDirection::Export { output, .. } = &export.request.direction else { panic!() };
    assert_eq!(output.uri(), "https://a.example.test/c?sig=secret");
    let mut expected = json!({
        "jobId": "e", "type": "export", "status": "enqueued", "progress": 0,
        "processedCount": 0, "failedCount": 0,
        "startTimeUtc": "1970-01-01T00:00:00.000Z", "endTimeUtc": null, "failureReason": null,
        "inputBlobContainerUri": null, "outputBlobContainerUri": "https://a.example.test/c",
        "inputBlobName": null, "outputBlobName": "devices.txt", "excludeKeysInExport": true,
        "storageAuthenticationType": "keyBased", "includeConfigurations": false,
        "configurationsBlobName": null,
    });
    assert_eq!(export.json(), expected);
    for (name, value) in [
        ("jobId", json!("i")),
        ("type", json!("import")),
        ("inputBlobContainerUri", json!("http://a.example.test/in")),
        ("outputBlobContainerUri", json!("http://a.example.test/out")),
        ("inputBlobName", json!("x/y.txt")),
        ("outputBlobName", json!(null)),
        ("excludeKeysInExport", json!(false)),
        ("includeConfigurations", json!(true)),
        ("configurationsBlobName", json!("configurations.txt")),
    ] {
        expected[name] = value;
    }
    let import = job("i", IMPORT);
    assert_eq!(import.json(), expected);
    assert!(!format!("{export:?}{import:?}").contains("secret"));
}

#[test]
fn what_breaks_a_rule_is_refused_and_named() {
    let with = |rest: &str| EXPORT.replacen('{', &format!("{{{rest},"), 1);
    for (body, why) in [
        (String::new(), "not JSON"),
        ("{}".into(), "type is missing"),
        ("[]".into(), "type is missing"),
        (r#"{"type":"scheduleUpdateTwin"}"#.into(), "neither export nor import"),
        (r#"{"type":"export"}"#.into(), "outputBlobContainerUri is missing"),
        (r#"{"type":"export","outputBlobContainerUri":""}"#.into(), "is missing"),
        (r#"{"type":"export","outputBlobContainerUri":7}"#.into(), "no text"),
        (IMPORT.replace("inputBlobContainerUri", "x"), "inputBlobContainerUri is missing"),
        (IMPORT.replace("outputBlobContainerUri", "x"), "outputBlobContainerUri is missing"),
        (EXPORT.replace("https://", "ftp://"), "no URI"),
        (EXPORT.replace("https://a", "https:///a"), "no URI"),
        (EXPORT.replace("/c?", "/c d?"), "no URI"),
        (EXPORT.replace("sig=", &"s".repeat(5000)), "4096"),
        (EXPORT.replace("true", "1"), "neither true nor false"),
        (with(r#""storageAuthenticationType":"identityBased""#), "managed identity"),
        (with(r#""storageAuthenticationType":"other""#), "is unknown"),
        (with(r#""outputBlobName":"a/../b""#), "cannot be the name"),
        (with(r#""outputBlobName":"a\n""#), "cannot be the name"),
        (with(&format!(r#""outputBlobName":"{}""#, "x".repeat(1025))), "1024"),
        (
            with(r#""includeConfigurations":true,"configurationsBlobName":"devices.txt""#),
            "is the blob of the devices",
        ),
        (IMPORT.replace("x/y.txt", "configurations.txt"), "is the blob of the devices"),
    ] {
        match TransferRequest::parse(body.as_bytes()) {
            Err(HubError::InvalidArgument(told)) => assert!(told.contains(why), "{body}: {told}"),
            other => panic!("{body}: {other:?}"),
        }
    }
    let huge = TransferRequest::parse(" ".repeat(100_000).as_bytes());
    assert!(matches!(huge, Err(HubError::MessageTooLarge { .. })));
}

#[test]
fn a_transfer_goes_on_and_never_back() {
    let progress = |done, percent| TransferEvent::Progress {
        done,
        configurations_done: done / 2,
        failed: 1,
        percent,
    };
    let mut import = job("i", IMPORT);
    for (now, event, status, done, percent) in [
        (1, TransferEvent::Begin, JobStatus::Running, 0, 0),
        (2, progress(5, 50), JobStatus::Running, 5, 50),
        (3, TransferEvent::Begin, JobStatus::Running, 5, 50),
        (4, progress(4, 40), JobStatus::Running, 5, 50),
        (5, progress(9, 200), JobStatus::Running, 9, 100),
        (6, TransferEvent::Complete, JobStatus::Completed, 9, 100),
        (7, TransferEvent::Fail { reason: "late".into() }, JobStatus::Completed, 9, 100),
        (8, progress(10, 10), JobStatus::Completed, 9, 100),
    ] {
        import = import.after(event, UnixMs(now)).unwrap();
        let is = (import.status, import.done, import.progress);
        assert_eq!(is, (status, done, percent), "at {now}");
    }
    assert_eq!((import.configurations_done, &import.json()["processedCount"]), (4, &json!(13)));
    assert_eq!((import.begun, import.end), (Some(UnixMs(1)), Some(UnixMs(6))));
    assert_eq!((import.failed, &import.failure_reason), (1, &None));
    let refused = import.after(TransferEvent::Cancel, UnixMs(9));
    assert_eq!(refused, Err(HubError::JobFinished("i".into())));

    let again = job("i", IMPORT).after(progress(9, 50), UnixMs(1)).unwrap();
    let again = again.after(TransferEvent::Again, UnixMs(2)).unwrap();
    let lines = (again.done, again.configurations_done, again.failed);
    assert_eq!(
        (lines, again.again, again.progress),
        ((0, 0, 0), true, 50),
        "it is not told to go back"
    );
    let again = again.after(progress(3, 20), UnixMs(3)).unwrap();
    assert_eq!((again.done, again.progress), (3, 50));

    let failed = job("i", IMPORT).after(TransferEvent::Fail { reason: "why".into() }, UnixMs(2));
    let failed = failed.unwrap();
    assert_eq!(
        (failed.status, failed.json()["failureReason"].as_str()),
        (JobStatus::Failed, Some("why"))
    );
    let cancelled = job("i", IMPORT).after(TransferEvent::Cancel, UnixMs(2)).unwrap();
    assert_eq!((cancelled.status, cancelled.end), (JobStatus::Cancelled, Some(UnixMs(2))));
}

#[test]
fn one_at_a_time_and_the_old_ones_go() {
    let ended = |n: usize, at: u64| TransferJob {
        status: JobStatus::Completed,
        end: Some(UnixMs(at)),
        ..job(&format!("j{n}"), EXPORT)
    };
    let id = |n: usize| JobId::new(&format!("j{n}")).unwrap();
    assert_eq!(admit(&[], UnixMs(1)), Ok(vec![]));
    let open = [ended(1, 1), job("open", EXPORT)];
    assert_eq!(admit(&open, UnixMs(5)), Err(HubError::TooManyJobs { max: 1 }));
    let now = UnixMs(JOB_HISTORY_MS + 5);
    assert_eq!(admit(&[ended(1, 5), ended(2, 6)], now), Ok(vec![id(1)]));
    let many: Vec<_> = (0..TRANSFERS_MAX).map(|n| ended(n, 1000 - n as u64)).collect();
    assert_eq!(admit(&many, UnixMs(2000)), Ok(vec![id(TRANSFERS_MAX - 1)]));
}
