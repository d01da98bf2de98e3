use ironhub_domain::HubError;
use ironhub_domain::auth::{PolicySet, SymmetricKeys};
use ironhub_domain::device::{Authentication, DeviceIdentity, DeviceStatus, Thumbprints};
use ironhub_domain::partition::{Command, ConsumerGroup, HubInfo};
use ironhub_domain::registry::{
    AuthenticationRequest, DeviceRequest, Fresh, IfMatch, PutDevice, PutMode,
};

use super::*;
use crate::partition::records;

fn id(text: &str) -> DeviceId {
    DeviceId::new(text).unwrap()
}

fn fresh(n: u64) -> Fresh {
    Fresh {
        generation: format!("generation{n}"),
        etag: format!("etag{n}"),
        keys: SymmetricKeys { primary: format!("p{n}"), secondary: format!("s{n}") },
        now: UnixMs(n),
    }
}

fn put(mode: PutMode, request: DeviceRequest, n: u64) -> Bytes {
    let put = PutDevice { mode, request, fresh: fresh(n) };
    commands::encode(&Command::PutDevice(Box::new(put)))
}

pub(super) fn create(device: &str, n: u64) -> Bytes {
    put(PutMode::Create, DeviceRequest::new(id(device)), n)
}

fn delete(device: &str, if_match: &str) -> Bytes {
    let precondition = IfMatch::parse(if_match);
    commands::encode(&Command::DeleteDevice { id: id(device), precondition })
}

fn stored(rig: &Rig, device: &str) -> Option<DeviceIdentity> {
    records::device(&*rig.store, GROUP, &id(device)).unwrap()
}

#[track_caller]
fn made(outcome: Outcome) -> DeviceIdentity {
    match outcome {
        Outcome::Device(device) => *device,
        other => panic!("{other:?}"),
    }
}

#[test]
fn a_device_is_created_once_and_gets_another_generation_when_created_again() {
    let mut rig = Rig::new();
    let device = made(rig.apply_one(create("d", 1)));
    assert_eq!(stored(&rig, "d"), Some(device.clone()));
    assert_eq!(
        rig.apply_one(create("d", 2)),
        Outcome::Refused(HubError::DeviceAlreadyExists("d".into()))
    );
    assert_eq!(stored(&rig, "d"), Some(device));
    assert_eq!(rig.apply_one(delete("d", "\"*\"")), Outcome::Deleted);
    assert_eq!(stored(&rig, "d"), None);
    assert_eq!(
        rig.apply_one(delete("d", "*")),
        Outcome::Refused(HubError::DeviceNotFound("d".into()))
    );
    assert_eq!(made(rig.apply_one(create("d", 3))).generation, "generation3");
}

#[test]
fn commands_of_one_entry_see_each_other() {
    let mut rig = Rig::new();
    let outcomes = rig.apply(&[
        create("d", 1),
        create("d", 2),
        delete("d", "etag1"),
        delete("d", "*"),
        create("d", 3),
    ]);
    let missing = |text: &str| Outcome::Refused(HubError::DeviceNotFound(text.into()));
    assert_eq!(outcomes[1], Outcome::Refused(HubError::DeviceAlreadyExists("d".into())));
    assert_eq!(outcomes[2..4], [Outcome::Deleted, missing("d")]);
    assert_eq!(stored(&rig, "d").unwrap().etag, "etag3");
}

#[test]
fn every_etag_case_of_update_and_delete() {
    let stale = Outcome::Refused(HubError::PreconditionFailed { current: "etag1".into() });
    let missing = Outcome::Refused(HubError::DeviceNotFound("d".into()));
    for (if_match, exists, refused) in [
        ("*", true, None),
        ("\"*\"", true, None),
        ("etag1", true, None),
        ("\"etag1\"", true, None),
        ("W/\"etag1\"", true, None),
        ("\"etag2\"", true, Some(&stale)),
        ("", true, Some(&stale)),
        ("*", false, Some(&missing)),
        ("\"etag1\"", false, Some(&missing)),
    ] {
        let rig = || {
            let mut rig = Rig::new();
            if exists {
                rig.apply_one(create("d", 1));
            }
            rig
        };
        let mode = PutMode::Update(IfMatch::parse(if_match));
        let request =
            DeviceRequest { status: DeviceStatus::Disabled, ..DeviceRequest::new(id("d")) };
        let mut updated = rig();
        let outcome = updated.apply_one(put(mode, request, 5));
        match refused {
            Some(refused) => assert_eq!(&outcome, refused, "{if_match}"),
            None => {
                let device = made(outcome);
                assert_eq!(
                    (device.etag.as_str(), device.status_updated),
                    ("etag5", Some(UnixMs(5)))
                );
                assert_eq!(stored(&updated, "d"), Some(device));
            }
        }
        let outcome = rig().apply_one(delete("d", if_match));
        assert_eq!(&outcome, refused.unwrap_or(&Outcome::Deleted), "{if_match}");
    }
    let mut rig = Rig::new();
    let upsert = |n| {
        let mode = PutMode::CreateOrUpdate(IfMatch::Any);
        put(mode, DeviceRequest::new(id("d")), n)
    };
    assert_eq!(made(rig.apply_one(upsert(1))).generation, "generation1");
    let updated = made(rig.apply_one(upsert(2)));
    assert_eq!((updated.generation.as_str(), updated.etag.as_str()), ("generation1", "etag2"));
}

#[test]
fn every_field_survives_the_command_and_the_store() {
    let thumbprints =
        Thumbprints { primary: Some("0a".repeat(20)), secondary: Some("0B".repeat(32)) };
    let key = "MDEyMzQ1Njc4OWFiY2RlZg==".to_owned();
    let keys = SymmetricKeys { primary: key.clone(), secondary: key };
    for (request, expected) in [
        (AuthenticationRequest::Sas(keys.clone()), Authentication::Sas(keys)),
        (
            AuthenticationRequest::SelfSigned(thumbprints.clone()),
            Authentication::SelfSigned(thumbprints),
        ),
        (AuthenticationRequest::CertificateAuthority, Authentication::CertificateAuthority),
        (AuthenticationRequest::None, Authentication::None),
    ] {
        let mut rig = Rig::new();
        let request = DeviceRequest {
            id: id("d"),
            status: DeviceStatus::Disabled,
            status_reason: Some("reason".into()),
            authentication: request,
            iot_edge: true,
            device_scope: Some("ms-azure-iot-edge://d-1".into()),
            parent_scopes: vec!["one".into(), "two".into()],
        };
        rig.apply_one(put(PutMode::Create, request, 7));
        let expected = DeviceIdentity {
            id: id("d"),
            generation: "generation7".into(),
            etag: "etag7".into(),
            status: DeviceStatus::Disabled,
            status_reason: Some("reason".into()),
            status_updated: None,
            authentication: expected,
            iot_edge: true,
            device_scope: Some("ms-azure-iot-edge://d-1".into()),
            parent_scopes: vec!["one".into(), "two".into()],
            created: UnixMs(7),
        };
        assert_eq!(stored(&rig, "d"), Some(expected));
    }
}

#[test]
fn devices_are_listed_in_the_order_of_their_ids_and_counted() {
    let mut rig = Rig::new();
    for (n, device) in (0..).zip(["b", "a", "a-1", "c", "B"]) {
        rig.apply_one(create(device, n));
    }
    let disabled = DeviceRequest { status: DeviceStatus::Disabled, ..DeviceRequest::new(id("c")) };
    rig.apply_one(put(PutMode::Update(IfMatch::Any), disabled, 9));
    let list = |after: Option<&str>, max| -> Vec<String> {
        let devices = records::list_devices(&*rig.store, GROUP, after.map(id).as_ref(), max);
        devices.unwrap().into_iter().map(|device| device.id.to_string()).collect()
    };
    assert_eq!(list(None, 100), ["B", "a", "a-1", "b", "c"]);
    assert_eq!(list(None, 2), ["B", "a"]);
    assert_eq!(list(Some("a"), 2), ["a-1", "b"]);
    assert_eq!(list(Some("aa"), 2), ["b", "c"]);
    assert!(list(Some("c"), 2).is_empty());
    assert!(list(None, 0).is_empty());
    let count = records::counts(&*rig.store, GROUP).unwrap();
    assert_eq!((count.devices, count.disabled), (5, 1));
    let other = records::counts(&*rig.store, GroupId(2)).unwrap();
    assert_eq!(other.devices, 0, "another partition's devices are not ours");
}

#[test]
fn what_concerns_the_hub_is_in_the_system_partition() {
    let store = Arc::new(MemoryStore::new());
    let watermarks = Watermarks::new(0);
    let mut machine = PartitionMachine::new(records::SYSTEM, watermarks);
    assert_eq!(records::hub(&*store).unwrap(), None);
    assert_eq!(records::policies(&*store).unwrap(), None);
    assert!(records::consumer_groups(&*store).unwrap().is_empty());
    let hub =
        HubInfo { name: "hub".into(), entity: "events".into(), partitions: 4, created: UnixMs(1) };
    let mut n = 0;
    let policies = PolicySet::defaults(|| {
        n += 1;
        format!("key{n}")
    });
    let group = |name: &str| ConsumerGroup { name: name.into(), created: UnixMs(2) };
    let commands: Vec<_> = [
        Command::PutHub(hub.clone()),
        Command::PutPolicies(policies.clone()),
        Command::PutConsumerGroup(group("one")),
        Command::PutConsumerGroup(group("two")),
        Command::DeleteConsumerGroup("one".into()),
    ]
    .iter()
    .map(commands::encode)
    .collect();
    let context = ApplyContext { group: records::SYSTEM, index: 1, term: 1 };
    let mut tx = StateTx::new(&*store, records::SYSTEM);
    let outcomes = machine.apply(context, &commands, &mut tx).unwrap();
    assert_eq!(outcomes, vec![Outcome::Done; 5]);
    store.write(&tx.into_changes()).unwrap();
    assert_eq!(records::hub(&*store).unwrap(), Some(hub));
    assert_eq!(records::policies(&*store).unwrap(), Some(policies));
    assert_eq!(records::consumer_groups(&*store).unwrap(), [group("two")]);
}

#[test]
fn a_command_that_cannot_be_read_is_refused_and_changes_nothing() {
    let mut rig = Rig::new();
    let digest = rig.digest();
    for command in [&b""[..], b"\x00", b"\xff\x01", b"\x08", b"\x08\xff", b"\x09", b"\x10\x08"] {
        let outcome = rig.apply_one(Bytes::copy_from_slice(command));
        assert!(matches!(outcome, Outcome::Refused(_)), "{command:?} {outcome:?}");
    }
    assert_eq!(rig.digest(), digest);
}
