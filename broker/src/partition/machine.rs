//! What a partition replicates: the hub's side of the replication seam.
//!
//! Batches of events take the short way: numbered from their header, copied into the entry's row, never decoded. Everything
//! else is decoded and goes through the rules in `ironhub_domain::partition`.

use bytes::Bytes;
use ironhub_cluster::storage::{Area, StateStore, StateTx, StorageError};
use ironhub_cluster::{ApplyContext, GroupId, StateMachine};
use ironhub_domain::HubError;
use ironhub_domain::partition::{EventLog, Outcome, apply};

use super::row::RowBuilder;
use super::transaction::Transaction;
use super::watermark::Watermarks;
use super::{commands, encode, keys};

/// One group's state machine on this node.
pub struct PartitionMachine {
    group: GroupId,
    /// The stored record of the same name, as the newest applied entry leaves it.
    log: EventLog,
    watermarks: Watermarks,
}

impl PartitionMachine {
    /// A machine that has read nothing yet; the engine reloads it before it applies.
    pub fn new(group: GroupId, watermarks: Watermarks) -> Self {
        Self { group, log: EventLog::default(), watermarks }
    }

    fn append(&mut self, entry: &[Bytes], command: &[u8], row: &mut Option<RowBuilder>) -> Outcome {
        let Some((append, payload)) = commands::split_append(command) else {
            return Outcome::Refused(HubError::Internal("a batch of events without header".into()));
        };
        match self.log.append(append) {
            Ok(appended) => {
                row.get_or_insert_with(|| {
                    RowBuilder::new(&appended, entry.iter().map(Bytes::len).sum())
                })
                .push(&appended, append.count, payload);
                Outcome::Events(appended)
            }
            Err(refusal) => Outcome::Refused(refusal),
        }
    }

    fn change(&mut self, command: &[u8], tx: &mut StateTx<'_>) -> Result<Outcome, StorageError> {
        match encode::command::decode(command) {
            Ok(command) => {
                apply(command, &mut Transaction { group: self.group, log: &mut self.log, tx })
            }
            Err(unreadable) => Ok(Outcome::Refused(unreadable)),
        }
    }
}

impl StateMachine for PartitionMachine {
    type Outcome = Outcome;

    fn apply(
        &mut self,
        _: ApplyContext,
        commands: &[Bytes],
        tx: &mut StateTx<'_>,
    ) -> Result<Vec<Outcome>, StorageError> {
        let before = self.log;
        let mut row = None;
        let mut outcomes = Vec::with_capacity(commands.len());
        for command in commands {
            outcomes.push(if commands::is_append(command) {
                self.append(commands, command, &mut row)
            } else {
                self.change(command, tx)?
            });
        }
        if let Some(row) = row {
            let (first_sequence, value) = row.finish();
            tx.put_event(keys::event_row(self.group, first_sequence), value);
        }
        if self.log != before {
            tx.put(keys::event_log(self.group), encode::hub::encode_event_log(&self.log));
        }
        Ok(outcomes)
    }

    fn committed(&mut self) {
        self.watermarks.publish(self.group, self.log);
    }

    fn reload(&mut self, group: GroupId, store: &dyn StateStore) -> Result<(), StorageError> {
        self.group = group;
        self.log = match store.get(Area::Records, &keys::event_log(group))? {
            Some(record) => encode::hub::decode_event_log(&record)?,
            None => EventLog::default(),
        };
        self.watermarks.publish(group, self.log);
        Ok(())
    }
}
