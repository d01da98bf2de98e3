use bytes::Bytes;

use super::*;
use crate::ids::DeviceId;
use crate::method::MethodAnswer;

fn row(body: &str) -> DeviceJob {
    let job = job(body, 1);
    let device = DeviceId::new("d1").unwrap().into();
    DeviceJob::new(job.id.clone(), job.action.job_type(), device, UnixMs(1))
}

fn answer() -> MethodAnswer {
    MethodAnswer { status: 201, payload: Bytes::from_static(b"{\"ok\":true}") }
}

/// A row brought into each state that it can have.
fn in_state(status: DeviceJobStatus) -> DeviceJob {
    let mut row = row(METHOD);
    let changed = match status {
        DeviceJobStatus::Pending => true,
        DeviceJobStatus::Scheduled => {
            row.status = status;
            true
        }
        DeviceJobStatus::Running => row.start(UnixMs(2)),
        DeviceJobStatus::Completed => row.finish(Ok(Some(answer())), UnixMs(3)),
        DeviceJobStatus::Failed => {
            row.finish(Err(DeviceJobError::new(&HubError::DeviceWentAway)), UnixMs(3))
        }
        DeviceJobStatus::Canceled => row.cancel(UnixMs(3)),
    };
    assert!(changed && row.status == status, "{row:?}");
    row
}

#[test]
fn every_change_meets_every_state() {
    use DeviceJobStatus::{Canceled, Completed, Failed, Pending, Running, Scheduled};
    type Change = fn(&mut DeviceJob) -> bool;
    let start: Change = |row| row.start(UnixMs(9));
    let succeed: Change = |row| row.finish(Ok(None), UnixMs(9));
    let fail: Change = |row| row.finish(Err(DeviceJobError::new(&HubError::Busy)), UnixMs(9));
    let cancel: Change = |row| row.cancel(UnixMs(9));
    let expire: Change = |row| row.expire(UnixMs(9));
    let resume: Change = |row| row.resume(UnixMs(9));
    for (name, change, pending, running) in [
        ("start", start, Running, Running),
        ("succeed", succeed, Completed, Completed),
        ("fail", fail, Failed, Failed),
        ("cancel", cancel, Canceled, Running),
        ("expire", expire, Failed, Failed),
        ("resume", resume, Pending, Failed),
    ] {
        for (from, to) in [
            (Pending, pending),
            (Scheduled, if pending == Pending { Scheduled } else { pending }),
            (Running, running),
            (Completed, Completed),
            (Failed, Failed),
            (Canceled, Canceled),
        ] {
            let before = in_state(from);
            let mut after = before.clone();
            let changed = change(&mut after);
            assert_eq!(after.status, to, "{name} of {from:?}");
            assert_eq!(changed, after != before, "{name} of {from:?}");
            if changed {
                assert_eq!(after.updated, UnixMs(9), "{name} of {from:?}");
                assert_eq!(after.end.is_some(), to.is_final(), "{name} of {from:?}");
                assert_eq!(after.error.is_some(), to == Failed, "{name} of {from:?}");
            }
        }
    }
}

#[test]
fn after_a_restart_a_twin_is_tried_again_and_a_method_is_not() {
    let mut twin = row(TWIN);
    assert!(twin.start(UnixMs(2)) && twin.resume(UnixMs(3)));
    assert_eq!(twin.status, DeviceJobStatus::Pending);
    let mut method = in_state(DeviceJobStatus::Running);
    assert!(method.resume(UnixMs(3)));
    assert_eq!(method.error.unwrap().code, "OutcomeUnknown");
}

#[test]
fn a_row_tells_the_error_without_what_is_the_operators() {
    let mut failed = row(METHOD);
    assert!(
        failed.finish(Err(DeviceJobError::new(&HubError::DeviceNotFound("d1".into()))), UnixMs(2))
    );
    let error = failed.error.unwrap();
    assert_eq!((error.code.as_str(), error.description.contains("d1")), ("DeviceNotFound", true));
    let hidden = DeviceJobError::new(&HubError::Internal("/secret".into()));
    assert_eq!(hidden.description, "internal error");
}
