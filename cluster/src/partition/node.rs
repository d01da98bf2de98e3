//! The replicas of one process, running.

use std::collections::HashMap;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::sync::atomic::AtomicUsize;
use std::thread::{Builder, JoinHandle};

use crossbeam_channel::bounded;
use parking_lot::Mutex;
use tokio::sync::watch;

use super::config::EngineConfig;
use super::driver::{Driver, Event, flush_state, write_log};
use super::engine::Engine;
use super::error::NodeError;
use super::handle::{GroupView, Inbox, PartitionHandle};
use super::limits::INBOX_INPUTS_MAX;
use super::output::Leadership;
use super::transport::Transport;
use crate::log::LogStore;
use crate::machine::{GroupId, NodeId, StateMachine};
use crate::storage::StateStore;

/// Work that waits for the flush thread: one flush and one round of compaction, and one of each being done.
const BACKGROUND_MAX: usize = 4;

/// What a node is told at its start.
#[derive(Clone, Debug)]
pub struct NodeConfig {
    /// Settings of its engine.
    pub engine: EngineConfig,
}

impl NodeConfig {
    /// A node that is the whole hub: the only voter of every group.
    pub fn single(node: NodeId) -> Self {
        Self::replicated(node, Some(vec![node]))
    }

    /// A node whose new groups have these voters, or come from other nodes (`None`).
    pub fn replicated(node: NodeId, bootstrap: Option<Vec<NodeId>>) -> Self {
        let mut engine = EngineConfig::new(node, bootstrap);
        engine.seed = rand::random();
        Self { engine }
    }
}

type Failure = watch::Sender<Option<Arc<NodeError>>>;

/// A running node.
///
/// Its threads are its own; they stop with [`stop`](Self::stop), at the latest when the node is dropped. A node that had
/// to stop says so through [`failed`](Self::failed), and the process must end then: a log that failed cannot be trusted
/// again before it was read anew.
pub struct Node<M: StateMachine> {
    inbox: Arc<Inbox<M>>,
    views: HashMap<GroupId, Arc<GroupView>>,
    threads: Mutex<Vec<JoinHandle<()>>>,
    failure: Failure,
}

impl<M: StateMachine> Node<M> {
    /// Recovers the groups and starts the threads. Groups that need nobody else to lead are led before this returns
    /// their first answer.
    ///
    /// # Errors
    /// When log or state cannot be read or contradict each other, or a thread cannot be started.
    pub fn start(
        config: NodeConfig,
        log: Arc<dyn LogStore>,
        state: Arc<dyn StateStore>,
        machines: Vec<(GroupId, M)>,
        transport: impl Transport,
    ) -> Result<Self, NodeError> {
        crate::metrics::describe();
        let node = config.engine.node;
        let views: HashMap<GroupId, Arc<GroupView>> =
            machines.iter().map(|(group, _)| (*group, Arc::new(new_view()))).collect();
        let engine = Engine::open(config.engine, Arc::clone(&log), Arc::clone(&state), machines)?;
        let (proposals_in, proposals) = bounded(INBOX_INPUTS_MAX);
        let (events_in, events) = bounded(INBOX_INPUTS_MAX);
        let (writer, requests) = bounded(1);
        let (background, work) = bounded(BACKGROUND_MAX);
        let inbox = Arc::new(Inbox {
            proposals: proposals_in,
            events: events_in.clone(),
            bytes: AtomicUsize::new(0),
        });
        let driver = Driver {
            engine,
            proposals,
            events,
            inbox: Arc::clone(&inbox),
            writer,
            background,
            transport,
            views: views.clone(),
            state: Arc::clone(&state),
            node,
        };
        let failure: Failure = watch::Sender::new(None);
        let running = Self { inbox, views, threads: Mutex::default(), failure };
        let (writer_log, writer_state, writer_events) =
            (Arc::clone(&log), Arc::clone(&state), events_in.clone());
        running.spawn("log-writer", move || {
            write_log(requests, writer_log, writer_state, writer_events)
        })?;
        running.spawn("state-flush", move || flush_state(work, log, state, events_in))?;
        running.spawn("partition-engine", move || driver.run())?;
        Ok(running)
    }

    /// A handle to one partition. If this node has no replica of it, every request is answered with `UnknownGroup`.
    pub fn partition(&self, group: GroupId) -> PartitionHandle<M> {
        let view = self.views.get(&group).map_or_else(|| Arc::new(new_view()), Arc::clone);
        PartitionHandle { group, inbox: Arc::clone(&self.inbox), view }
    }

    /// Messages that another node's transport brought. Dropped if too much waits.
    pub fn receive(&self, from: NodeId, messages: Vec<(GroupId, Vec<u8>)>) {
        if self.inbox.events.try_send(Event::Messages(from, messages)).is_err() {
            tracing::debug!(from = from.0, "messages dropped");
        }
    }

    /// Refuses proposals with `StorageFull` from now on, or takes them again: for a guard that watches the disk.
    pub fn set_storage_full(&self, full: bool) {
        // If the engine thread is gone there is nobody left to refuse anything.
        drop(self.inbox.events.send(Event::StorageFull(full)));
    }

    /// Waits until the node had to stop, and says why. Pending for ever while all is well.
    pub async fn failed(&self) -> Arc<NodeError> {
        let mut failure = self.failure.subscribe();
        loop {
            if let Some(error) = &*failure.borrow_and_update() {
                return Arc::clone(error);
            }
            if failure.changed().await.is_err() {
                std::future::pending::<()>().await;
            }
        }
    }

    /// Why the node had to stop, if it had to.
    pub fn failure(&self) -> Option<Arc<NodeError>> {
        self.failure.borrow().clone()
    }

    /// Hands leadership over, answers what can be answered, flushes state and ends the threads. Blocks meanwhile, some
    /// seconds at most. Calling it again does nothing.
    pub fn stop(&self) {
        let mut threads = self.threads.lock();
        if !threads.is_empty() {
            // An engine thread that has failed is not there to hear it.
            drop(self.inbox.events.send(Event::Stop));
        }
        // The engine first: its end closes the channels that the others read from.
        for thread in threads.drain(..).rev() {
            // Panics were caught and told by `failed`.
            drop(thread.join());
        }
    }

    fn spawn(
        &self,
        name: &'static str,
        work: impl FnOnce() -> Result<(), NodeError> + Send + 'static,
    ) -> Result<(), NodeError> {
        let failure = self.failure.clone();
        let run = move || {
            let error = match catch_unwind(AssertUnwindSafe(work)) {
                Ok(Ok(())) => return,
                Ok(Err(error)) => error,
                Err(panic) => {
                    let words = panic
                        .downcast_ref::<String>()
                        .map(String::as_str)
                        .or_else(|| panic.downcast_ref::<&str>().copied());
                    let message = format!("panicked: {}", words.unwrap_or("no message"));
                    NodeError::Thread { thread: name, message }
                }
            };
            tracing::error!(%error, "the node must stop");
            // The first failure is the cause, later ones follow from it.
            failure.send_if_modified(|first| {
                let is_first = first.is_none();
                if is_first {
                    *first = Some(Arc::new(error));
                }
                is_first
            });
        };
        let thread = Builder::new()
            .name(name.into())
            .spawn(run)
            .map_err(|error| NodeError::Thread { thread: name, message: error.to_string() })?;
        self.threads.lock().push(thread);
        Ok(())
    }
}

impl<M: StateMachine> Drop for Node<M> {
    fn drop(&mut self) {
        self.stop();
    }
}

fn new_view() -> GroupView {
    GroupView { leadership: watch::Sender::new(Leadership::default()), status: Mutex::default() }
}
