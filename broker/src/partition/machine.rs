//! What a partition replicates: the hub's side of the replication seam.
//!
//! Batches of events take the short way: numbered from their header, copied into the entry's row, never decoded. Everything
//! else is decoded and goes through the rules in `ironhub_domain::partition`.

use std::collections::BTreeMap;
use std::ops::ControlFlow;

use bytes::Bytes;
use ironhub_cluster::storage::{Area, StateStore, StateTx, StorageError};
use ironhub_cluster::{ApplyContext, GroupId, StateMachine};
use ironhub_domain::HubError;
use ironhub_domain::partition::{Appended, EventLog, Outcome, Stream, apply};

use super::row::RowBuilder;
use super::transaction::Transaction;
use super::watermark::Watermarks;
use super::{commands, encode, keys};

/// The counters of a partition's event logs, as the newest applied entry leaves them. Most hubs have the built-in one only.
#[derive(Clone, Default, PartialEq)]
pub(super) struct Logs {
    built_in: EventLog,
    others: BTreeMap<Stream, EventLog>,
}

impl Logs {
    pub(super) fn get_mut(&mut self, stream: Stream) -> &mut EventLog {
        match stream {
            Stream::BUILT_IN => &mut self.built_in,
            other => self.others.entry(other).or_default(),
        }
    }

    pub(super) fn remove(&mut self, stream: Stream) {
        self.others.remove(&stream);
    }

    fn get(&self, stream: Stream) -> Option<&EventLog> {
        match stream {
            Stream::BUILT_IN => Some(&self.built_in),
            other => self.others.get(&other),
        }
    }

    fn iter(&self) -> impl Iterator<Item = (Stream, &EventLog)> {
        let others = self.others.iter().map(|(stream, log)| (*stream, log));
        std::iter::once((Stream::BUILT_IN, &self.built_in)).chain(others)
    }
}

/// The rows that an entry adds: one for each log that it writes to.
#[derive(Default)]
struct Rows(Vec<(Stream, RowBuilder)>);

impl Rows {
    fn push(
        &mut self,
        stream: Stream,
        appended: &Appended,
        count: u32,
        payload: &[u8],
        bytes_expected: usize,
    ) {
        let row = match self.0.iter().position(|(known, _)| *known == stream) {
            Some(at) => &mut self.0[at].1,
            None => {
                self.0.push((stream, RowBuilder::new(appended, bytes_expected)));
                let last = self.0.len() - 1;
                &mut self.0[last].1
            }
        };
        row.push(appended, count, payload);
    }
}

/// One group's state machine on this node.
pub struct PartitionMachine {
    group: GroupId,
    logs: Logs,
    watermarks: Watermarks,
}

impl PartitionMachine {
    /// A machine that has read nothing yet; the engine reloads it before it applies.
    pub fn new(group: GroupId, watermarks: Watermarks) -> Self {
        Self { group, logs: Logs::default(), watermarks }
    }

    fn append(
        &mut self,
        stream: Stream,
        command: &[u8],
        rows: &mut Rows,
        bytes_expected: usize,
    ) -> Outcome {
        let Some((append, payload)) = commands::split_append(command) else {
            return Outcome::Refused(HubError::Internal("a batch of events without header".into()));
        };
        match self.logs.get_mut(stream).append(append) {
            Ok(appended) => {
                rows.push(stream, &appended, append.count, payload, bytes_expected);
                Outcome::Events(appended)
            }
            Err(refusal) => Outcome::Refused(refusal),
        }
    }

    fn change(&mut self, command: &[u8], tx: &mut StateTx<'_>) -> Result<Outcome, StorageError> {
        match encode::command::decode(command) {
            Ok(command) => {
                apply(command, &mut Transaction { group: self.group, logs: &mut self.logs, tx })
            }
            Err(unreadable) => Ok(Outcome::Refused(unreadable)),
        }
    }

    /// A change comes first; of one that is refused there is nothing to tell. Its outcome is the bundle's.
    fn bundle(
        &mut self,
        command: &[u8],
        rows: &mut Rows,
        tx: &mut StateTx<'_>,
    ) -> Result<Outcome, StorageError> {
        let Some((change, batches)) = commands::split_bundle(command) else {
            let torn = HubError::Internal("a bundle of events that is torn".into());
            return Ok(Outcome::Refused(torn));
        };
        let mut outcome = None;
        if !change.is_empty() {
            let changed = self.change(change, tx)?;
            if matches!(changed, Outcome::Refused(_)) {
                return Ok(changed);
            }
            outcome = Some(changed);
        }
        for (stream, batch) in batches {
            let appended = self.append(stream, batch, rows, batch.len());
            outcome.get_or_insert(appended);
        }
        Ok(outcome.unwrap_or(Outcome::Done))
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
        let before = self.logs.clone();
        let mut rows = Rows::default();
        let mut outcomes = Vec::with_capacity(commands.len());
        let entry_bytes = || commands.iter().map(Bytes::len).sum();
        for command in commands {
            outcomes.push(if commands::is_append(command) {
                let expected = if rows.0.is_empty() { entry_bytes() } else { 0 };
                self.append(Stream::BUILT_IN, command, &mut rows, expected)
            } else if commands::is_bundle(command) {
                self.bundle(command, &mut rows, tx)?
            } else {
                self.change(command, tx)?
            });
        }
        for (stream, row) in rows.0 {
            let (first_sequence, value) = row.finish();
            tx.put_event(keys::event_row(self.group, stream, first_sequence), value);
        }
        for (stream, log) in self.logs.iter() {
            if before.get(stream) != Some(log) {
                let key = keys::event_log(self.group, stream);
                tx.put(key, encode::hub::encode_event_log(log));
            }
        }
        Ok(outcomes)
    }

    fn committed(&mut self) {
        for (stream, log) in self.logs.iter() {
            self.watermarks.publish(self.group, stream, *log);
        }
    }

    fn reload(&mut self, group: GroupId, store: &dyn StateStore) -> Result<(), StorageError> {
        self.group = group;
        self.logs = Logs::default();
        let (from, to) = keys::event_logs(group);
        let mut read = Vec::new();
        store.scan(Area::Records, &from, &to, &mut |key, record| {
            read.push((keys::event_log_stream(key), encode::hub::decode_event_log(record)));
            ControlFlow::Continue(())
        })?;
        for (stream, log) in read {
            let wrong = || encode::damaged("event counters", "a key of another length");
            *self.logs.get_mut(stream.ok_or_else(wrong)?) = log?;
        }
        self.committed();
        Ok(())
    }
}
