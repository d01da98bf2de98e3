//! The hub's own rows, and what is projected from them.

use serde_json::json;

use super::*;
use crate::configuration::{Assigned, Assignment, AssignmentStatus, ConfigurationId};
use crate::device::{Authentication, DeviceStatus, Thumbprints};
use crate::ids::{DeviceId, IdentityId, ModuleId};
use crate::job::{DeviceJob, DeviceJobError, DeviceJobStatus, JobId, JobType};
use crate::limits::TwinLimits;
use crate::method::MethodAnswer;
use crate::registry::IfMatch;
use crate::time::UnixMs;
use crate::twin::{Twin, TwinUpdate};

const NOW: UnixMs = UnixMs(1_767_323_045_678);

fn twin() -> Twin {
    let update = r#"{"tags": {"floor": 3, "l": [1]}, "properties": {"desired": {"a": {"b": 1}}}}"#;
    let update = TwinUpdate::parse_patch(update.as_bytes()).unwrap();
    Twin::new(UnixMs(1000)).update(update, &IfMatch::Any, &TwinLimits::DEFAULT, NOW).unwrap().twin
}

fn facts(authentication: &Authentication) -> IdentityFacts<'_> {
    IdentityFacts {
        device: "d1",
        module: None,
        status: DeviceStatus::Enabled,
        status_reason: None,
        status_updated: None,
        connected: true,
        connection_updated: Some(NOW),
        last_activity: Some(NOW),
        c2d_count: 2,
        authentication,
        iot_edge: false,
        etag: "e1",
        model_id: None,
        device_scope: None,
        parent_scopes: &[],
    }
}

fn configurations() -> Assigned {
    let applied = Assignment { status: AssignmentStatus::Applied, owned: Vec::new() };
    Assigned([(ConfigurationId::new("cfg-1").unwrap(), applied)].into())
}

#[track_caller]
fn check(row: &dyn Row, cases: &[(&str, Option<Value>)]) {
    for (text, expected) in cases {
        let condition = condition(text);
        let got = condition.expression().evaluate(row).map(Datum::into_value);
        assert_eq!(got, *expected, "{text}");
    }
}

#[test]
fn a_devices_row_has_all_that_services_see_of_its_twin() {
    let authentication =
        Authentication::SelfSigned(Thumbprints { primary: Some("AB".into()), secondary: None });
    let (twin, configurations) = (twin(), configurations());
    let row = TwinRow {
        identity: facts(&authentication),
        twin: &twin,
        configurations: Some(&configurations),
    };
    let never = json!("0001-01-01T00:00:00Z");
    let now = json!("2026-01-02T03:04:05.6780000Z");
    check(
        &row,
        &[
            ("deviceId", Some(json!("d1"))),
            ("moduleId", None),
            ("status", Some(json!("enabled"))),
            ("statusReason", Some(json!(null))),
            ("statusUpdateTime", Some(never.clone())),
            ("StatusUpdatedTime", Some(never)),
            ("connectionState", Some(json!("Connected"))),
            ("connectionStateUpdatedTime", Some(now.clone())),
            ("lastActivityTime", Some(now)),
            ("lastActivityTime > '2026-01-02T03:00'", Some(json!(true))),
            ("lastActivityTime > '2026-01-03'", Some(json!(false))),
            ("cloudToDeviceMessageCount > 1", Some(json!(true))),
            ("authenticationType", Some(json!("selfSigned"))),
            (
                "x509Thumbprint",
                Some(json!({"primaryThumbprint": "AB", "secondaryThumbprint": null})),
            ),
            ("x509Thumbprint.primaryThumbprint", Some(json!("AB"))),
            ("x509Thumbprint.secondaryThumbprint", Some(json!(null))),
            ("x509Thumbprint.other", None),
            ("capabilities", Some(json!({"iotEdge": false}))),
            ("capabilities.iotEdge", Some(json!(false))),
            ("etag", Some(json!("AAAAAAAAAAI="))),
            ("deviceEtag", Some(json!("e1"))),
            ("version", Some(json!(3))),
            ("modelId", Some(json!(""))),
            ("deviceScope", None),
            ("parentScopes", None),
            ("array_contains(parentScopes, 's')", None),
            ("nothing", None),
            ("deviceId.x", None),
            ("configurations", Some(json!({"cfg-1": {"status": "Applied"}}))),
            ("configurations.[[cfg-1]]", Some(json!({"status": "Applied"}))),
            ("configurations.[[cfg-1]].status = 'Applied'", Some(json!(true))),
            ("configurations.[[cfg-2]].status", None),
            ("configurations.[[cfg-1]].status.x", None),
        ],
    );
}

#[test]
fn a_rows_sections_have_versions_and_metadata() {
    let twin = twin();
    let row = TwinRow { identity: facts(&Authentication::None), twin: &twin, configurations: None };
    let document = twin.service_view();
    let desired = &document["properties"]["desired"];
    check(
        &row,
        &[
            ("tags", Some(json!({"floor": 3, "l": [1]}))),
            ("tags.floor", Some(json!(3))),
            ("tags.l[0]", Some(json!(1))),
            ("tags[0]", None),
            ("properties", Some(document["properties"].clone())),
            ("properties.desired", Some(desired.clone())),
            ("properties.desired.a.b", Some(json!(1))),
            ("properties.desired.$version", Some(json!(2))),
            ("properties.desired.$metadata", Some(desired["$metadata"].clone())),
            (
                "properties.desired.$metadata.$lastUpdated",
                Some(desired["$metadata"]["$lastUpdated"].clone()),
            ),
            ("properties.desired.$metadata.a.b.$lastUpdatedVersion", Some(json!(2))),
            ("properties.desired.$metadata.a", Some(desired["$metadata"]["a"].clone())),
            ("properties.desired.$metadata.none", None),
            ("properties.reported.$version", Some(json!(1))),
            ("properties.reported.$metadata.$lastUpdatedVersion", None),
            ("properties.other", None),
            ("properties[0]", None),
            ("configurations", None),
            ("IS_DEFINED(x509Thumbprint.primaryThumbprint)", Some(json!(true))),
        ],
    );
}

#[test]
fn a_childs_row_names_its_parent() {
    let (twin, parents) = (Twin::new(NOW), ["s".to_owned()]);
    let identity = IdentityFacts {
        device_scope: Some("s"),
        parent_scopes: &parents,
        ..facts(&Authentication::None)
    };
    let row = TwinRow { identity, twin: &twin, configurations: None };
    check(
        &row,
        &[
            ("parentscopes", Some(json!(["s"]))),
            ("parentScopes[0]", Some(json!("s"))),
            ("parentScopes[1]", None),
            ("parentScopes.x", None),
            ("array_contains(parentScopes, 's')", Some(json!(true))),
            ("ARRAY_CONTAINS(parentScopes, 't')", Some(json!(false))),
        ],
    );
}

#[test]
fn a_modules_row_has_its_module_id() {
    let twin = Twin::new(NOW);
    let identity = IdentityFacts {
        module: Some("m"),
        model_id: Some("dtmi:x;1"),
        device_scope: Some("s"),
        connected: false,
        ..facts(&Authentication::None)
    };
    let row = TwinRow { identity, twin: &twin, configurations: None };
    check(
        &row,
        &[
            ("moduleId = 'm' AND deviceId = 'd1'", Some(json!(true))),
            ("modelId", Some(json!("dtmi:x;1"))),
            ("deviceScope", Some(json!("s"))),
            ("connectionState", Some(json!("Disconnected"))),
        ],
    );
}

#[test]
fn a_projection_has_the_columns_that_the_row_has() {
    let twin = twin();
    let row = TwinRow { identity: facts(&Authentication::None), twin: &twin, configurations: None };
    for (columns, expected) in [
        ("DeviceId, CONNECTIONSTATE", json!({"deviceId": "d1", "connectionState": "Connected"})),
        ("tags.floor, tags.none", json!({"floor": 3})),
        ("tags.none", json!({})),
        (
            "tags AS t, properties.desired.a.b AS DeviceId",
            json!({"t": {"floor": 3, "l": [1]}, "DeviceId": 1}),
        ),
        ("tags.l[0], statusReason", json!({"l": 1, "statusReason": null})),
    ] {
        let query = query(&format!("SELECT {columns} FROM devices"));
        assert_eq!(query.project(&row).map(Value::Object), Some(expected), "{columns}");
    }
    for text in ["SELECT * FROM devices", "SELECT COUNT() FROM devices"] {
        assert_eq!(query(text).project(&row), None, "{text}");
    }
}

#[test]
fn a_jobs_row_has_the_outcome_on_one_device() {
    let device = DeviceId::new("d1").unwrap();
    let done = DeviceJob {
        identity: device.clone().into(),
        job: JobId::new("j1").unwrap(),
        job_type: JobType::DeviceMethod,
        status: DeviceJobStatus::Completed,
        start: Some(NOW),
        end: None,
        created: NOW,
        updated: NOW,
        outcome: Some(MethodAnswer { status: 200, payload: r#"{"ok": true}"#.into() }),
        error: None,
    };
    let failed = DeviceJob {
        identity: IdentityId::module(device, ModuleId::new("m").unwrap()),
        status: DeviceJobStatus::Failed,
        outcome: None,
        error: Some(DeviceJobError { code: "DeviceNotOnline".into(), description: "gone".into() }),
        ..done.clone()
    };
    for (text, of_done, of_failed) in [
        ("devices.jobs.deviceId = 'd1' AND devices.jobs.status = 'completed'", true, false),
        ("JobType = 'scheduleDeviceMethod' AND jobId = 'j1'", true, true),
        ("createdTimeUtc > '2016-09-01'", true, true),
        ("lastUpdatedDateTimeUtc < '2016'", false, false),
        ("is_defined(startTimeUtc) AND NOT is_defined(endTimeUtc)", true, true),
        ("outcome.deviceMethodResponse.status = 200", true, false),
        ("outcome.deviceMethodResponse.payload.ok", true, false),
        ("is_defined(outcome.deviceMethodResponse.payload.none)", false, false),
        ("is_defined(outcome)", true, false),
        ("error.code = 'DeviceNotOnline' AND error.description = 'gone'", false, true),
        ("is_object(error) AND NOT is_defined(outcome)", false, true),
        ("moduleId = 'm'", false, true),
        ("is_defined(error.other) OR is_defined(deviceId.x)", false, false),
    ] {
        let query = query(&format!("SELECT * FROM devices.jobs WHERE {text}"));
        assert_eq!((query.is_met(&done), query.is_met(&failed)), (of_done, of_failed), "{text}");
    }
}

/// Whatever the document has, the row has at the same path.
#[test]
fn a_jobs_row_has_what_its_document_has() {
    let job = DeviceJob {
        identity: DeviceId::new("d1").unwrap().into(),
        job: JobId::new("j1").unwrap(),
        job_type: JobType::UpdateTwin,
        status: DeviceJobStatus::Failed,
        start: Some(NOW),
        end: Some(NOW),
        created: NOW,
        updated: NOW,
        outcome: Some(MethodAnswer { status: 404, payload: "[1, null]".into() }),
        error: Some(DeviceJobError { code: "c".into(), description: "d".into() }),
    };
    fn compare(job: &DeviceJob, document: &Value, path: &mut Vec<Step>) {
        if let Value::Object(members) = document {
            for (name, member) in members {
                path.push(Step::Name(name.clone()));
                let value = job.value(path).map(Datum::into_value);
                assert_eq!(value.as_ref(), Some(member), "{path:?}");
                compare(job, member, path);
                path.pop();
            }
        }
    }
    compare(&job, &job.json(), &mut Vec::new());
}
