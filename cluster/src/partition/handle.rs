//! How the rest of a process reaches one partition.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use bytes::Bytes;
use crossbeam_channel::{Sender, TrySendError};
use parking_lot::Mutex;
use tokio::sync::{oneshot, watch};

use super::driver::{DoneReply, Event, Proposal, ProposalReply};
use super::error::ProposeError;
use super::limits::INBOX_BYTES_MAX;
use super::membership::MemberChange;
use super::output::{GroupStatus, Leadership};
use crate::machine::{GroupId, NodeId, StateMachine};

/// What one group tells everybody who holds a handle.
pub(super) struct GroupView {
    pub(super) leadership: watch::Sender<Leadership>,
    pub(super) status: Mutex<GroupStatus>,
}

/// The way into the engine thread.
pub(super) struct Inbox<M: StateMachine> {
    pub(super) proposals: Sender<Proposal<M::Outcome>>,
    pub(super) events: Sender<Event>,
    /// Bytes of the commands in `proposals`.
    pub(super) bytes: AtomicUsize,
}

/// One partition of this node. Cheap to clone; none of its methods blocks.
pub struct PartitionHandle<M: StateMachine> {
    pub(super) group: GroupId,
    pub(super) inbox: Arc<Inbox<M>>,
    pub(super) view: Arc<GroupView>,
}

impl<M: StateMachine> Clone for PartitionHandle<M> {
    fn clone(&self) -> Self {
        Self { group: self.group, inbox: Arc::clone(&self.inbox), view: Arc::clone(&self.view) }
    }
}

impl<M: StateMachine> PartitionHandle<M> {
    /// Which partition this is.
    pub fn group(&self) -> GroupId {
        self.group
    }

    /// Proposes a command. The answer comes when the command is durable on a quorum and applied here, or with the
    /// reason why not; a channel closed without an answer means the same as [`ProposeError::Stopped`].
    ///
    /// # Errors
    /// `Busy` when too much waits for the engine, `Stopped` when the node does not run.
    #[allow(clippy::type_complexity)]
    pub fn propose(
        &self,
        command: Bytes,
    ) -> Result<oneshot::Receiver<Result<M::Outcome, ProposeError>>, ProposeError> {
        let (reply, answer) = oneshot::channel();
        self.submit(command, ProposalReply::Channel(reply)).map_err(|(_, error)| error)?;
        Ok(answer)
    }

    /// Like [`propose`](Self::propose), with a function that is called with the answer, always and once: on the engine
    /// thread, or at once and on this one if the command is refused here. It must be quick and must not block.
    pub fn propose_with(
        &self,
        command: Bytes,
        reply: Box<dyn FnOnce(Result<M::Outcome, ProposeError>) + Send>,
    ) {
        if let Err((reply, error)) = self.submit(command, ProposalReply::Call(reply)) {
            reply.answer(Err(error));
        }
    }

    /// Answers when this node leads and has applied everything that was acknowledged before this call: what is read
    /// from the store then is linearizable.
    ///
    /// # Errors
    /// `Busy` when too much waits for the engine, `Stopped` when the node does not run.
    pub fn read_barrier(
        &self,
    ) -> Result<oneshot::Receiver<Result<(), ProposeError>>, ProposeError> {
        let (reply, answer) = oneshot::channel();
        self.send(Event::Barrier(self.group, reply))?;
        Ok(answer)
    }

    /// Changes the replicas of the partition; answered when the change is applied here.
    ///
    /// # Errors
    /// As [`read_barrier`](Self::read_barrier).
    pub fn change_membership(
        &self,
        changes: Vec<MemberChange>,
    ) -> Result<oneshot::Receiver<Result<(), ProposeError>>, ProposeError> {
        let (reply, answer): (DoneReply, _) = oneshot::channel();
        self.send(Event::Membership(self.group, changes, reply))?;
        Ok(answer)
    }

    /// Asks another voter to lead; watch [`leadership`](Self::leadership) for the result.
    ///
    /// # Errors
    /// As [`read_barrier`](Self::read_barrier).
    pub fn transfer_leader(&self, to: NodeId) -> Result<(), ProposeError> {
        self.send(Event::Transfer(self.group, to))
    }

    /// Who leads, and every change of it.
    pub fn leadership(&self) -> watch::Receiver<Leadership> {
        self.view.leadership.subscribe()
    }

    /// Figures of this partition, at most one tick old.
    pub fn status(&self) -> GroupStatus {
        self.view.status.lock().clone()
    }

    fn submit(
        &self,
        command: Bytes,
        reply: ProposalReply<M::Outcome>,
    ) -> Result<(), (ProposalReply<M::Outcome>, ProposeError)> {
        let bytes = command.len();
        let before = self.inbox.bytes.fetch_add(bytes, Ordering::Relaxed);
        let result = if before + bytes > INBOX_BYTES_MAX {
            Err((reply, ProposeError::Busy))
        } else {
            let proposal = Proposal { group: self.group, command, reply };
            self.inbox.proposals.try_send(proposal).map_err(|error| match error {
                TrySendError::Full(proposal) => (proposal.reply, ProposeError::Busy),
                TrySendError::Disconnected(proposal) => (proposal.reply, ProposeError::Stopped),
            })
        };
        if let Err((_, error)) = &result {
            self.inbox.bytes.fetch_sub(bytes, Ordering::Relaxed);
            crate::metrics::refused(error);
        }
        result
    }

    fn send(&self, event: Event) -> Result<(), ProposeError> {
        self.inbox.events.try_send(event).map_err(|error| match error {
            TrySendError::Full(_) => ProposeError::Busy,
            TrySendError::Disconnected(_) => ProposeError::Stopped,
        })
    }
}
