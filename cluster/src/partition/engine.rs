//! All groups of a node: inputs go in, [`poll`](Engine::poll) says what to do.
//!
//! The engine has no thread, clock, socket or random source. Whoever drives it calls [`tick`](Engine::tick) every
//! [`TICK`](super::limits::TICK), carries out each [`Output`] and reports back.
//!
//! One log write is under way at a time. While it is, commands gather; when it returns, each group's commands become one
//! log entry and one write carries all groups. A lone command on an idle engine therefore goes out at once.

use std::collections::HashMap;
use std::sync::Arc;

use bytes::Bytes;

use super::config::EngineConfig;
use super::defect::Defect;
use super::error::{NodeError, ProposeError};
use super::group::Group;
use super::limits::{NODE_QUEUE_BYTES_MAX, WRITE_BYTES_FULL};
use super::membership::MemberChange;
use super::output::{GroupStatus, Output, WriteRequest, WriteToken};
use super::recovery::{Recovered, recover};
use crate::log::{LogStore, LogWrite};
use crate::machine::{GroupId, NodeId, StateMachine};
use crate::storage::{StateStore, StorageError};

/// The log write that is under way.
struct InFlight {
    request: WriteRequest,
    groups: Vec<usize>,
    /// The log was full; the same write goes out again with the next tick.
    refused: bool,
}

/// The engine of one node. `P` is handed back with a proposal's answer, `D` with a barrier's or membership change's.
pub struct Engine<M: StateMachine, P, D> {
    config: EngineConfig,
    state: Arc<dyn StateStore>,
    groups: Vec<Group<M, P, D>>,
    slots: HashMap<GroupId, usize>,
    /// Groups that something happened to since the last poll.
    dirty: Vec<usize>,
    is_dirty: Vec<bool>,
    out: Output<M::Outcome, P, D>,
    in_flight: Option<InFlight>,
    next_token: u64,
    queued_bytes: usize,
    storage_full: bool,
    /// A tick has passed since state that had no room was last tried.
    retry_stalled: bool,
    /// Applied index of each group when the flush that is under way was asked for.
    flushing: Option<Vec<u64>>,
    bytes_since_flush: u64,
    ticks_since_flush: u64,
}

impl<M: StateMachine, P, D> Engine<M, P, D> {
    /// Recovers the given groups from log and state, or makes them. Groups whose only voter is this node lead at once.
    pub fn open(
        config: EngineConfig,
        log: Arc<dyn LogStore>,
        state: Arc<dyn StateStore>,
        machines: Vec<(GroupId, M)>,
    ) -> Result<Self, NodeError> {
        let ids: Vec<GroupId> = machines.iter().map(|(id, _)| *id).collect();
        let recovered = recover(&config, &ids, &log, &state)?;
        let mut groups = Vec::with_capacity(ids.len());
        let mut slots = HashMap::with_capacity(ids.len());
        for ((id, mut machine), Recovered { storage, applied }) in
            machines.into_iter().zip(recovered)
        {
            machine.reload(id, &*state).map_err(NodeError::storage(id))?;
            if slots.insert(id, groups.len()).is_some() {
                return Err(NodeError::inconsistent(id, "given twice"));
            }
            groups.push(Group::new(id, &config, machine, storage, applied)?);
        }
        Ok(Self {
            config,
            state,
            dirty: (0..groups.len()).collect(),
            is_dirty: vec![true; groups.len()],
            groups,
            slots,
            out: Output::default(),
            in_flight: None,
            next_token: 1,
            queued_bytes: 0,
            storage_full: false,
            retry_stalled: false,
            flushing: None,
            bytes_since_flush: 0,
            ticks_since_flush: 0,
        })
    }

    /// One [`TICK`](super::limits::TICK) has passed.
    pub fn tick(&mut self) {
        for slot in 0..self.groups.len() {
            self.groups[slot].tick(&mut self.out);
            self.touch(slot);
        }
        if let Some(in_flight) = &mut self.in_flight
            && in_flight.refused
        {
            in_flight.refused = false;
            self.out.write = Some(in_flight.request.clone());
        }
        self.ticks_since_flush += 1;
        self.retry_stalled = true;
    }

    /// Proposes a command; the answer comes with an output, a refusal too.
    pub fn propose(&mut self, group: GroupId, command: Bytes, reply: P) {
        let bytes = command.len();
        let result = match self.slots.get(&group) {
            None => Err((reply, ProposeError::UnknownGroup)),
            Some(_) if self.is_storage_full() => Err((reply, ProposeError::StorageFull)),
            Some(_) if self.queued_bytes + bytes > NODE_QUEUE_BYTES_MAX => {
                Err((reply, ProposeError::Busy))
            }
            Some(&slot) => {
                self.touch(slot);
                self.groups[slot].propose(command, reply)
            }
        };
        match result {
            Ok(()) => self.queued_bytes += bytes,
            Err((reply, error)) => {
                crate::metrics::refused(&error);
                self.out.completions.push((reply, Err(error)));
            }
        }
    }

    /// A message of another node.
    pub fn step(&mut self, from: NodeId, group: GroupId, message: &[u8]) {
        if let Some(&slot) = self.slots.get(&group) {
            self.groups[slot].step(from, message);
            self.touch(slot);
        }
    }

    /// Answers when this node has applied everything that was acknowledged before this call, if it leads.
    pub fn read_barrier(&mut self, group: GroupId, reply: D) {
        let result = match self.slots.get(&group) {
            None => Err((reply, ProposeError::UnknownGroup)),
            Some(&slot) => {
                self.touch(slot);
                self.groups[slot].read_barrier(reply)
            }
        };
        self.refuse(result);
    }

    /// Proposes a membership change; answered when it is applied here. The engine ends the joint state by itself.
    /// The leader cannot take itself out: transfer leadership first.
    pub fn change_membership(&mut self, group: GroupId, changes: &[MemberChange], reply: D) {
        let result = match self.slots.get(&group) {
            None => Err((reply, ProposeError::UnknownGroup)),
            Some(_) if self.is_storage_full() => Err((reply, ProposeError::StorageFull)),
            Some(&slot) => {
                self.touch(slot);
                self.groups[slot].change_membership(changes, reply)
            }
        };
        self.refuse(result);
    }

    /// Asks another voter to lead. Nothing is answered: watch the leadership.
    pub fn transfer_leader(&mut self, group: GroupId, to: NodeId) {
        if let Some(&slot) = self.slots.get(&group) {
            self.groups[slot].transfer_leader(to);
            self.touch(slot);
        }
    }

    /// Refuses proposals from now on, or takes them again: for a guard that watches the free space of the disk.
    pub fn set_storage_full(&mut self, full: bool) {
        self.storage_full = full;
    }

    /// Whether a log write is under way, so that further commands can only wait.
    pub fn is_writing(&self) -> bool {
        self.in_flight.is_some()
    }

    /// Whether nothing waits for its answer or for the disk.
    pub fn is_idle(&self) -> bool {
        self.in_flight.is_none() && self.groups.iter().all(|group| group.is_idle())
    }

    /// Whether proposals are refused for want of room.
    pub fn is_storage_full(&self) -> bool {
        self.storage_full || self.in_flight.as_ref().is_some_and(|in_flight| in_flight.refused)
    }

    /// The log write is durable.
    pub fn persisted(&mut self, token: WriteToken) {
        match self.in_flight.take() {
            Some(in_flight) if in_flight.request.token == token => {
                for slot in in_flight.groups {
                    self.groups[slot].finish_write(&mut self.out);
                    self.touch(slot);
                }
                // Commands may wait in groups that were not part of this write.
                self.touch_all_with_work();
            }
            other => self.in_flight = other,
        }
    }

    /// The log had no room for the write and holds nothing of it. It is asked for again with the next tick; whoever waits
    /// for it is told now.
    pub fn write_refused(&mut self, token: WriteToken) {
        let Some(in_flight) = self.in_flight.as_mut().filter(|write| write.request.token == token)
        else {
            return;
        };
        in_flight.refused = true;
        for &slot in &in_flight.groups {
            self.groups[slot].give_up_waiting(&mut self.out);
        }
        for group in &mut self.groups {
            self.queued_bytes -= group.refuse_queued_for_room(&mut self.out);
        }
    }

    /// The flush that an output asked for has ended.
    pub fn flushed(&mut self, result: Result<(), StorageError>) -> Result<(), NodeError> {
        let Some(applied) = self.flushing.take() else { return Ok(()) };
        match result {
            Ok(()) => {}
            Err(StorageError::Engine { full: true, message }) => {
                tracing::error!(%message, "no room to flush applied state, will try again");
                return Ok(());
            }
            Err(source @ (StorageError::Engine { .. } | StorageError::Damaged(_))) => {
                let group = self.groups.first().map_or(GroupId(0), |group| group.id);
                return Err(NodeError::Storage { group, source });
            }
        }
        for (group, flushed) in self.groups.iter_mut().zip(applied) {
            if let Some(index) = group.compact(flushed, self.config.laggard_entries_kept)? {
                self.out.compact.push((group.id, index));
            }
        }
        Ok(())
    }

    /// What is to be done now. An error means that the node must stop.
    pub fn poll(&mut self) -> Result<Output<M::Outcome, P, D>, NodeError> {
        let state = Arc::clone(&self.state);
        let dirty = std::mem::take(&mut self.dirty);
        let may_write = self.in_flight.is_none();
        let retry_stalled = std::mem::take(&mut self.retry_stalled);
        for &slot in &dirty {
            self.is_dirty[slot] = false;
            let group = &mut self.groups[slot];
            if retry_stalled && group.stalled.is_some() {
                group.retry_stalled(&*state, &mut self.out)?;
            }
            group.ask_barriers();
            group.handle_readies(&*state, &mut self.out)?;
            if may_write {
                self.queued_bytes -= group.propose_gathered(&mut self.out);
                group.handle_readies(&*state, &mut self.out)?;
            }
            self.queued_bytes -= group.observe_leadership(&mut self.out);
        }
        if may_write {
            self.begin_write(&dirty);
        }
        // The disk starts before the state machines do: a poll that begins a write leaves applying to the next one.
        let apply_now = self.out.write.is_none();
        for &slot in &dirty {
            let group = &mut self.groups[slot];
            if apply_now && group.wants_apply() && group.apply_round(&*state, &mut self.out)? {
                self.out.applied += 1;
                self.queued_bytes -= group.observe_leadership(&mut self.out);
                group.trim_tail();
            }
            if group.raft.store().take_snapshot_wanted() {
                group.build_snapshot(&*state, self.config.snapshot_bytes_max)?;
            }
            let stalled = group.stalled.is_some();
            if group.raft.has_ready() || (group.wants_apply() && !stalled) {
                self.touch(slot);
            }
        }
        self.out.more = !self.dirty.is_empty();
        self.want_flush();
        Ok(std::mem::take(&mut self.out))
    }

    /// Refuses everything that waits, because the node stops.
    pub fn refuse_all(&mut self) -> Output<M::Outcome, P, D> {
        for group in &mut self.groups {
            group.refuse_all(&mut self.out);
        }
        std::mem::take(&mut self.out)
    }

    /// Figures of one group.
    pub fn status(&self, group: GroupId) -> Option<GroupStatus> {
        self.slots.get(&group).map(|&slot| self.groups[slot].status())
    }

    /// Figures of all groups.
    pub fn statuses(&self) -> impl Iterator<Item = (GroupId, GroupStatus)> + '_ {
        self.groups.iter().map(|group| (group.id, group.status()))
    }

    /// Whether this node leads a group in the eyes of Raft, applied or not.
    pub fn leads(&self, group: GroupId) -> bool {
        self.slots.get(&group).is_some_and(|&slot| self.groups[slot].leads())
    }

    fn begin_write(&mut self, dirty: &[usize]) {
        let mut write = LogWrite::default();
        let mut groups = Vec::new();
        let mut flush_state_first = false;
        let mut bytes = 0;
        for &slot in dirty {
            if bytes >= WRITE_BYTES_FULL {
                break;
            }
            let group = &mut self.groups[slot];
            if let Some(part) = group.begin_write() {
                flush_state_first |= part.reset_to.is_some();
                bytes += part.entries.iter().map(|entry| entry.data.len() as u64).sum::<u64>();
                write.groups.push((group.id, part));
                groups.push(slot);
            }
        }
        if groups.is_empty() {
            return;
        }
        self.bytes_since_flush += bytes;
        let token = WriteToken(self.next_token);
        self.next_token += 1;
        let request = WriteRequest { token, flush_state_first, write: Arc::new(write) };
        self.out.write = Some(request.clone());
        if self.config.defects.has(Defect::AckBeforeSync) {
            for &slot in &groups {
                self.groups[slot].finish_write(&mut self.out);
                self.touch(slot);
            }
            groups.clear();
        }
        self.in_flight = Some(InFlight { request, groups, refused: false });
    }

    fn want_flush(&mut self) {
        let due = self.bytes_since_flush >= self.config.flush_bytes
            || (self.ticks_since_flush >= self.config.flush_ticks && self.bytes_since_flush > 0);
        if due && self.flushing.is_none() {
            self.flushing = Some(self.groups.iter().map(|group| group.applied.index).collect());
            self.bytes_since_flush = 0;
            self.ticks_since_flush = 0;
            self.out.flush = true;
        }
    }

    fn refuse(&mut self, result: Result<(), (D, ProposeError)>) {
        if let Err((reply, error)) = result {
            crate::metrics::refused(&error);
            self.out.done.push((reply, Err(error)));
        }
    }

    fn touch(&mut self, slot: usize) {
        if !std::mem::replace(&mut self.is_dirty[slot], true) {
            self.dirty.push(slot);
        }
    }

    fn touch_all_with_work(&mut self) {
        for slot in 0..self.groups.len() {
            if self.groups[slot].has_gathered() {
                self.touch(slot);
            }
        }
    }
}
