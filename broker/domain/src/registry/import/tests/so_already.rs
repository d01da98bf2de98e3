//! What is so already.

use super::*;
use crate::limits::TwinLimits;
use crate::registry::{Fresh, PutDevice, put};
use crate::time::UnixMs;
use crate::twin::Twin;

const KEY: &str = "MDEyMzQ1Njc4OWFiY2RlZjAxMjM0NTY3ODlhYmNkZWY=";

fn found(json: &str) -> Found {
    let RegistryOperation::PutDevice { mode, request, twin } = item(json).operation else {
        panic!("{json}")
    };
    let fresh = Fresh {
        generation: "1".into(),
        etag: "NEW".into(),
        keys: crate::auth::SymmetricKeys { primary: KEY.into(), secondary: KEY.into() },
        now: UnixMs(1),
    };
    let twin = twin.map(|twin| twin.create(UnixMs(1), &TwinLimits::DEFAULT).unwrap().twin);
    Found {
        device: Some(put(None, &PutDevice { mode, request, fresh }).unwrap()),
        module: None,
        twin: Some(twin.unwrap_or_else(|| Twin::new(UnixMs(1)))),
    }
}

fn check(there: Option<&str>, asked: &str, expected: bool) {
    let found = there.map(found).unwrap_or_default();
    let so = item(asked).operation.is_so_already(&found, &TwinLimits::DEFAULT, UnixMs(9));
    assert_eq!(so, expected, "{there:?}: {asked}");
}

#[test]
fn an_item_that_was_carried_out_is_so_already_whatever_its_etag() {
    let made = r#"{"id":"d","status":"disabled","tags":{"a":1},"properties":{"desired":{"b":2}}}"#;
    check(Some(made), made, true);
    check(Some(made), &made.replace(r#""id""#, r#""importMode":"create","id""#), true);
    let stale = r#""importMode":"updateIfMatchETag","eTag":"OLD","id""#;
    check(Some(made), &made.replace(r#""id""#, stale), true);
    check(Some(made), &made.replace("disabled", "enabled"), false);
    check(Some(made), &made.replace(r#""a":1"#, r#""a":2"#), false);
    check(None, made, false);
    let keyed = format!(
        r#"{{"id":"d","status":"disabled","authentication":{{"symmetricKey":{{"primaryKey":"{KEY}"}}}}}}"#
    );
    check(Some(made), &keyed, true);
    check(Some(made), &keyed.replace("MDEy", "AAAA"), false);
}

#[test]
fn a_delete_is_so_without_the_device_and_a_patch_when_the_twin_has_it() {
    let delete = r#"{"id":"d","importMode":"deleteIfMatchETag","eTag":"OLD"}"#;
    check(None, delete, true);
    check(Some(r#"{"id":"d"}"#), delete, false);
    check(None, r#"{"id":"d","moduleId":"m","importMode":"delete"}"#, true);
    let made = r#"{"id":"d","tags":{"a":1,"z":0}}"#;
    let patch =
        r#"{"id":"d","importMode":"updateTwinIfMatchETag","twinETag":"OLD","tags":{"a":1}}"#;
    check(Some(made), patch, true);
    check(Some(made), &patch.replace(r#""a":1"#, r#""a":null"#), false);
    check(None, patch, false);
}
