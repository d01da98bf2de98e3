//! From a committed command to changed records and an outcome.

mod authorities;
mod begun;
mod c2d;
mod documents;
mod indexes;
mod jobs;
mod modules;
mod policies;
mod presence;
mod put_with_twin;
mod streams;
#[cfg(test)]
mod tests;
mod twins;

use crate::HubError;
use crate::auth::PolicySet;
use crate::ids::DeviceId;
use crate::limits::{CONSUMER_GROUPS_MAX, POLICIES_MAX};
use crate::partition::command::{Command, Outcome};
use crate::partition::hub::{ConsumerGroup, DEFAULT_CONSUMER_GROUP, HubInfo};
use crate::partition::records::Records;
use crate::registry::{self, IfMatch, PutDevice};

/// Applies one command. Deterministic: it reads nothing but its arguments. An error means that the records cannot be
/// read; a command that breaks a rule is an outcome.
pub fn apply<R: Records + ?Sized>(command: Command, records: &mut R) -> Result<Outcome, R::Error> {
    match command {
        Command::PutDevice(put) => put_device(&put, records),
        Command::PutWithTwin(put) => put_with_twin::put(*put, records),
        Command::DeleteDevice { id, precondition } => delete_device(&id, &precondition, records),
        Command::TrimEvents(mark) => Ok(streams::trim(mark, records)),
        Command::ForgetStream(stream) => Ok(streams::forget(stream, records)),
        Command::MoveCursor { stream, sequence } => streams::move_cursor(stream, sequence, records),
        Command::PutHub(hub) => put_hub(&hub, records),
        Command::PutPolicies(policies) => put_policies(&policies, records),
        Command::PutPolicy { policy, before } => policies::put(policy, before.as_ref(), records),
        Command::DeletePolicy(name) => policies::delete(&name, records),
        Command::PutDocument { kind, document, mode } => {
            documents::put(kind, document, &mode, records)
        }
        Command::DeleteDocument { kind, id, precondition } => {
            documents::delete(kind, &id, &precondition, records)
        }
        Command::NotePresence { identity, presence } => {
            presence::note(&identity, &presence, records)
        }
        Command::SetIndexedTags(paths) => indexes::set_indexed_tags(&paths, records),
        Command::PutConsumerGroup(group) => put_consumer_group(group, records),
        Command::DeleteConsumerGroup(name) => delete_consumer_group(&name, records),
        // Twins, modules, authorities.
        Command::PutAuthority { authority, precondition } => {
            authorities::put(*authority, &precondition, records)
        }
        Command::DeleteAuthority { name, precondition } => {
            authorities::delete(&name, &precondition, records)
        }
        Command::PutModule(put) => modules::put(&put, records),
        Command::DeleteModule { device, module, precondition } => {
            modules::delete(&device, &module, &precondition, records)
        }
        Command::UpdateTwin(update) => twins::update(*update, records),
        Command::PatchReported(patch) => twins::patch_reported(*patch, records),
        Command::SeeDesired { identity, version } => {
            twins::see_desired(&identity, version, records)
        }
        Command::Job(command) => jobs::apply(command, records),
        // C2D, sessions, uploads, notices.
        Command::EnqueueC2d(enqueue) => c2d::enqueue(&enqueue, records),
        Command::LockC2d { identity, tokens, holder, now } => {
            c2d::lock(&identity, &tokens, holder, now, records)
        }
        Command::SettleC2d { identity, lock, settlement, deliveries_max, now } => {
            c2d::settle(&identity, lock, settlement, deliveries_max, now, records)
        }
        Command::ReleaseC2d { identity, now } => {
            c2d::tend(&identity, now, records, |queue| queue.release(now))
        }
        Command::SweepC2d { identity, now } => {
            c2d::tend(&identity, now, records, |queue| queue.sweep(now))
        }
        Command::PurgeC2d { identity, now } => {
            c2d::tend(&identity, now, records, |queue| (0, queue.purge()))
        }
        Command::PutSession { identity, session } => {
            begun::put_session(&identity, session.as_ref(), records)
        }
        Command::OpenUpload { device, ticket, now } => begun::open(&device, ticket, now, records),
        Command::CloseUpload { device, correlation_id, result, notify, now } => {
            begun::close(&device, &correlation_id, result, notify, now, records)
        }
        Command::DropNotices { kind, sequences } => {
            records.drop_notices(kind, &sequences)?;
            Ok(Outcome::Done)
        }
    }
}

fn put_device<R: Records + ?Sized>(put: &PutDevice, records: &mut R) -> Result<Outcome, R::Error> {
    let existing = records.device(&put.request.id)?;
    Ok(match registry::put(existing.as_ref(), put) {
        Ok(device) => {
            records.put_device(&device)?;
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
            records.delete_device(id)?;
            modules::forget_device(id, records)?;
            Outcome::Deleted
        }
        Err(refusal) => Outcome::Refused(refusal),
    })
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
