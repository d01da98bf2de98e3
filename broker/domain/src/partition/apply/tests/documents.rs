use bytes::Bytes;

use super::*;
use crate::auth::{Permissions, Policy, SymmetricKeys};
use crate::document::{Document, DocumentKind};
use crate::limits::{CONFIGURATIONS_MAX, DOCUMENT_BYTES_MAX, DOCUMENT_ID_CHARS_MAX};
use crate::registry::PutMode;

const KIND: DocumentKind = DocumentKind::Configuration;

fn document(id: &str, n: u64) -> Document {
    Document { id: id.into(), etag: format!("etag{n}"), body: Bytes::from(format!("{n}")) }
}

fn put(id: &str, n: u64, mode: PutMode) -> Command {
    Command::PutDocument { kind: KIND, document: document(id, n), mode }
}

#[test]
fn a_document_is_created_once_and_changed_by_its_etag() {
    let create = || PutMode::Create;
    let update = |tag: &str| PutMode::Update(IfMatch::parse(tag));
    let either = |tag: &str| PutMode::CreateOrUpdate(IfMatch::parse(tag));
    let missing = HubError::ConfigurationNotFound("c".into());
    let exists = HubError::ConfigurationAlreadyExists("c".into());
    let stale = HubError::PreconditionFailed { current: "etag1".into() };
    for (mode, there, refused) in [
        (create(), false, None),
        (create(), true, Some(exists)),
        (update("*"), false, Some(missing)),
        (update("*"), true, None),
        (update("etag1"), true, None),
        (update("etag9"), true, Some(stale.clone())),
        (either("*"), false, None),
        (either("etag9"), false, None),
        (either("*"), true, None),
        (either("etag9"), true, Some(stale)),
    ] {
        let mut records = Memory::default();
        if there {
            run(put("c", 1, create()), &mut records);
        }
        let outcome = run(put("c", 2, mode.clone()), &mut records);
        let expected = match &refused {
            Some(refusal) => Outcome::Refused(refusal.clone()),
            None => Outcome::Document(document("c", 2)),
        };
        assert_eq!(outcome, expected, "{mode:?} {there}");
        let kept = records.documents.get(&(KIND, "c".into()));
        assert_eq!(kept.is_some_and(|kept| kept.etag == "etag2"), refused.is_none());
    }
}

#[test]
fn a_document_is_deleted_by_its_etag() {
    let mut records = Memory::default();
    run(put("c", 1, PutMode::Create), &mut records);
    let delete = |id: &str, tag: &str| Command::DeleteDocument {
        kind: KIND,
        id: id.into(),
        precondition: IfMatch::parse(tag),
    };
    for (id, tag, refused) in [
        ("c", "etag9", Some(HubError::PreconditionFailed { current: "etag1".into() })),
        ("C", "*", Some(HubError::ConfigurationNotFound("C".into()))),
        ("c", "etag1", None),
        ("c", "*", Some(HubError::ConfigurationNotFound("c".into()))),
    ] {
        let expected = refused.map_or(Outcome::Deleted, Outcome::Refused);
        assert_eq!(run(delete(id, tag), &mut records), expected, "{id} {tag}");
    }
}

#[test]
fn documents_are_few_and_small() {
    let mut records = Memory::default();
    for (id, bytes) in [
        (String::new(), 1),
        ("n".repeat(DOCUMENT_ID_CHARS_MAX + 1), 1),
        ("a\0b".to_owned(), 1),
        ("c".to_owned(), DOCUMENT_BYTES_MAX + 1),
    ] {
        let document = Document { id, etag: "e".into(), body: vec![0; bytes].into() };
        let put = Command::PutDocument { kind: KIND, document, mode: PutMode::Create };
        assert!(matches!(run(put, &mut records), Outcome::Refused(_)));
    }
    for n in 0..CONFIGURATIONS_MAX {
        let outcome = run(put(&format!("c{n}"), 1, PutMode::Create), &mut records);
        assert!(matches!(outcome, Outcome::Document(_)), "{n}");
    }
    let more = Outcome::Refused(HubError::TooManyConfigurations { max: CONFIGURATIONS_MAX });
    assert_eq!(run(put("one-more", 1, PutMode::Create), &mut records), more);
    let outcome = run(put("c0", 2, PutMode::CreateOrUpdate(IfMatch::Any)), &mut records);
    assert!(matches!(outcome, Outcome::Document(_)), "changing one adds none");
}

#[test]
fn policies_can_be_added_and_changed_but_the_owners_stays() {
    let mut records = Memory::default();
    let key = || "a2tra2tra2tra2tra2tra2tra2tra2tra2tra2tra2s=".to_owned();
    run(Command::PutPolicies(PolicySet::defaults(key)), &mut records);
    let policy = |name: &str, permissions, primary: &str| Policy {
        name: name.into(),
        keys: SymmetricKeys { primary: primary.into(), secondary: key() },
        permissions,
    };
    let service = Permissions::SERVICE_CONNECT;
    for (policy, good) in [
        (policy("mine", service, &key()), true),
        (policy("mine", Permissions::ALL, &key()), true),
        (policy("iothubowner", Permissions::ALL, &key()), true),
        (policy("iothubowner", service, &key()), false),
        (policy("", service, &key()), false),
        (policy("a b", service, &key()), false),
        (policy("none", Permissions::NONE, &key()), false),
        (policy("weak", service, "a2s="), false),
    ] {
        let name = policy.name.clone();
        let kept = |records: &Memory| {
            records.policies.as_ref().and_then(|policies| policies.get(&name).cloned())
        };
        let put = |before| Command::PutPolicy { policy: policy.clone(), before };
        // Who decided by something else than what is there is refused.
        let before = kept(&records);
        let other = match &before {
            Some(_) => None,
            None => Some(policy.clone()),
        };
        let stale = run(put(other), &mut records);
        let is_stale = Outcome::Refused(HubError::PreconditionFailed { current: String::new() });
        assert_eq!(stale == is_stale, policy.validate().is_ok(), "{name}: {stale:?}");
        assert_eq!(kept(&records), before, "{name}");
        let outcome = run(put(before), &mut records);
        assert_eq!(outcome == Outcome::Done, good, "{name}: {outcome:?}");
        let kept = kept(&records);
        assert_eq!(kept == Some(policy), good, "{name}");
    }
    let delete = |name: &str| Command::DeletePolicy(name.into());
    assert_eq!(run(delete("mine"), &mut records), Outcome::Deleted);
    let gone = Outcome::Refused(HubError::PolicyNotFound("mine".into()));
    assert_eq!(run(delete("mine"), &mut records), gone);
    assert!(matches!(run(delete("iothubowner"), &mut records), Outcome::Refused(_)));
}
