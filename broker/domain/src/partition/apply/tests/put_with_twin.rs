use super::modules::{create, device, module, put_device};
use super::*;
use crate::auth::SymmetricKeys;
use crate::ids::IdentityId;
use crate::limits::TwinLimits;
use crate::partition::command::{IdentityPut, PutWithTwin};
use crate::registry::{Fresh, ImportItem, PutModule, RegistryOperation};
use crate::twin::{Object, Twin};

/// The command that an item with a twin becomes.
fn put(item: &str, n: u64) -> Command {
    let fresh = Fresh {
        generation: format!("generation{n}"),
        etag: format!("etag{n}"),
        keys: SymmetricKeys { primary: format!("p{n}"), secondary: format!("s{n}") },
        now: UnixMs(n),
    };
    let (identity, twin) = match ImportItem::parse(item.as_bytes()).unwrap().operation {
        RegistryOperation::PutDevice { mode, request, twin } => {
            (IdentityPut::Device(PutDevice { mode, request, fresh }), twin)
        }
        RegistryOperation::PutModule { mode, request, twin } => {
            (IdentityPut::Module(PutModule { mode, request, fresh }), twin)
        }
        other => panic!("{other:?}"),
    };
    let twin = twin.unwrap();
    Command::PutWithTwin(Box::new(PutWithTwin { identity, twin, limits: TwinLimits::CLASSIC }))
}

fn json(object: &Object) -> String {
    serde_json::Value::Object(object.clone()).to_string()
}

const TWIN: &str = r#""tags":{"t":1},"properties":{"desired":{"a":{"b":2}},"reported":{"r":3}}"#;

#[test]
fn an_identity_and_its_twin_are_created_together() {
    let mut records = Memory::default();
    for (item, identity) in [
        (r#"{"id":"d","importMode":"create","#, IdentityId::device(device("d"))),
        (r#"{"id":"d","moduleId":"m","#, IdentityId::module(device("d"), module("m"))),
    ] {
        let outcome = run(put(&format!("{item}{TWIN}}}"), 7), &mut records);
        let change = match outcome {
            Outcome::DeviceWithTwin(device, change) => {
                assert_eq!((device.etag.as_str(), device.created), ("etag7", UnixMs(7)));
                change
            }
            Outcome::ModuleWithTwin(module, change) => {
                assert_eq!((module.etag.as_str(), module.created), ("etag7", UnixMs(7)));
                change
            }
            other => panic!("{other:?}"),
        };
        let twin = records.twin(&identity).unwrap().unwrap();
        assert_eq!(twin, change.twin);
        let sections = [&twin.tags, &twin.desired.values, &twin.reported.values].map(json);
        assert_eq!(sections, [r#"{"t":1}"#, r#"{"a":{"b":2}}"#, r#"{"r":3}"#]);
        assert_eq!((twin.desired.version, twin.reported.version), (2, 2));
        assert!(change.notice.is_some(), "whoever is connected is told");
    }
}

#[test]
fn neither_happens_if_the_other_is_refused() {
    let too_large = "x".repeat(4000);
    let too_much = format!(r#""tags":{{"a":"{too_large}","b":"{too_large}","c":"{too_large}"}}"#);
    for (item, expected) in [
        (format!(r#"{{"id":"new","importMode":"create",{too_much}}}"#), "ArgumentInvalid"),
        (format!(r#"{{"id":"d","moduleId":"new",{too_much}}}"#), "ArgumentInvalid"),
        (format!(r#"{{"id":"d","importMode":"create",{TWIN}}}"#), "DeviceAlreadyExists"),
        (format!(r#"{{"id":"new","importMode":"update",{TWIN}}}"#), "DeviceNotFound"),
        (format!(r#"{{"id":"new","moduleId":"m",{TWIN}}}"#), "DeviceNotFound"),
        (
            format!(r#"{{"id":"d","importMode":"updateIfMatchETag","eTag":"no",{TWIN}}}"#),
            "PreconditionFailed",
        ),
        (
            format!(
                r#"{{"id":"d","importMode":"updateIfMatchETag","eTag":"*","twinETag":"no",
                    "status":"disabled",{TWIN}}}"#
            ),
            "PreconditionFailed",
        ),
    ] {
        let mut records = Memory::default();
        run(put_device("d", 1), &mut records);
        let before = records.device(&device("d")).unwrap();
        match run(put(&item, 9), &mut records) {
            Outcome::Refused(refusal) => assert_eq!(refusal.code().name, expected, "{item}"),
            other => panic!("{item}: {other:?}"),
        }
        assert_eq!(records.device(&device("d")).unwrap(), before, "{item}");
        assert_eq!(records.device(&device("new")).unwrap(), None, "{item}");
        assert_eq!(records.modules(&device("d")).unwrap(), [], "{item}");
        let twin = records.twin(&IdentityId::device(device("d"))).unwrap();
        assert_eq!(twin, None, "{item}");
    }
}

#[test]
fn a_twin_that_was_there_is_changed_section_by_section_if_its_etag_is_as_asked() {
    let mut records = Memory::default();
    run(put_device("d", 1), &mut records);
    run(create("d", "m", 2), &mut records);
    let first = Twin::new(UnixMs(2)).etag();
    let item = |etag: &str, twin: &str| {
        format!(
            r#"{{"id":"d","moduleId":"m","importMode":"updateIfMatchETag","eTag":"*",
                "twinETag":"{etag}",{twin}}}"#
        )
    };
    run(put(&item(&first, TWIN), 8), &mut records);
    let identity = IdentityId::module(device("d"), module("m"));
    let twin = records.twin(&identity).unwrap().unwrap();
    assert_eq!(json(&twin.tags), r#"{"t":1}"#);
    let only_desired = r#""properties":{"desired":{"z":0}}"#;
    run(put(&item(&twin.etag(), only_desired), 9), &mut records);
    let twin = records.twin(&identity).unwrap().unwrap();
    let sections = [&twin.tags, &twin.desired.values, &twin.reported.values].map(json);
    assert_eq!(sections, [r#"{"t":1}"#, r#"{"z":0}"#, r#"{"r":3}"#]);
}
