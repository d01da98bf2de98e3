//! The hub's machine with an onlooker at its side, and with mistakes that the onlooker must notice.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::sync::Arc;

use bytes::Bytes;
use ironhub::partition::{PartitionMachine, commands};
use ironhub_cluster::storage::{StateStore, StateTx, StorageError};
use ironhub_cluster::{ApplyContext, GroupId, StateMachine};
use ironhub_domain::HubError;
use ironhub_domain::ids::IdentityId;
use ironhub_domain::notice::NoticeKind;
use ironhub_domain::partition::{Command, Outcome};
use ironhub_proto as proto;
use parking_lot::Mutex;
use prost::Message;

use crate::ledger::{Ledger, identity_of};
use crate::stored;

/// A mistake that can be switched on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mistake {
    /// A message is accepted when fifty are live.
    FiftyFirst,
    /// Whoever asks gets messages that a session holds.
    LockedTwice,
    /// A service's change of a twin counts twice.
    VersionSkipped,
    /// A device's change of its twin is answered and not stored.
    ReportLost,
    /// What a settled message's sender asked to hear is not written.
    FeedbackLost,
    /// Services are not told of a file that is stored.
    FileLost,
    /// A session that was taken over is still listened to.
    NotFenced,
}

/// All that was applied, by any replica, and what was sent.
#[derive(Default)]
pub struct History {
    pub groups: BTreeMap<GroupId, GroupHistory>,
    /// Every command that was ever made.
    pub sent: HashMap<Bytes, Command>,
    /// The first thing that was wrong.
    pub broken: Option<String>,
}

/// One group's committed entries.
#[derive(Default)]
pub struct GroupHistory {
    entries: BTreeMap<u64, Vec<Outcome>>,
    pub ledger: Ledger,
    /// What became of each command that was committed.
    pub effects: HashMap<Bytes, Vec<Effect>>,
}

/// One command's committed effect.
pub struct Effect {
    pub outcome: Outcome,
    /// The generation of its device or module, if that was there then.
    pub generation: Option<String>,
}

impl History {
    /// The first replica to apply an entry teaches the onlooker; the others must come to the same answers.
    fn applied(
        &mut self,
        context: ApplyContext,
        bytes: &[Bytes],
        outcomes: &[Outcome],
        tx: &StateTx<'_>,
    ) -> Result<(), String> {
        let ApplyContext { group, index, .. } = context;
        let history = self.groups.entry(group).or_default();
        if let Some(known) = history.entries.get(&index) {
            return if known == outcomes {
                Ok(())
            } else {
                Err(format!("entry {index} gave {known:?}, now {outcomes:?}"))
            };
        }
        if let Some((last, _)) = history.entries.last_key_value()
            && *last > index
        {
            return Err(format!("entry {index} is new though {last} was applied"));
        }
        history.entries.insert(index, outcomes.to_vec());
        let mut touched = BTreeSet::new();
        for (bytes, outcome) in bytes.iter().zip(outcomes) {
            let command = self.sent.get(bytes).ok_or("a command that nobody sent")?;
            history
                .ledger
                .saw(command, outcome)
                .map_err(|error| format!("entry {index}, {command:?}: {error}"))?;
            let id = identity_of(command);
            let registered = id.as_ref().and_then(|id| history.ledger.identities.get(id));
            let generation = registered.map(|registered| registered.generation.clone());
            let effect = Effect { outcome: outcome.clone(), generation };
            history.effects.entry(bytes.clone()).or_default().push(effect);
            touched.extend(id.map(|id| id.device));
        }
        for device in touched {
            let checked = history.ledger.check(group, &device, tx);
            checked.map_err(|error| format!("after entry {index}: {error}"))?;
        }
        Ok(())
    }
}

/// A replica.
pub struct Audited {
    pub machine: PartitionMachine,
    pub history: Arc<Mutex<History>>,
    pub mistake: Option<Mistake>,
}

impl StateMachine for Audited {
    type Outcome = Outcome;

    fn apply(
        &mut self,
        context: ApplyContext,
        bytes: &[Bytes],
        tx: &mut StateTx<'_>,
    ) -> Result<Vec<Outcome>, StorageError> {
        let outcomes = match self.mistake {
            Some(mistake) => {
                let mut outcomes = Vec::with_capacity(bytes.len());
                for command in bytes {
                    outcomes.push(self.apply_badly(mistake, context, command, tx)?);
                }
                outcomes
            }
            None => self.machine.apply(context, bytes, tx)?,
        };
        let mut history = self.history.lock();
        if let Err(error) = history.applied(context, bytes, &outcomes, tx) {
            let group = context.group.0;
            history.broken.get_or_insert(format!("group {group}: {error}"));
        }
        Ok(outcomes)
    }

    fn committed(&mut self) {
        self.machine.committed();
    }

    fn reload(&mut self, group: GroupId, store: &dyn StateStore) -> Result<(), StorageError> {
        self.machine.reload(group, store)
    }
}

impl Audited {
    fn one(
        &mut self,
        context: ApplyContext,
        command: &Bytes,
        tx: &mut StateTx<'_>,
    ) -> Result<Outcome, StorageError> {
        let outcomes = self.machine.apply(context, std::slice::from_ref(command), tx)?;
        outcomes.into_iter().next().ok_or_else(|| StorageError::Damaged("no outcome".into()))
    }

    /// Applies a command and drops the notice that it made, if it made one.
    fn without_notice(
        &mut self,
        kind: NoticeKind,
        number: u8,
        context: ApplyContext,
        bytes: &Bytes,
        tx: &mut StateTx<'_>,
    ) -> Result<Outcome, StorageError> {
        let newest = |tx: &StateTx<'_>| -> Result<u64, StorageError> {
            let key = [&context.group.0.to_be_bytes()[..], &[0x35, number]].concat();
            let record = tx.get(&key)?.unwrap_or_default();
            let record = proto::NoticeCountersRecord::decode(&record[..]);
            Ok(record.map_or(0, |counters| counters.next_sequence.saturating_sub(1)))
        };
        let before = newest(tx)?;
        let outcome = self.one(context, bytes, tx)?;
        let after = newest(tx)?;
        if after > before {
            let drop = commands::encode(&Command::DropNotices { kind, sequences: vec![after] });
            self.one(context, &drop, tx)?;
        }
        Ok(outcome)
    }

    fn apply_badly(
        &mut self,
        mistake: Mistake,
        context: ApplyContext,
        bytes: &Bytes,
        tx: &mut StateTx<'_>,
    ) -> Result<Outcome, StorageError> {
        let command = self.history.lock().sent.get(bytes).cloned();
        match (mistake, command) {
            (Mistake::LockedTwice, Some(Command::LockC2d { identity, now, .. })) => {
                let release = commands::encode(&Command::ReleaseC2d { identity, now });
                self.one(context, &release, tx)?;
                self.one(context, bytes, tx)
            }
            (Mistake::VersionSkipped, Some(Command::UpdateTwin(_))) => {
                let outcome = self.one(context, bytes, tx)?;
                self.one(context, bytes, tx)?;
                Ok(outcome)
            }
            (Mistake::ReportLost, Some(Command::PatchReported(patch))) => {
                let key = key(context.group, 0x20, &patch.identity);
                let before = tx.get(&key)?;
                let outcome = self.one(context, bytes, tx)?;
                if let Some(before) = before {
                    tx.put(key, before);
                }
                Ok(outcome)
            }
            (Mistake::FeedbackLost, Some(Command::SettleC2d { .. })) => {
                self.without_notice(NoticeKind::Feedback, 1, context, bytes, tx)
            }
            (Mistake::FileLost, Some(Command::CloseUpload { .. })) => {
                self.without_notice(NoticeKind::FileUpload, 2, context, bytes, tx)
            }
            (Mistake::FiftyFirst, Some(Command::EnqueueC2d(enqueue))) => {
                let outcome = self.one(context, bytes, tx)?;
                if !matches!(outcome, Outcome::Refused(HubError::QueueFull { .. })) {
                    return Ok(outcome);
                }
                // Hide one message, and show it again afterwards.
                let key = key(context.group, 0x30, &enqueue.identity);
                let mut hidden = None;
                change_queue(&key, tx, |queue| hidden = Some(queue.entries.remove(0)))?;
                let outcome = self.one(context, bytes, tx)?;
                change_queue(&key, tx, |queue| queue.entries.splice(0..0, hidden).for_each(drop))?;
                Ok(outcome)
            }
            (_, _) => self.one(context, bytes, tx),
        }
    }
}

fn key(group: GroupId, kind: u8, identity: &IdentityId) -> Vec<u8> {
    [&group.0.to_be_bytes()[..], &stored::key(kind, identity)].concat()
}

fn change_queue(
    key: &[u8],
    tx: &mut StateTx<'_>,
    change: impl FnOnce(&mut proto::C2dQueueRecord),
) -> Result<(), StorageError> {
    let record = tx.get(key)?.unwrap_or_default();
    let mut queue = proto::C2dQueueRecord::decode(&record[..])
        .map_err(|error| StorageError::Damaged(error.to_string()))?;
    change(&mut queue);
    tx.put(key.to_vec(), queue.encode_to_vec());
    Ok(())
}
