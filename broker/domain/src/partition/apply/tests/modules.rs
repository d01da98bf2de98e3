use super::*;
use crate::auth::SymmetricKeys;
use crate::device::{Authentication, ModuleIdentity};
use crate::ids::{IdentityId, ModuleId};
use crate::limits::{MANAGED_BY_CHARS_MAX, MODULES_MAX};
use crate::registry::{
    AuthenticationRequest, DeviceRequest, Fresh, ModuleRequest, PutMode, PutModule,
};

pub(super) fn device(text: &str) -> DeviceId {
    DeviceId::new(text).unwrap()
}

pub(super) fn module(text: &str) -> ModuleId {
    ModuleId::new(text).unwrap()
}

fn fresh(n: u64) -> Fresh {
    Fresh {
        generation: format!("generation{n}"),
        etag: format!("etag{n}"),
        keys: SymmetricKeys { primary: format!("p{n}"), secondary: format!("s{n}") },
        now: UnixMs(n),
    }
}

pub(super) fn put_device(id: &str, n: u64) -> Command {
    let request = DeviceRequest::new(device(id));
    let mode = PutMode::CreateOrUpdate(IfMatch::Any);
    Command::PutDevice(Box::new(PutDevice { mode, request, fresh: fresh(n) }))
}

fn request(device_id: &str, id: &str) -> ModuleRequest {
    ModuleRequest {
        device: device(device_id),
        id: module(id),
        authentication: AuthenticationRequest::default(),
        managed_by: None,
    }
}

fn put(mode: PutMode, request: ModuleRequest, n: u64) -> Command {
    Command::PutModule(Box::new(PutModule { mode, request, fresh: fresh(n) }))
}

pub(super) fn create(device_id: &str, id: &str, n: u64) -> Command {
    put(PutMode::Create, request(device_id, id), n)
}

fn delete(device_id: &str, id: &str, if_match: &str) -> Command {
    let (device, module) = (device(device_id), module(id));
    Command::DeleteModule { device, module, precondition: IfMatch::parse(if_match) }
}

#[track_caller]
fn made(outcome: Outcome) -> ModuleIdentity {
    match outcome {
        Outcome::Module(module) => *module,
        other => panic!("{other:?}"),
    }
}

/// A device `d` with a module `m` of `etag1`.
fn records() -> Memory {
    let mut records = Memory::default();
    run(put_device("d", 1), &mut records);
    made(run(create("d", "m", 1), &mut records));
    records
}

#[test]
fn a_module_that_says_nothing_gets_keys_of_the_hub_and_keeps_them() {
    let mut records = records();
    let first = records.module(&device("d"), &module("m")).unwrap().unwrap();
    assert_eq!(
        first,
        ModuleIdentity {
            device: device("d"),
            id: module("m"),
            generation: "generation1".into(),
            etag: "etag1".into(),
            authentication: Authentication::Sas(fresh(1).keys),
            managed_by: None,
            created: UnixMs(1),
        }
    );
    let managed = ModuleRequest { managed_by: Some("edge".into()), ..request("d", "m") };
    let updated = made(run(put(PutMode::Update(IfMatch::Any), managed, 2), &mut records));
    let expected =
        ModuleIdentity { etag: "etag2".into(), managed_by: Some("edge".into()), ..first };
    assert_eq!(updated, expected);
    run(delete("d", "m", "*"), &mut records);
    assert_eq!(made(run(create("d", "m", 3), &mut records)).generation, "generation3");
}

#[test]
fn every_mode_meets_every_state() {
    let missing_device = Outcome::Refused(HubError::DeviceNotFound("x".into()));
    let missing = Outcome::Refused(HubError::ModuleNotFound("d/n".into()));
    let conflict = Outcome::Refused(HubError::ModuleAlreadyExists("d/m".into()));
    let stale = Outcome::Refused(HubError::PreconditionFailed { current: "etag1".into() });
    let tag = IfMatch::parse;
    for (mode, device_id, id, refused) in [
        (PutMode::Create, "d", "n", None),
        (PutMode::Create, "d", "m", Some(&conflict)),
        (PutMode::Create, "x", "m", Some(&missing_device)),
        (PutMode::Update(tag("*")), "d", "m", None),
        (PutMode::Update(tag("\"etag1\"")), "d", "m", None),
        (PutMode::Update(tag("\"etag0\"")), "d", "m", Some(&stale)),
        (PutMode::Update(tag("*")), "d", "n", Some(&missing)),
        (PutMode::Update(tag("*")), "x", "m", Some(&missing_device)),
        (PutMode::CreateOrUpdate(tag("*")), "d", "n", None),
        (PutMode::CreateOrUpdate(tag("*")), "d", "m", None),
        (PutMode::CreateOrUpdate(tag("etag0")), "d", "m", Some(&stale)),
        (PutMode::CreateOrUpdate(tag("*")), "x", "m", Some(&missing_device)),
    ] {
        let mut records = records();
        let before = records.modules.clone();
        let outcome = run(put(mode.clone(), request(device_id, id), 2), &mut records);
        match refused {
            Some(refused) => {
                assert_eq!(&outcome, refused, "{mode:?} {device_id}/{id}");
                assert_eq!(records.modules, before);
            }
            None => assert_eq!(made(outcome).etag, "etag2", "{mode:?} {device_id}/{id}"),
        }
    }
    for (device_id, id, if_match, expected) in [
        ("d", "m", "*", &Outcome::Deleted),
        ("d", "m", "\"etag1\"", &Outcome::Deleted),
        ("d", "m", "\"etag0\"", &stale),
        ("d", "n", "*", &missing),
        ("x", "m", "*", &missing_device),
    ] {
        let mut records = records();
        let outcome = run(delete(device_id, id, if_match), &mut records);
        assert_eq!(&outcome, expected, "{device_id}/{id} {if_match}");
        assert_eq!(records.modules.is_empty(), outcome == Outcome::Deleted);
    }
}

#[test]
fn a_device_has_so_many_modules_and_no_more() {
    let mut records = records();
    for n in 1..MODULES_MAX {
        made(run(create("d", &format!("m{n}"), 2), &mut records));
    }
    let full = Outcome::Refused(HubError::TooManyModules { max: MODULES_MAX });
    assert_eq!(run(create("d", "one-more", 2), &mut records), full);
    made(run(put(PutMode::Update(IfMatch::Any), request("d", "m1"), 3), &mut records));
    run(put_device("d2", 1), &mut records);
    made(run(create("d2", "m", 2), &mut records));
    assert_eq!(run(delete("d", "m1", "*"), &mut records), Outcome::Deleted);
    made(run(create("d", "one-more", 2), &mut records));
}

#[test]
fn fields_keep_the_rules_of_devices() {
    for (request, allowed) in [
        (
            ModuleRequest {
                managed_by: Some("n".repeat(MANAGED_BY_CHARS_MAX)),
                ..request("d", "n")
            },
            true,
        ),
        (
            ModuleRequest {
                managed_by: Some("n".repeat(MANAGED_BY_CHARS_MAX + 1)),
                ..request("d", "n")
            },
            false,
        ),
        (
            ModuleRequest {
                authentication: AuthenticationRequest::Sas(SymmetricKeys {
                    primary: "short".into(),
                    secondary: String::new(),
                }),
                ..request("d", "n")
            },
            false,
        ),
        (
            ModuleRequest {
                authentication: AuthenticationRequest::CertificateAuthority,
                ..request("d", "n")
            },
            true,
        ),
    ] {
        let outcome = run(put(PutMode::Create, request.clone(), 2), &mut records());
        let refused = matches!(outcome, Outcome::Refused(HubError::InvalidArgument(_)));
        assert_eq!(refused, !allowed, "{request:?} {outcome:?}");
    }
}

#[test]
fn a_deleted_device_leaves_nothing_of_itself_and_nobody_else_anything() {
    let mut records = records();
    run(put_device("d2", 1), &mut records);
    run(create("d2", "m", 1), &mut records);
    for text in ["d", "d2"] {
        for identity in
            [IdentityId::device(device(text)), IdentityId::module(device(text), module("m"))]
        {
            run(super::twins::report(identity, r#"{"a":1}"#), &mut records);
        }
    }
    assert_eq!(records.twins.len(), 4);
    let precondition = IfMatch::Any;
    let outcome = run(Command::DeleteDevice { id: device("d"), precondition }, &mut records);
    assert_eq!(outcome, Outcome::Deleted);
    let of_d2 = |identity: &IdentityId| identity.device == device("d2");
    assert!(records.twins.len() == 2 && records.twins.keys().all(of_d2));
    assert!(records.modules.len() == 1 && records.modules.keys().all(of_d2));
    run(delete("d2", "m", "*"), &mut records);
    assert!(records.twins.keys().eq([&IdentityId::device(device("d2"))]));
}
