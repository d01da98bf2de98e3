//! Presence, counts, indexes and documents as they are stored.

use ironhub_domain::auth::{Permissions, Policy, SymmetricKeys};
use ironhub_domain::device::{DeviceStatus, Presence};
use ironhub_domain::document::{Document, DocumentKind};
use ironhub_domain::ids::IdentityId;
use ironhub_domain::limits::TwinLimits;
use ironhub_domain::partition::{Command, UpdateTwin};
use ironhub_domain::registry::{DeviceRequest, Fresh, IfMatch, PutDevice, PutMode};
use ironhub_domain::twin::TwinUpdate;
use serde_json::Value;

use super::*;
use crate::partition::index::{self, RegistryCounts};
use crate::partition::{encode, records};

fn id(text: &str) -> DeviceId {
    DeviceId::new(text).unwrap()
}

fn identity(text: &str) -> IdentityId {
    IdentityId::device(id(text))
}

fn put(device: &str, status: DeviceStatus) -> Bytes {
    let fresh = Fresh {
        generation: "g".into(),
        etag: "e".into(),
        keys: SymmetricKeys { primary: "p".into(), secondary: "s".into() },
        now: UnixMs(1),
    };
    let request = DeviceRequest { status, ..DeviceRequest::new(id(device)) };
    let mode = PutMode::CreateOrUpdate(IfMatch::Any);
    commands::encode(&Command::PutDevice(Box::new(PutDevice { mode, request, fresh })))
}

fn delete(device: &str) -> Bytes {
    let precondition = IfMatch::Any;
    commands::encode(&Command::DeleteDevice { id: id(device), precondition })
}

fn note(device: &str, connected: bool, sequence: u64) -> Bytes {
    let presence = Presence {
        connected,
        connection_updated: UnixMs(3),
        last_activity: UnixMs(4),
        sequence,
        model_id: Some("dtmi:m;1".into()),
    };
    commands::encode(&Command::NotePresence { identity: identity(device), presence })
}

fn tags(device: &str, json: &str) -> Bytes {
    let body = format!(r#"{{"tags":{json}}}"#);
    commands::encode(&Command::UpdateTwin(Box::new(UpdateTwin {
        identity: identity(device),
        update: TwinUpdate::parse_patch(body.as_bytes()).unwrap(),
        assigned: None,
        precondition: IfMatch::Any,
        limits: TwinLimits::DEFAULT,
        now: UnixMs(5),
    })))
}

fn index_tags(paths: &[&str]) -> Bytes {
    let paths = paths.iter().map(|path| (*path).to_owned()).collect();
    commands::encode(&Command::SetIndexedTags(paths))
}

fn found(rig: &Rig, name: &str, value: impl Into<Value>) -> Vec<String> {
    let value = index::index_value(&value.into()).unwrap();
    let found = records::indexed(&*rig.store, GROUP, (name, &value), None, 100).unwrap();
    found.iter().map(ToString::to_string).collect()
}

#[test]
fn counts_and_indexes_follow_identities_and_presence() {
    use DeviceStatus::{Disabled, Enabled};
    let mut rig = Rig::new();
    let mut check = |command: Bytes, counts: (u64, u64, u64), disabled: &[&str], up: &[&str]| {
        rig.apply_one(command);
        let (devices, disabled_count, connected) = counts;
        let expected = RegistryCounts { devices, disabled: disabled_count, connected };
        assert_eq!(records::counts(&*rig.store, GROUP).unwrap(), expected);
        assert_eq!(found(&rig, index::STATUS, "disabled"), disabled);
        assert_eq!(found(&rig, index::CONNECTION_STATE, "Connected"), up);
    };
    check(put("a", Enabled), (1, 0, 0), &[], &[]);
    check(put("b", Disabled), (2, 1, 0), &["b"], &[]);
    check(note("a", true, 1), (2, 1, 1), &["b"], &["a"]);
    check(note("a", true, 2), (2, 1, 1), &["b"], &["a"]);
    check(note("x", true, 1), (2, 1, 1), &["b"], &["a"]);
    check(put("a", Disabled), (2, 2, 1), &["a", "b"], &["a"]);
    check(note("b", true, 5), (2, 2, 2), &["a", "b"], &["a", "b"]);
    check(note("b", false, 4), (2, 2, 2), &["a", "b"], &["a", "b"]);
    check(note("b", false, 6), (2, 2, 1), &["a", "b"], &["a"]);
    check(delete("a"), (1, 1, 0), &["b"], &[]);
    check(delete("a"), (1, 1, 0), &["b"], &[]);
    check(put("b", Enabled), (1, 0, 0), &[], &[]);
}

#[test]
fn an_index_pages_in_the_order_of_ids() {
    let mut rig = Rig::new();
    for device in ["c", "a", "b", "a-1"] {
        rig.apply_one(put(device, DeviceStatus::Disabled));
    }
    let value = index::index_value(&"disabled".into()).unwrap();
    let mut after = None;
    let mut all = Vec::new();
    loop {
        let place = (index::STATUS, value.as_slice());
        let page = records::indexed(&*rig.store, GROUP, place, after.as_ref(), 2).unwrap();
        assert!(page.len() <= 2);
        let Some(last) = page.last() else { break };
        after = Some(last.clone());
        all.extend(page.iter().map(ToString::to_string));
    }
    assert_eq!(all, ["a", "a-1", "b", "c"]);
}

#[test]
fn indexed_tags_follow_twins_and_the_choice_of_paths() {
    let mut rig = Rig::new();
    for device in ["a", "b"] {
        rig.apply_one(put(device, DeviceStatus::Enabled));
    }
    rig.apply_one(tags("a", r#"{"floor":1,"at":{"city":"Ulm"}}"#));
    assert!(found(&rig, "tags.floor", 1).is_empty(), "not asked for yet");
    rig.apply_one(index_tags(&["at.city", "floor"]));
    assert_eq!(found(&rig, "tags.floor", 1.0), ["a"]);
    assert_eq!(found(&rig, "tags.at.city", "Ulm"), ["a"]);
    rig.apply_one(tags("b", r#"{"floor":1}"#));
    assert_eq!(found(&rig, "tags.floor", 1), ["a", "b"]);
    rig.apply_one(tags("a", r#"{"floor":2,"at":null}"#));
    assert_eq!(found(&rig, "tags.floor", 1), ["b"]);
    assert_eq!(found(&rig, "tags.floor", 2), ["a"]);
    assert!(found(&rig, "tags.at.city", "Ulm").is_empty());
    rig.apply_one(delete("b"));
    assert!(found(&rig, "tags.floor", 1).is_empty());
    rig.apply_one(index_tags(&["other"]));
    assert!(found(&rig, "tags.floor", 2).is_empty(), "the path is gone, and so are its entries");
    assert_eq!(records::indexed_tags(&*rig.store, GROUP).unwrap(), ["other"]);
}

#[test]
fn what_is_noted_and_written_can_be_read_again() {
    let mut rig = Rig::new();
    rig.apply_one(put("a", DeviceStatus::Enabled));
    rig.apply_one(note("a", true, 9));
    let presence = records::presence(&*rig.store, GROUP, &identity("a")).unwrap().unwrap();
    assert_eq!((presence.sequence, presence.last_activity), (9, UnixMs(4)));
    assert_eq!(presence.model_id.as_deref(), Some("dtmi:m;1"));
    let document = Document { id: "c".into(), etag: "e".into(), body: "{}".into() };
    let policy = Policy {
        name: "p".into(),
        keys: SymmetricKeys { primary: "a".into(), secondary: "b".into() },
        permissions: Permissions::SERVICE_CONNECT,
    };
    let kind = DocumentKind::Job;
    for command in [
        Command::PutDocument { kind, document, mode: PutMode::Update(IfMatch::parse("e")) },
        Command::DeleteDocument { kind, id: "c".into(), precondition: IfMatch::Any },
        Command::PutPolicy { policy: policy.clone(), before: None },
        Command::PutPolicy { policy: policy.clone(), before: Some(policy) },
        Command::DeletePolicy("p".into()),
        Command::SetIndexedTags(vec!["a.b".into()]),
        Command::NotePresence { identity: identity("a"), presence },
    ] {
        let bytes = commands::encode(&command);
        assert_eq!(encode::command::decode(&bytes), Ok(command));
    }
}
