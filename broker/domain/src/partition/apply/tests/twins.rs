use super::modules::{create, device, module, put_device};
use super::*;
use crate::device::DeviceStatus;
use crate::ids::IdentityId;
use crate::limits::TwinLimits;
use crate::partition::command::{PatchReported, UpdateTwin};
use crate::twin::{Object, Twin, TwinChange, TwinUpdate};

fn object(json: &str) -> Object {
    crate::twin::parse::parse_reported(json.as_bytes()).unwrap()
}

pub(super) fn report(identity: IdentityId, patch: &str) -> Command {
    report_if(identity, patch, None)
}

fn report_if(identity: IdentityId, patch: &str, if_version: Option<u64>) -> Command {
    let (patch, limits) = (object(patch), TwinLimits::DEFAULT);
    let now = UnixMs(9);
    Command::PatchReported(Box::new(PatchReported { identity, patch, if_version, limits, now }))
}

fn update(identity: IdentityId, body: &str, if_match: &str) -> Command {
    let update = TwinUpdate::parse_patch(body.as_bytes()).unwrap();
    let (precondition, limits) = (IfMatch::parse(if_match), TwinLimits::DEFAULT);
    let now = UnixMs(9);
    Command::UpdateTwin(Box::new(UpdateTwin {
        identity,
        update,
        assigned: None,
        precondition,
        limits,
        now,
    }))
}

fn see(identity: IdentityId, version: u64) -> Command {
    Command::SeeDesired { identity, version }
}

#[track_caller]
fn changed(outcome: Outcome) -> TwinChange {
    match outcome {
        Outcome::Twin(change) => *change,
        other => panic!("{other:?}"),
    }
}

const DESIRED: &str = r#"{"properties":{"desired":{"a":1}}}"#;

fn the_device() -> IdentityId {
    IdentityId::device(device("d"))
}

fn its_module() -> IdentityId {
    IdentityId::module(device("d"), module("m"))
}

fn records() -> Memory {
    let mut records = Memory::default();
    run(put_device("d", 3), &mut records);
    run(create("d", "m", 4), &mut records);
    records
}

#[test]
fn a_first_change_makes_the_twin_and_it_is_as_old_as_its_identity() {
    for (identity, created) in [(the_device(), UnixMs(3)), (its_module(), UnixMs(4))] {
        let mut records = records();
        let change = changed(run(update(identity.clone(), DESIRED, "*"), &mut records));
        assert_eq!(change.twin.desired.version, 2);
        assert_eq!(change.notice.map(|notice| notice.version), Some(2));
        assert_eq!(change.twin.reported, Twin::new(created).reported);
        assert_eq!(records.twins, [(identity, change.twin)].into());
    }
}

#[test]
fn a_device_and_its_modules_have_twins_of_their_own() {
    let mut records = records();
    changed(run(report(the_device(), r#"{"a":1}"#), &mut records));
    changed(run(report(the_device(), r#"{"b":1}"#), &mut records));
    let change = changed(run(report(its_module(), r#"{"c":1}"#), &mut records));
    assert_eq!((change.twin.reported.version, change.notice), (2, None));
    assert_eq!(change.twin.reported.values, object(r#"{"c":1}"#));
    assert_eq!(records.twins[&the_device()].reported.values, object(r#"{"a":1,"b":1}"#));
}

#[test]
fn nobody_changes_the_twin_of_somebody_who_is_not_there() {
    let stranger = IdentityId::device(device("x"));
    let strangers = IdentityId::module(device("x"), module("m"));
    let unknown = IdentityId::module(device("d"), module("x"));
    let no_device = HubError::DeviceNotFound("x".into());
    for (identity, missing) in [
        (stranger, no_device.clone()),
        (strangers, no_device),
        (unknown, HubError::ModuleNotFound("d/x".into())),
    ] {
        let mut records = records();
        let refused = Outcome::Refused(missing);
        assert_eq!(run(update(identity.clone(), DESIRED, "*"), &mut records), refused);
        assert_eq!(run(report(identity.clone(), "{}"), &mut records), refused);
        assert_eq!(run(see(identity, 7), &mut records), Outcome::Done);
        assert!(records.twins.is_empty());
    }
}

#[test]
fn a_disabled_device_reports_nothing_and_services_may_change_its_twin() {
    let mut records = records();
    let mut disabled = records.devices[&device("d")].clone();
    disabled.status = DeviceStatus::Disabled;
    records.put_device(&disabled);
    for identity in [the_device(), its_module()] {
        let refused = Outcome::Refused(HubError::DeviceDisabled("d".into()));
        assert_eq!(run(report(identity.clone(), "{}"), &mut records), refused);
        changed(run(update(identity, DESIRED, "*"), &mut records));
    }
}

#[test]
fn what_is_refused_or_changes_nothing_is_not_stored() {
    let mut records = records();
    changed(run(report(the_device(), "{}"), &mut records));
    let before = records.twins.clone();
    let stale = |current: &str| HubError::PreconditionFailed { current: current.into() };
    for (command, refused) in [
        (update(the_device(), DESIRED, "\"AAAAAAAAAAI=\""), Some(stale("AAAAAAAAAAE="))),
        (report_if(the_device(), r#"{"a":1}"#, Some(1)), Some(stale("2"))),
        (update(the_device(), "{}", "*"), None),
        (see(the_device(), 1), None),
    ] {
        let outcome = run(command, &mut records);
        assert_eq!(matches!(outcome, Outcome::Refused(_)), refused.is_some());
        if let Some(refused) = refused {
            assert_eq!(outcome, Outcome::Refused(refused));
        }
        assert_eq!(records.twins, before);
    }
    changed(run(report_if(the_device(), r#"{"a":1}"#, Some(2)), &mut records));
    changed(run(update(the_device(), DESIRED, "\"AAAAAAAAAAE=\""), &mut records));
}

#[test]
fn what_was_seen_only_grows() {
    let mut records = records();
    for _ in 0..3 {
        changed(run(update(the_device(), DESIRED, "*"), &mut records));
    }
    for (version, seen) in [(2, 2), (1, 2), (0, 2), (3, 3), (2, 3), (100, 4), (4, 4)] {
        assert_eq!(run(see(the_device(), version), &mut records), Outcome::Done);
        assert_eq!(records.twins[&the_device()].desired_seen, seen, "{version}");
    }
    let after = changed(run(update(the_device(), DESIRED, "*"), &mut records));
    assert_eq!(after.twin.missed().map(|notice| notice.version), Some(5));
}
