//! From a committed command to changed records and an outcome.

use crate::HubError;
use crate::auth::PolicySet;
use crate::ids::DeviceId;
use crate::limits::{CONSUMER_GROUPS_MAX, POLICIES_MAX};
use crate::partition::command::{Command, Outcome};
use crate::partition::event_log::TrimMark;
use crate::partition::hub::{ConsumerGroup, DEFAULT_CONSUMER_GROUP, HubInfo};
use crate::partition::records::Records;
use crate::registry::{self, IfMatch, PutDevice};

/// Applies one command. Deterministic: it reads nothing but its arguments. An error means that the records cannot be
/// read; a command that breaks a rule is an outcome.
pub fn apply<R: Records + ?Sized>(command: Command, records: &mut R) -> Result<Outcome, R::Error> {
    match command {
        Command::PutDevice(put) => put_device(&put, records),
        Command::DeleteDevice { id, precondition } => delete_device(&id, &precondition, records),
        Command::TrimEvents(mark) => Ok(trim_events(mark, records)),
        Command::PutHub(hub) => put_hub(&hub, records),
        Command::PutPolicies(policies) => put_policies(&policies, records),
        Command::PutConsumerGroup(group) => put_consumer_group(group, records),
        Command::DeleteConsumerGroup(name) => delete_consumer_group(&name, records),
        // Twins, modules, authorities.
        Command::PutAuthority { .. }
        | Command::DeleteAuthority { .. }
        | Command::PutModule(_)
        | Command::DeleteModule { .. }
        | Command::UpdateTwin(_)
        | Command::PatchReported(_)
        | Command::SeeDesired { .. } => Ok(refuse("not built yet".into())),
        // C2D, sessions, uploads, notices.
        Command::EnqueueC2d(_)
        | Command::LockC2d { .. }
        | Command::SettleC2d { .. }
        | Command::ReleaseC2d { .. }
        | Command::SweepC2d { .. }
        | Command::PurgeC2d { .. }
        | Command::PutSession { .. }
        | Command::OpenUpload { .. }
        | Command::CloseUpload { .. }
        | Command::DropNotices { .. } => Ok(refuse("not built yet".into())),
    }
}

fn put_device<R: Records + ?Sized>(put: &PutDevice, records: &mut R) -> Result<Outcome, R::Error> {
    let existing = records.device(&put.request.id)?;
    Ok(match registry::put(existing.as_ref(), put) {
        Ok(device) => {
            records.put_device(&device);
            Outcome::Device(Box::new(device))
        }
        Err(refusal) => Outcome::Refused(refusal),
    })
}

fn delete_device<R: Records + ?Sized>(
    id: &DeviceId,
    precondition: &IfMatch,
    records: &mut R,
) -> Result<Outcome, R::Error> {
    let existing = records.device(id)?;
    Ok(match registry::delete(existing.as_ref(), id, precondition) {
        Ok(()) => {
            records.delete_device(id);
            Outcome::Deleted
        }
        Err(refusal) => Outcome::Refused(refusal),
    })
}

fn trim_events<R: Records + ?Sized>(mark: TrimMark, records: &mut R) -> Outcome {
    let from = records.event_log().first_sequence;
    if records.event_log().trim(mark) {
        records.drop_events(from, mark.sequence);
    }
    Outcome::Done
}

fn put_hub<R: Records + ?Sized>(hub: &HubInfo, records: &mut R) -> Result<Outcome, R::Error> {
    if records.hub()?.is_none() {
        records.put_hub(hub);
    }
    Ok(Outcome::Done)
}

fn put_policies<R: Records + ?Sized>(
    policies: &PolicySet,
    records: &mut R,
) -> Result<Outcome, R::Error> {
    if policies.iter().count() > POLICIES_MAX {
        return Ok(refuse(format!("more than {POLICIES_MAX} shared access policies")));
    }
    if records.policies()?.is_none() {
        records.put_policies(policies);
    }
    Ok(Outcome::Done)
}

fn put_consumer_group<R: Records + ?Sized>(
    group: ConsumerGroup,
    records: &mut R,
) -> Result<Outcome, R::Error> {
    let mut groups = records.consumer_groups()?;
    if group.is_named(DEFAULT_CONSUMER_GROUP) || groups.iter().any(|g| g.is_named(&group.name)) {
        return Ok(Outcome::Done);
    }
    if let Err(refusal) = group.validate() {
        return Ok(Outcome::Refused(refusal));
    }
    // `$Default` is one of them and in no record.
    if groups.len() + 1 >= CONSUMER_GROUPS_MAX {
        return Ok(refuse(format!("more than {CONSUMER_GROUPS_MAX} consumer groups")));
    }
    groups.push(group);
    records.put_consumer_groups(&groups);
    Ok(Outcome::Done)
}

fn delete_consumer_group<R: Records + ?Sized>(
    name: &str,
    records: &mut R,
) -> Result<Outcome, R::Error> {
    let mut groups = records.consumer_groups()?;
    let before = groups.len();
    groups.retain(|group| !group.is_named(name));
    if groups.len() == before {
        return Ok(refuse(format!("no consumer group {name:?} that could be deleted")));
    }
    records.put_consumer_groups(&groups);
    Ok(Outcome::Done)
}

fn refuse(why: String) -> Outcome {
    Outcome::Refused(HubError::InvalidArgument(why))
}

#[cfg(test)]
mod tests {
    use std::convert::Infallible;

    use super::*;
    use crate::auth::{Authority, PolicySet};
    use crate::c2d::{C2dMessage, Queue};
    use crate::device::{DeviceIdentity, ModuleIdentity, StoredSession};
    use crate::ids::{IdentityId, ModuleId};
    use crate::notice::{Notice, NoticeKind};
    use crate::partition::event_log::EventLog;
    use crate::time::UnixMs;
    use crate::twin::Twin;
    use crate::upload::UploadTicket;

    /// The system partition's records, in memory.
    #[derive(Default)]
    struct Memory {
        log: EventLog,
        hub: Option<HubInfo>,
        policies: Option<PolicySet>,
        groups: Vec<ConsumerGroup>,
    }

    impl Records for Memory {
        type Error = Infallible;

        fn event_log(&mut self) -> &mut EventLog {
            &mut self.log
        }
        fn drop_events(&mut self, _: u64, _: u64) {}
        fn device(&self, _: &DeviceId) -> Result<Option<DeviceIdentity>, Infallible> {
            Ok(None)
        }
        fn put_device(&mut self, _: &DeviceIdentity) {}
        fn delete_device(&mut self, _: &DeviceId) {}
        fn hub(&self) -> Result<Option<HubInfo>, Infallible> {
            Ok(self.hub.clone())
        }
        fn put_hub(&mut self, hub: &HubInfo) {
            self.hub = Some(hub.clone());
        }
        fn policies(&self) -> Result<Option<PolicySet>, Infallible> {
            Ok(self.policies.clone())
        }
        fn put_policies(&mut self, policies: &PolicySet) {
            self.policies = Some(policies.clone());
        }
        fn consumer_groups(&self) -> Result<Vec<ConsumerGroup>, Infallible> {
            Ok(self.groups.clone())
        }
        fn put_consumer_groups(&mut self, groups: &[ConsumerGroup]) {
            self.groups = groups.to_vec();
        }

        // Twins, modules, authorities.

        fn authorities(&self) -> Result<Vec<Authority>, Infallible> {
            Ok(Vec::new())
        }

        fn put_authorities(&mut self, _: &[Authority]) {}

        fn module(&self, _: &DeviceId, _: &ModuleId) -> Result<Option<ModuleIdentity>, Infallible> {
            Ok(None)
        }

        fn modules(&self, _: &DeviceId) -> Result<Vec<ModuleIdentity>, Infallible> {
            Ok(Vec::new())
        }

        fn put_module(&mut self, _: &ModuleIdentity) {}

        fn delete_module(&mut self, _: &DeviceId, _: &ModuleId) {}

        fn twin(&self, _: &IdentityId) -> Result<Option<Twin>, Infallible> {
            Ok(None)
        }

        fn put_twin(&mut self, _: &IdentityId, _: &Twin) {}

        fn delete_twin(&mut self, _: &IdentityId) {}

        // C2D, sessions, uploads, notices.

        fn c2d_queue(&self, _: &IdentityId) -> Result<Option<Queue>, Infallible> {
            Ok(None)
        }

        fn put_c2d_queue(&mut self, _: &IdentityId, _: &Queue) -> Result<(), Infallible> {
            Ok(())
        }

        fn delete_c2d_queue(&mut self, _: &IdentityId) -> Result<(), Infallible> {
            Ok(())
        }

        fn c2d_message(&self, _: &IdentityId, _: u64) -> Result<Option<C2dMessage>, Infallible> {
            Ok(None)
        }

        fn put_c2d_message(&mut self, _: &IdentityId, _: u64, _: &C2dMessage) {}

        fn delete_c2d_message(&mut self, _: &IdentityId, _: u64) {}

        fn session(&self, _: &IdentityId) -> Result<Option<StoredSession>, Infallible> {
            Ok(None)
        }

        fn put_session(&mut self, _: &IdentityId, _: &StoredSession) {}

        fn delete_session(&mut self, _: &IdentityId) {}

        fn uploads(&self, _: &DeviceId) -> Result<Vec<UploadTicket>, Infallible> {
            Ok(Vec::new())
        }

        fn put_uploads(&mut self, _: &DeviceId, _: &[UploadTicket]) {}

        fn push_notice(&mut self, _: &Notice) -> Result<(), Infallible> {
            Ok(())
        }

        fn drop_notices(&mut self, _: NoticeKind, _: &[u64]) -> Result<(), Infallible> {
            Ok(())
        }

        fn drop_feedback_of(&mut self, _: &DeviceId) -> Result<(), Infallible> {
            Ok(())
        }
    }

    fn run(command: Command, records: &mut Memory) -> Outcome {
        let Ok(outcome) = apply(command, records);
        outcome
    }

    #[test]
    fn what_the_hub_is_and_its_first_policies_are_written_once() {
        let mut records = Memory::default();
        let hub = |name: &str| HubInfo {
            name: name.into(),
            entity: "events".into(),
            partitions: 4,
            created: UnixMs(1),
        };
        for name in ["first", "second"] {
            assert_eq!(run(Command::PutHub(hub(name)), &mut records), Outcome::Done);
            let policies = PolicySet::defaults(|| name.to_owned());
            assert_eq!(run(Command::PutPolicies(policies), &mut records), Outcome::Done);
        }
        assert_eq!(records.hub, Some(hub("first")));
        assert_eq!(records.policies, Some(PolicySet::defaults(|| "first".to_owned())));
    }

    #[test]
    fn consumer_groups_have_names_without_case_and_a_bound() {
        let mut records = Memory::default();
        let group = |name: &str| ConsumerGroup { name: name.into(), created: UnixMs(1) };
        let put = |name: &str| Command::PutConsumerGroup(group(name));
        for name in ["One", "one", "$default", "two-2._"] {
            assert_eq!(run(put(name), &mut records), Outcome::Done, "{name}");
        }
        assert_eq!(records.groups, [group("One"), group("two-2._")]);
        for name in ["", "$x", "-a", "a/b", &"n".repeat(51)] {
            assert!(matches!(run(put(name), &mut records), Outcome::Refused(_)), "{name}");
        }
        let delete = |name: &str| Command::DeleteConsumerGroup(name.into());
        assert_eq!(run(delete("ONE"), &mut records), Outcome::Done);
        for name in ["ONE", "$Default"] {
            assert!(matches!(run(delete(name), &mut records), Outcome::Refused(_)), "{name}");
        }
        for n in records.groups.len() + 1..CONSUMER_GROUPS_MAX {
            assert_eq!(run(put(&format!("g{n}")), &mut records), Outcome::Done, "{n}");
        }
        assert!(matches!(run(put("one-more"), &mut records), Outcome::Refused(_)));
    }
}
