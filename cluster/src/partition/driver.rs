//! The threads that drive an engine: one that runs it, one that writes the log, one that flushes state.

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Instant;

use bytes::Bytes;
use crossbeam_channel::{Receiver, RecvTimeoutError, Sender, select_biased};
use tokio::sync::oneshot;

use super::engine::Engine;
use super::error::{NodeError, ProposeError};
use super::handle::{GroupView, Inbox};
use super::limits::{TICK, TURN_INPUTS_MAX};
use super::membership::MemberChange;
use super::output::{Output, WriteRequest, WriteToken};
use super::transport::Transport;
use crate::log::{LogError, LogStore};
use crate::machine::{GroupId, NodeId, StateMachine};
use crate::storage::{StateStore, StorageError};

/// Ticks that a stop waits for hand-overs and answers.
const STOP_TICKS_MAX: u32 = 30;

pub(super) type DoneReply = oneshot::Sender<Result<(), ProposeError>>;

/// Who gets the answer to a proposal.
pub(super) enum ProposalReply<O> {
    Channel(oneshot::Sender<Result<O, ProposeError>>),
    Call(Box<dyn FnOnce(Result<O, ProposeError>) + Send>),
}

impl<O> ProposalReply<O> {
    pub(super) fn answer(self, result: Result<O, ProposeError>) {
        match self {
            // Whoever asked may have gone; that is their affair.
            Self::Channel(sender) => {
                let _ = sender.send(result);
            }
            Self::Call(call) => call(result),
        }
    }
}

/// One command on its way to the engine.
pub(super) struct Proposal<O> {
    pub(super) group: GroupId,
    pub(super) command: Bytes,
    pub(super) reply: ProposalReply<O>,
}

/// Everything else that the engine thread hears of.
pub(super) enum Event {
    Barrier(GroupId, DoneReply),
    Membership(GroupId, Vec<MemberChange>, DoneReply),
    Transfer(GroupId, NodeId),
    Messages(NodeId, Vec<(GroupId, Vec<u8>)>),
    Written(WriteToken, Result<(), NodeError>),
    Flushed(Result<(), StorageError>),
    StorageFull(bool),
    Stop,
}

/// Work of the flush thread.
pub(super) enum Background {
    Flush,
    Compact(Vec<(GroupId, u64)>),
}

/// The engine thread.
pub(super) struct Driver<M: StateMachine, T> {
    pub(super) engine: Engine<M, ProposalReply<M::Outcome>, DoneReply>,
    pub(super) proposals: Receiver<Proposal<M::Outcome>>,
    pub(super) events: Receiver<Event>,
    pub(super) inbox: Arc<Inbox<M>>,
    pub(super) writer: Sender<WriteRequest>,
    pub(super) background: Sender<Background>,
    pub(super) transport: T,
    pub(super) views: HashMap<GroupId, Arc<GroupView>>,
    pub(super) state: Arc<dyn StateStore>,
    pub(super) node: NodeId,
}

impl<M: StateMachine, T: Transport> Driver<M, T> {
    /// Runs until it is told to stop or must.
    pub(super) fn run(mut self) -> Result<(), NodeError> {
        let mut next_tick = Instant::now() + TICK;
        let mut stopping: Option<u32> = None;
        let mut more = true;
        loop {
            if !more {
                self.wait(next_tick, &mut stopping)?;
            }
            self.take_inputs(&mut stopping)?;
            let now = Instant::now();
            if now >= next_tick {
                self.engine.tick();
                // A thread that was held up does not make up for lost time: peers would see elections in a burst.
                next_tick = (next_tick + TICK).max(now);
                self.publish_statuses();
                if let Some(ticks) = &mut stopping {
                    *ticks += 1;
                }
            }
            let out = self.engine.poll()?;
            let applied = out.applied;
            more = self.carry_out(out)?;
            if applied > 0 {
                crate::metrics::apply_round(now.elapsed().as_secs_f64() / applied as f64);
            }
            if let Some(ticks) = stopping
                && !more
                && (self.may_stop() || ticks >= STOP_TICKS_MAX)
            {
                break;
            }
        }
        let out = self.engine.refuse_all();
        self.carry_out(out)?;
        for proposal in self.proposals.try_iter() {
            proposal.reply.answer(Err(ProposeError::Stopped));
        }
        self.state.flush().map_err(NodeError::storage(GroupId(0)))
    }

    /// Sleeps until something happens. While the log writes, proposals do not wake this thread: they could only queue, and
    /// waking for each of them is most of its cost.
    fn wait(&mut self, deadline: Instant, stopping: &mut Option<u32>) -> Result<(), NodeError> {
        if self.takes_proposals() {
            let timeout = deadline.saturating_duration_since(Instant::now());
            select_biased! {
                recv(self.events) -> event => if let Ok(event) = event {
                    self.take_event(event, stopping)?;
                },
                recv(self.proposals) -> proposal => if let Ok(proposal) = proposal {
                    self.take_proposal(proposal);
                },
                default(timeout) => {}
            }
        } else {
            match self.events.recv_deadline(deadline) {
                Ok(event) => self.take_event(event, stopping)?,
                Err(RecvTimeoutError::Timeout | RecvTimeoutError::Disconnected) => {}
            }
        }
        Ok(())
    }

    fn takes_proposals(&self) -> bool {
        !self.engine.is_writing() || self.engine.is_storage_full()
    }

    fn take_inputs(&mut self, stopping: &mut Option<u32>) -> Result<(), NodeError> {
        for _ in 0..TURN_INPUTS_MAX {
            let Ok(event) = self.events.try_recv() else { break };
            self.take_event(event, stopping)?;
        }
        if self.takes_proposals() {
            for _ in 0..TURN_INPUTS_MAX {
                let Ok(proposal) = self.proposals.try_recv() else { break };
                self.take_proposal(proposal);
            }
        }
        Ok(())
    }

    fn take_proposal(&mut self, proposal: Proposal<M::Outcome>) {
        self.inbox.bytes.fetch_sub(proposal.command.len(), Ordering::Relaxed);
        self.engine.propose(proposal.group, proposal.command, proposal.reply);
    }

    fn take_event(&mut self, event: Event, stopping: &mut Option<u32>) -> Result<(), NodeError> {
        match event {
            Event::Barrier(group, reply) => self.engine.read_barrier(group, reply),
            Event::Membership(group, changes, reply) => {
                self.engine.change_membership(group, &changes, reply);
            }
            Event::Transfer(group, to) => self.engine.transfer_leader(group, to),
            Event::Messages(from, messages) => {
                for (group, message) in messages {
                    self.engine.step(from, group, &message);
                }
            }
            Event::Written(token, Ok(())) => self.engine.persisted(token),
            Event::Written(token, Err(NodeError::Log(LogError::Full { needed }))) => {
                tracing::error!(needed, "no room for the log, will try again");
                self.engine.write_refused(token);
            }
            Event::Written(
                token,
                Err(NodeError::Storage {
                    source: StorageError::Engine { full: true, message },
                    ..
                }),
            ) => {
                tracing::error!(%message, "no room to flush a snapshot, will try again");
                self.engine.write_refused(token);
            }
            Event::Written(_, Err(error)) => return Err(error),
            Event::Flushed(result) => self.engine.flushed(result)?,
            Event::StorageFull(full) => self.engine.set_storage_full(full),
            Event::Stop => {
                stopping.get_or_insert(0);
                self.hand_over();
            }
        }
        Ok(())
    }

    /// Asks another voter of each group to lead it.
    fn hand_over(&mut self) {
        let targets: Vec<(GroupId, NodeId)> = self
            .engine
            .statuses()
            .filter(|(group, _)| self.engine.leads(*group))
            .filter_map(|(group, status)| {
                let other = status.members.voters.iter().find(|voter| **voter != self.node)?;
                Some((group, *other))
            })
            .collect();
        for (group, to) in targets {
            self.engine.transfer_leader(group, to);
        }
    }

    /// Whether nobody waits here and nobody would miss this node as a leader.
    fn may_stop(&self) -> bool {
        self.engine.is_idle()
            && self.engine.statuses().all(|(group, status)| {
                !self.engine.leads(group) || !status.members.has_peers(self.node)
            })
    }

    /// Carries an output out. `true` if the engine has more to do at once.
    fn carry_out(
        &mut self,
        out: Output<M::Outcome, ProposalReply<M::Outcome>, DoneReply>,
    ) -> Result<bool, NodeError> {
        if let Some(request) = out.write {
            // The writer takes one request at a time and the engine gives no second one before the answer.
            self.writer.send(request).map_err(|_| gone("log writer"))?;
        }
        if !out.messages.is_empty() {
            let mut by_node: BTreeMap<NodeId, Vec<(GroupId, Vec<u8>)>> = BTreeMap::new();
            for (to, group, message) in out.messages {
                by_node.entry(to).or_default().push((group, message));
            }
            for (to, messages) in by_node {
                self.transport.send(to, messages);
            }
        }
        for (reply, result) in out.completions {
            reply.answer(result);
        }
        for (reply, result) in out.done {
            // Whoever asked may have gone; that is their affair.
            let _ = reply.send(result);
        }
        for (group, leadership) in out.leadership {
            tracing::info!(
                group = group.0,
                term = leadership.term,
                leader = leadership.leader.map(|node| node.0),
                leading = leadership.leading,
                "leadership"
            );
            if let Some(view) = self.views.get(&group) {
                if let Some(status) = self.engine.status(group) {
                    *view.status.lock() = status;
                }
                view.leadership.send_replace(leadership);
            }
        }
        if out.flush {
            self.background.send(Background::Flush).map_err(|_| gone("flush"))?;
        }
        if !out.compact.is_empty() {
            self.background.send(Background::Compact(out.compact)).map_err(|_| gone("flush"))?;
        }
        Ok(out.more)
    }

    fn publish_statuses(&self) {
        for (group, status) in self.engine.statuses() {
            if let Some(view) = self.views.get(&group) {
                *view.status.lock() = status;
            }
        }
    }
}

fn gone(thread: &'static str) -> NodeError {
    NodeError::Thread { thread, message: "it has ended".into() }
}

/// The log writer thread: one write after the other, each answered.
pub(super) fn write_log(
    requests: Receiver<WriteRequest>,
    log: Arc<dyn LogStore>,
    state: Arc<dyn StateStore>,
    events: Sender<Event>,
) -> Result<(), NodeError> {
    for request in requests {
        let start = Instant::now();
        let flushed = if request.flush_state_first {
            state.flush().map_err(NodeError::storage(GroupId(0)))
        } else {
            Ok(())
        };
        let result = flushed.and_then(|()| log.write(&request.write).map_err(NodeError::Log));
        crate::metrics::log_write(start.elapsed().as_secs_f64());
        if events.send(Event::Written(request.token, result)).is_err() {
            break;
        }
    }
    Ok(())
}

/// The flush thread: flushes state and removes what the log needs no more, apart from the write path.
pub(super) fn flush_state(
    work: Receiver<Background>,
    log: Arc<dyn LogStore>,
    state: Arc<dyn StateStore>,
    events: Sender<Event>,
) -> Result<(), NodeError> {
    for work in work {
        match work {
            Background::Flush => {
                if events.send(Event::Flushed(state.flush())).is_err() {
                    break;
                }
            }
            Background::Compact(groups) => {
                for (group, index) in groups {
                    log.compact(group, index)?;
                }
            }
        }
    }
    Ok(())
}
