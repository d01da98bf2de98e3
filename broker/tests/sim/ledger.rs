//! What an onlooker knows of one group's devices, and what of it must be stored.

use std::collections::BTreeMap;
use std::ops::AddAssign;

use ironhub_cluster::GroupId;
use ironhub_cluster::storage::{StateTx, StorageError};
use ironhub_domain::HubError;
use ironhub_domain::device::StoredSession;
use ironhub_domain::ids::DeviceId;
use ironhub_domain::notice::{FeedbackStatus, NoticeKind};
use ironhub_domain::partition::{Command, Outcome};
use ironhub_proto as proto;
use prost::Message;

use crate::queue_ledger::{Feedback, QueueLedger};
use crate::twin_ledger::TwinLedger;

/// One registered device.
pub struct DeviceLedger {
    pub enabled: bool,
    pub generation: String,
    pub queue: QueueLedger,
    pub twin: TwinLedger,
    session: Option<StoredSession>,
}

/// One group, as all its committed commands leave it.
#[derive(Default)]
pub struct Ledger {
    pub devices: BTreeMap<DeviceId, DeviceLedger>,
    /// Feedback that no service has completed, with whose it is.
    pub feedback: BTreeMap<u64, (DeviceId, Feedback)>,
    last_feedback: u64,
    pub coverage: Coverage,
}

/// How often the runs came to what they are to prove.
#[derive(Clone, Copy, Debug, Default)]
pub struct Coverage {
    pub full: u64,
    pub delivered: u64,
    pub lock_lost: u64,
    pub feedback: u64,
    pub expired: u64,
    pub exceeded: u64,
    pub stale_etag: u64,
    pub disabled: u64,
    pub sent_again: u64,
}

impl Coverage {
    /// Whether every one of these was seen.
    pub fn all_happened(&self) -> bool {
        let Self {
            full,
            delivered,
            lock_lost,
            feedback,
            expired,
            exceeded,
            stale_etag,
            disabled,
            sent_again,
        } = *self;
        let messages = [full, delivered, lock_lost, feedback, expired, exceeded, sent_again];
        messages.into_iter().chain([stale_etag, disabled]).all(|count| count > 0)
    }
}

impl AddAssign for Coverage {
    fn add_assign(&mut self, other: Self) {
        self.full += other.full;
        self.delivered += other.delivered;
        self.lock_lost += other.lock_lost;
        self.feedback += other.feedback;
        self.expired += other.expired;
        self.exceeded += other.exceeded;
        self.stale_etag += other.stale_etag;
        self.disabled += other.disabled;
        self.sent_again += other.sent_again;
    }
}

/// The device that a command is about.
pub fn device_of(command: &Command) -> Option<&DeviceId> {
    match command {
        Command::PutDevice(put) => Some(&put.request.id),
        Command::DeleteDevice { id, .. } => Some(id),
        Command::EnqueueC2d(enqueue) => Some(&enqueue.identity.device),
        Command::UpdateTwin(update) => Some(&update.identity.device),
        Command::PatchReported(patch) => Some(&patch.identity.device),
        Command::LockC2d { identity, .. }
        | Command::SettleC2d { identity, .. }
        | Command::ReleaseC2d { identity, .. }
        | Command::SweepC2d { identity, .. }
        | Command::PurgeC2d { identity, .. }
        | Command::PutSession { identity, .. } => Some(&identity.device),
        _ => None,
    }
}

impl Ledger {
    /// Checks the answer to the next committed command.
    pub fn saw(&mut self, command: &Command, outcome: &Outcome) -> Result<(), String> {
        self.count(outcome);
        let Some(id) = device_of(command) else {
            if let Command::DropNotices { kind: NoticeKind::Feedback, sequences } = command {
                self.feedback.retain(|sequence, _| !sequences.contains(sequence));
            }
            return Ok(());
        };
        match (command, self.devices.get_mut(id)) {
            (Command::PutDevice(put), known) => {
                let Outcome::Device(identity) = outcome else {
                    return Err(format!("a put was answered {outcome:?}"));
                };
                match known {
                    Some(known) if known.generation == identity.generation => {
                        known.enabled = identity.is_enabled();
                    }
                    Some(known) => {
                        let generation = &known.generation;
                        return Err(format!("generation {generation} became {identity:?}"));
                    }
                    None => {
                        let new = DeviceLedger {
                            enabled: identity.is_enabled(),
                            generation: identity.generation.clone(),
                            queue: QueueLedger::default(),
                            twin: TwinLedger::new(put.fresh.now),
                            session: None,
                        };
                        self.devices.insert(id.clone(), new);
                    }
                }
                Ok(())
            }
            (Command::DeleteDevice { .. }, Some(_)) => {
                self.devices.remove(id);
                self.feedback.retain(|_, (whose, _)| whose != id);
                expect(outcome, &Outcome::Deleted)
            }
            // A queue that is not there has nothing to release; a session nobody has is forgotten.
            (
                Command::ReleaseC2d { .. } | Command::SweepC2d { .. } | Command::PurgeC2d { .. },
                None,
            ) => expect(outcome, &Outcome::Affected(0)),
            (Command::PutSession { session: None, .. }, None) => expect(outcome, &Outcome::Done),
            (_, None) => {
                expect(outcome, &Outcome::Refused(HubError::DeviceNotFound(id.to_string())))
            }
            (
                Command::LockC2d { .. }
                | Command::SettleC2d { .. }
                | Command::PatchReported(_)
                | Command::PutSession { session: Some(_), .. },
                Some(device),
            ) if !device.enabled => {
                expect(outcome, &Outcome::Refused(HubError::DeviceDisabled(id.to_string())))
            }
            (Command::PutSession { session, .. }, Some(device)) => {
                device.session.clone_from(session);
                if session.is_none() {
                    device.queue.forget_sent();
                }
                expect(outcome, &Outcome::Done)
            }
            (Command::UpdateTwin(update), Some(device)) => device.twin.updated(update, outcome),
            (Command::PatchReported(patch), Some(device)) => device.twin.reported(patch, outcome),
            (command, Some(device)) => {
                let feedback = device.queue.saw(command, outcome)?;
                for feedback in feedback {
                    self.coverage.feedback += 1;
                    self.coverage.expired += u64::from(feedback.1 == FeedbackStatus::Expired);
                    self.coverage.exceeded +=
                        u64::from(feedback.1 == FeedbackStatus::DeliveryCountExceeded);
                    self.last_feedback += 1;
                    self.feedback.insert(self.last_feedback, (id.clone(), feedback));
                }
                Ok(())
            }
        }
    }

    fn count(&mut self, outcome: &Outcome) {
        let counter = match outcome {
            Outcome::Locked(deliveries) => {
                self.coverage.delivered += deliveries.len() as u64;
                let again = deliveries.iter().filter(|delivery| delivery.sent_before);
                self.coverage.sent_again += again.count() as u64;
                return;
            }
            Outcome::Refused(HubError::QueueFull { .. }) => &mut self.coverage.full,
            Outcome::Refused(HubError::LockLost) => &mut self.coverage.lock_lost,
            Outcome::Refused(HubError::PreconditionFailed { .. }) => &mut self.coverage.stale_etag,
            Outcome::Refused(HubError::DeviceDisabled(_)) => &mut self.coverage.disabled,
            _ => return,
        };
        *counter += 1;
    }

    /// Compares what is known of a device, and of feedback, with what an entry leaves.
    pub fn check(&self, group: GroupId, id: &DeviceId, tx: &StateTx<'_>) -> Result<(), String> {
        let stored = Stored { group, tx };
        let queue: proto::C2dQueueRecord = stored.of_device(0x30, id)?.unwrap_or_default();
        let session: Option<proto::SessionRecord> = stored.of_device(0x33, id)?;
        let filters = session.map(|session| session.subscriptions.len());
        match self.devices.get(id) {
            None if !queue.entries.is_empty() || filters.is_some() => {
                return Err(format!("{id} is gone, {queue:?} and {filters:?} are not"));
            }
            None => {}
            Some(device) => {
                device.queue.check(&queue).map_err(|error| format!("{id}: {error}"))?;
                let known = device.session.as_ref().map(|session| session.subscriptions.len());
                if known != filters {
                    return Err(format!("{id}: session {known:?}, stored {filters:?}"));
                }
                if let Some(twin) = stored.of_device(0x20, id)? {
                    device.twin.check(&twin).map_err(|error| format!("{id}: {error}"))?;
                }
            }
        }
        self.check_feedback(&stored)
    }

    /// The newest are looked at: the older ones were, when they were new.
    fn check_feedback(&self, stored: &Stored<'_, '_>) -> Result<(), String> {
        const LOOK_AT: usize = 60;
        let counters: proto::NoticeCountersRecord = stored.get(&[0x35, 1])?.unwrap_or_default();
        if counters.count != self.feedback.len() as u64 {
            let (known, stored) = (self.feedback.len(), counters.count);
            return Err(format!("{known} feedback records are due, {stored} are stored"));
        }
        for (sequence, (id, (message, status))) in self.feedback.iter().rev().take(LOOK_AT) {
            let key = [&[0x36, 1][..], &sequence.to_be_bytes()].concat();
            let record: Option<proto::NoticeRecord> = stored.get(&key)?;
            let found = record.and_then(|record| record.notice);
            let Some(proto::notice_record::Notice::Feedback(found)) = found else {
                return Err(format!("feedback {sequence} on {message} of {id} is lost"));
            };
            let word = found.status().as_str_name().replace('_', "").to_lowercase();
            let expected = format!("feedbackstatus{}", status.as_str().to_lowercase());
            if found.original_message_id != *message || word != expected {
                return Err(format!("{message} ended as {status:?}, its feedback says {found:?}"));
            }
        }
        Ok(())
    }
}

/// Records by the bytes of their keys: group, kind, rest.
struct Stored<'t, 's> {
    group: GroupId,
    tx: &'t StateTx<'s>,
}

impl Stored<'_, '_> {
    fn get<M: Message + Default>(&self, rest: &[u8]) -> Result<Option<M>, String> {
        let key = [&self.group.0.to_be_bytes()[..], rest].concat();
        let value = self.tx.get(&key).map_err(|error: StorageError| error.to_string())?;
        value.map(|value| M::decode(&value[..]).map_err(|error| error.to_string())).transpose()
    }

    fn of_device<M: Message + Default>(
        &self,
        kind: u8,
        id: &DeviceId,
    ) -> Result<Option<M>, String> {
        self.get(&[&[kind], id.as_str().as_bytes(), &[0]].concat())
    }
}

fn expect(outcome: &Outcome, expected: &Outcome) -> Result<(), String> {
    if outcome == expected {
        return Ok(());
    }
    Err(format!("answered {outcome:?}, not {expected:?}"))
}
