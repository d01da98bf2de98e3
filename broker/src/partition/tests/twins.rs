use ironhub_domain::HubError;
use ironhub_domain::auth::{Authority, SymmetricKeys};
use ironhub_domain::device::{Authentication, ModuleIdentity, Thumbprints};
use ironhub_domain::ids::{IdentityId, ModuleId};
use ironhub_domain::limits::TwinLimits;
use ironhub_domain::partition::{Command, IdentityPut, PatchReported, PutWithTwin, UpdateTwin};
use ironhub_domain::registry::{
    AuthenticationRequest, DeviceRequest, Fresh, IfMatch, ImportItem, ModuleRequest, PutDevice,
    PutMode, PutModule, RegistryOperation,
};
use ironhub_domain::twin::{Twin, TwinChange, TwinUpdate, parse};

use super::*;
use crate::partition::{encode, records};

fn id(text: &str) -> DeviceId {
    DeviceId::new(text).unwrap()
}

fn module_id(text: &str) -> ModuleId {
    ModuleId::new(text).unwrap()
}

/// `d`, or `d/m` for a module.
fn identity(text: &str) -> IdentityId {
    match text.split_once('/') {
        Some((device, module)) => IdentityId::module(id(device), module_id(module)),
        None => IdentityId::device(id(text)),
    }
}

fn fresh(n: u64) -> Fresh {
    Fresh {
        generation: format!("generation{n}"),
        etag: format!("etag{n}"),
        keys: SymmetricKeys { primary: format!("p{n}"), secondary: format!("s{n}") },
        now: UnixMs(n),
    }
}

fn create_device(text: &str) -> Bytes {
    let request = DeviceRequest::new(id(text));
    let put = PutDevice { mode: PutMode::Create, request, fresh: fresh(1) };
    commands::encode(&Command::PutDevice(Box::new(put)))
}

fn module_request(device: &str, module: &str) -> ModuleRequest {
    ModuleRequest {
        device: id(device),
        id: module_id(module),
        authentication: AuthenticationRequest::default(),
        managed_by: None,
    }
}

fn put_module(mode: PutMode, request: ModuleRequest, n: u64) -> Bytes {
    commands::encode(&Command::PutModule(Box::new(PutModule { mode, request, fresh: fresh(n) })))
}

fn create_module(device: &str, module: &str) -> Bytes {
    put_module(PutMode::Create, module_request(device, module), 2)
}

fn update(name: &str, update: TwinUpdate, if_match: &str) -> Bytes {
    commands::encode(&Command::UpdateTwin(Box::new(UpdateTwin {
        identity: identity(name),
        update,
        assigned: None,
        precondition: IfMatch::parse(if_match),
        limits: TwinLimits::DEFAULT,
        now: UnixMs(5),
    })))
}

fn patch(name: &str, body: &str) -> Bytes {
    update(name, TwinUpdate::parse_patch(body.as_bytes()).unwrap(), "*")
}

fn report(name: &str, body: &str, if_version: Option<u64>) -> Bytes {
    commands::encode(&Command::PatchReported(Box::new(PatchReported {
        identity: identity(name),
        patch: parse::parse_reported(body.as_bytes()).unwrap(),
        if_version,
        limits: TwinLimits::CLASSIC,
        now: UnixMs(6),
    })))
}

fn stored(rig: &Rig, name: &str) -> Option<Twin> {
    records::twin(&*rig.store, GROUP, &identity(name)).unwrap()
}

fn modules(rig: &Rig, device: &str) -> Vec<String> {
    let modules = records::modules(&*rig.store, GROUP, &id(device)).unwrap();
    modules.into_iter().map(|module| module.id.to_string()).collect()
}

#[track_caller]
fn changed(outcome: Outcome) -> TwinChange {
    match outcome {
        Outcome::Twin(change) => *change,
        other => panic!("{other:?}"),
    }
}

#[test]
fn a_twin_is_stored_as_the_rules_make_it() {
    let mut rig = Rig::new();
    rig.apply(&[create_device("d"), create_module("d", "m")]);
    for name in ["d", "d/m"] {
        assert_eq!(stored(&rig, name), None);
        let body = r#"{"tags":{"t":[null,{"n":null}]},
            "properties":{"desired":{"a":{"b":1.0,"c":-0,"d":4503599627370495},"x":null}}}"#;
        let change = changed(rig.apply_one(patch(name, body)));
        assert_eq!(stored(&rig, name), Some(change.twin));
        let change = changed(rig.apply_one(report(name, r#"{"r":{"e":1e-7}}"#, Some(1))));
        let twin = stored(&rig, name).unwrap();
        assert_eq!(twin, change.twin);
        assert_eq!(
            twin.device_view(),
            r#"{"desired":{"$version":2,"a":{"b":1.0,"c":-0.0,"d":4503599627370495}},"reported":{"$version":2,"r":{"e":1e-7}}}"#
                .as_bytes()
        );
        let see = Command::SeeDesired { identity: identity(name), version: 2 };
        assert_eq!(rig.apply_one(commands::encode(&see)), Outcome::Done);
        assert_eq!(stored(&rig, name).unwrap(), Twin { desired_seen: 2, ..twin });
    }
}

#[test]
fn preconditions_survive_the_log() {
    let mut rig = Rig::new();
    rig.apply_one(create_device("d"));
    let tags = || TwinUpdate::parse_replace(br#"{"tags":{"a":1}}"#).unwrap();
    let stale =
        |current: &str| Outcome::Refused(HubError::PreconditionFailed { current: current.into() });
    assert_eq!(rig.apply_one(update("d", tags(), "\"x\"")), stale("AAAAAAAAAAE="));
    assert_eq!(rig.apply_one(update("d", tags(), "")), stale("AAAAAAAAAAE="));
    assert_eq!(rig.apply_one(report("d", "{}", Some(2))), stale("1"));
    assert_eq!(stored(&rig, "d"), None);
    changed(rig.apply_one(update("d", tags(), "\"x\", \"AAAAAAAAAAE=\"")));
    let outcome = rig.apply_one(report("d", &format!(r#"{{"a":"{}"}}"#, "x".repeat(4096)), None));
    changed(outcome);
    let too_much = report("d", &format!(r#"{{"b":"{}"}}"#, "x".repeat(4096)), None);
    let outcome = rig.apply_one(too_much);
    assert!(
        matches!(&outcome, Outcome::Refused(HubError::InvalidArgument(why)) if why.contains("8192")),
        "the limits are the command's: {outcome:?}"
    );
}

#[test]
fn an_identity_with_its_twin_survives_the_command_and_the_store() {
    let twin = r#""tags":{"t":1},"properties":{"desired":{"a":1e-7},"reported":{"r":null,"s":2}}"#;
    for (name, item) in [
        ("d", format!(r#"{{"id":"d","importMode":"create",{twin}}}"#)),
        ("d/m", format!(r#"{{"id":"d","moduleId":"m",{twin}}}"#)),
    ] {
        let mut rig = Rig::new();
        let operation = ImportItem::parse(item.as_bytes()).unwrap().operation;
        let (identity, twin) = match operation {
            RegistryOperation::PutDevice { mode, request, twin } => {
                (IdentityPut::Device(PutDevice { mode, request, fresh: fresh(3) }), twin)
            }
            RegistryOperation::PutModule { mode, request, twin } => {
                rig.apply_one(create_device("d"));
                (IdentityPut::Module(PutModule { mode, request, fresh: fresh(3) }), twin)
            }
            other => panic!("{other:?}"),
        };
        let put = PutWithTwin { identity, twin: twin.unwrap(), limits: TwinLimits::CLASSIC };
        let applied = match rig.apply_one(commands::encode(&Command::PutWithTwin(Box::new(put)))) {
            Outcome::DeviceWithTwin(device, change) => {
                let found = records::device(&*rig.store, GROUP, &id("d")).unwrap();
                assert_eq!(found, Some(*device));
                change
            }
            Outcome::ModuleWithTwin(module, change) => {
                let found = records::module(&*rig.store, GROUP, &id("d"), &module.id).unwrap();
                assert_eq!(found, Some(*module));
                change
            }
            other => panic!("{other:?}"),
        };
        let twin = stored(&rig, name).unwrap();
        assert_eq!(twin, applied.twin);
        let view = r#"{"desired":{"$version":2,"a":1e-7},"reported":{"$version":2,"s":2}}"#;
        assert_eq!(twin.device_view(), view.as_bytes());
    }
}

#[test]
fn every_field_of_a_module_survives_the_command_and_the_store() {
    let key = "MDEyMzQ1Njc4OWFiY2RlZg==".to_owned();
    let keys = SymmetricKeys { primary: key.clone(), secondary: key };
    let thumbprints = Thumbprints { primary: Some("0a".repeat(20)), secondary: None };
    for (request, expected) in [
        (AuthenticationRequest::Sas(keys.clone()), Authentication::Sas(keys)),
        (AuthenticationRequest::default(), Authentication::Sas(fresh(7).keys)),
        (
            AuthenticationRequest::SelfSigned(thumbprints.clone()),
            Authentication::SelfSigned(thumbprints),
        ),
        (AuthenticationRequest::CertificateAuthority, Authentication::CertificateAuthority),
        (AuthenticationRequest::None, Authentication::None),
    ] {
        let mut rig = Rig::new();
        let request = ModuleRequest {
            authentication: request,
            managed_by: Some("edge".into()),
            ..module_request("d", "m")
        };
        let outcomes = rig.apply(&[create_device("d"), put_module(PutMode::Create, request, 7)]);
        let expected = ModuleIdentity {
            device: id("d"),
            id: module_id("m"),
            generation: "generation7".into(),
            etag: "etag7".into(),
            authentication: expected,
            managed_by: Some("edge".into()),
            created: UnixMs(7),
        };
        assert_eq!(outcomes[1], Outcome::Module(Box::new(expected.clone())));
        let found = records::module(&*rig.store, GROUP, &id("d"), &module_id("m")).unwrap();
        assert_eq!(found, Some(expected));
    }
}

#[test]
fn modules_are_those_of_the_device_and_of_nobody_with_a_similar_name() {
    let mut rig = Rig::new();
    for device in ["d", "d1", "d-", "c"] {
        rig.apply_one(create_device(device));
        rig.apply(&[create_module(device, "m2"), create_module(device, "m1")]);
    }
    rig.apply_one(create_module("d", "$edgeHub"));
    assert_eq!(modules(&rig, "d"), ["$edgeHub", "m1", "m2"]);
    let delete = |if_match: &str| {
        let (device, module) = (id("d"), module_id("m1"));
        let precondition = IfMatch::parse(if_match);
        commands::encode(&Command::DeleteModule { device, module, precondition })
    };
    let stale = Outcome::Refused(HubError::PreconditionFailed { current: "etag2".into() });
    assert_eq!(rig.apply_one(delete("\"etag1\"")), stale);
    assert_eq!(rig.apply_one(delete("\"etag2\"")), Outcome::Deleted);
    assert_eq!(modules(&rig, "d"), ["$edgeHub", "m2"]);
    for device in ["d1", "d-", "c"] {
        assert_eq!(modules(&rig, device), ["m1", "m2"], "{device}");
    }
    assert!(modules(&rig, "e").is_empty());
}

#[test]
fn commands_of_one_entry_see_the_modules_and_twins_of_each_other() {
    let mut rig = Rig::new();
    let precondition = IfMatch::Any;
    let delete = commands::encode(&Command::DeleteDevice { id: id("d"), precondition });
    rig.apply(&[create_device("d"), create_module("d", "old"), report("d/old", "{}", None)]);
    rig.apply(&[create_device("d2"), create_module("d2", "m"), report("d2/m", "{}", None)]);
    let digest = |rig: &Rig| (stored(rig, "d2/m"), modules(rig, "d2"));
    let of_others = digest(&rig);
    let outcomes = rig.apply(&[
        create_module("d", "new"),
        patch("d/new", r#"{"tags":{"a":1}}"#),
        patch("d", r#"{"tags":{"a":1}}"#),
        patch("d", r#"{"tags":{"b":1}}"#),
        delete,
        patch("d/new", r#"{"tags":{"a":1}}"#),
        create_device("d"),
        create_module("d", "new"),
    ]);
    assert_eq!(changed(outcomes[3].clone()).twin.version, 4);
    assert_eq!(outcomes[4], Outcome::Deleted);
    assert_eq!(outcomes[5], Outcome::Refused(HubError::DeviceNotFound("d".into())));
    assert_eq!(modules(&rig, "d"), ["new"]);
    for name in ["d", "d/new", "d/old"] {
        assert_eq!(stored(&rig, name), None, "{name} is another one now");
    }
    assert_eq!(digest(&rig), of_others);
}

#[test]
fn authorities_are_in_the_system_partition() {
    let store = Arc::new(MemoryStore::new());
    let mut machine = PartitionMachine::new(records::SYSTEM, Watermarks::new(0));
    assert!(records::authorities(&*store).unwrap().is_empty());
    let authority = |name: &str| Authority {
        name: name.into(),
        certificate: Bytes::from_static(b"\x30\x00der"),
        subject: "CN=test, O=x".into(),
        thumbprint: "AB".repeat(20),
        expires: UnixMs(9),
        verified: true,
        etag: format!("etag-{name}"),
        created: UnixMs(1),
        updated: UnixMs(2),
    };
    let put = |name: &str| Command::PutAuthority {
        authority: Box::new(authority(name)),
        precondition: IfMatch::Any,
    };
    let delete = |name: &str, if_match: &str| Command::DeleteAuthority {
        name: name.into(),
        precondition: IfMatch::parse(if_match),
    };
    let commands: Vec<_> =
        [put("one"), put("two"), delete("ONE", "\"x\""), delete("ONE", "\"etag-one\"")]
            .iter()
            .map(commands::encode)
            .collect();
    let context = ApplyContext { group: records::SYSTEM, index: 1, term: 1 };
    let mut tx = StateTx::new(&*store, records::SYSTEM);
    let outcomes = machine.apply(context, &commands, &mut tx).unwrap();
    assert_eq!(outcomes[1], Outcome::Authority(Box::new(authority("two"))));
    let stale = HubError::PreconditionFailed { current: "etag-one".into() };
    assert_eq!(outcomes[2..], [Outcome::Refused(stale), Outcome::Deleted]);
    store.write(&tx.into_changes()).unwrap();
    assert_eq!(records::authorities(&*store).unwrap(), [authority("two")]);
}

#[test]
fn a_command_of_these_kinds_that_cannot_be_read_is_refused_and_changes_nothing() {
    let mut rig = Rig::new();
    rig.apply(&[create_device("d"), create_module("d", "m"), report("d", "{}", None)]);
    let digest = rig.digest();
    // Their limits come late, and without them they say too little.
    let whole = [
        patch("d", r#"{"tags":{"a":1},"properties":{"desired":{"a":1}}}"#),
        report("d", r#"{"a":1}"#, None),
    ];
    for command in whole {
        for end in 1..16 {
            let outcome = rig.apply_one(command.slice(..end));
            assert!(matches!(outcome, Outcome::Refused(_)), "{:?} {outcome:?}", &command[..end]);
        }
    }
    for kind in [0x14, 0x15, 0x20, 0x21, 0x22, 0x40, 0x41] {
        for rest in [&b""[..], b"\xff", b"\x0a\x02"] {
            let outcome = rig.apply_one([&[kind], rest].concat().into());
            assert!(matches!(outcome, Outcome::Refused(_)), "{kind:#x} {rest:?} {outcome:?}");
        }
    }
    assert_eq!(rig.digest(), digest);
}

#[test]
fn a_twin_comes_back_as_it_was_stored() {
    let levels = |n: usize| format!("{{\"k\":{}1{}}}", "{\"k\":".repeat(n), "}".repeat(n));
    for section in [
        "{}".to_owned(),
        r#"{"a":{},"b":[],"c":"","d":[null,{"e":null,"f":{}}]}"#.into(),
        r#"{"a":true,"b":false,"c":"\u0000\n\"\\/\u00e4\ud83d\ude00"}"#.into(),
        r#"{"a":4503599627370495,"b":-4503599627370496,"c":0,"d":-0}"#.into(),
        r#"{"a":1.0,"b":0.1,"c":1e300,"d":5e-324,"e":1.7976931348623157e308,"f":123456.789e-3}"#
            .into(),
        r#"{"a":0.30000000000000004,"b":9007199254740993.0,"c":2.2250738585072011e-308}"#.into(),
        levels(10),
    ] {
        let body = format!(r#"{{"tags":{section},"properties":{{"desired":{{"in":1}}}}}}"#);
        let mut twin = Twin::new(UnixMs(1));
        for body in [&body, &format!(r#"{{"properties":{{"desired":{section}}}}}"#)] {
            let update = TwinUpdate::parse_patch(body.as_bytes()).unwrap();
            let limits = TwinLimits::DEFAULT;
            twin = twin.update(update, &IfMatch::Any, &limits, UnixMs(2)).unwrap().twin;
        }
        let patch = parse::parse_reported(section.as_bytes()).unwrap();
        let change = twin.patch_reported(patch, None, &TwinLimits::DEFAULT, UnixMs(3));
        let twin = change.unwrap().twin;
        let bytes = encode::twin::encode(&twin);
        let again = encode::twin::decode(&bytes).unwrap();
        assert_eq!(again, twin, "{section}");
        assert_eq!(encode::twin::encode(&again), bytes, "to the byte: replicas compare");
    }
}
