//! One node of a simulated cluster: the real engine and log on a disk that forgets.

use std::sync::Arc;

use rand::Rng;
use rand::rngs::StdRng;

use super::{MemoryStore, SimDisk};
use crate::log::{LogError, LogOptions, LogStore, SegmentLog};
use crate::machine::{GroupId, NodeId, StateMachine};
use crate::partition::{Engine, EngineConfig, NodeError, WriteRequest};
use crate::storage::{StateStore, StorageError};

/// How a node dies.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Death {
    /// The process ends; what it wrote stays.
    Kill,
    /// The power fails; what was not synced may be lost.
    PowerCut,
}

/// A node, running or dead.
pub struct SimNode<M: StateMachine> {
    pub(super) id: NodeId,
    pub(super) disk: SimDisk,
    pub(super) store: MemoryStore,
    pub(super) engine: Option<Engine<M, u64, u64>>,
    pub(super) log: Option<Arc<SegmentLog>>,
    pub(super) config: EngineConfig,
    /// Which life this is: what was set in motion in an earlier one has no effect any more.
    pub(super) life: u64,
    pub(super) writing: Option<WriteRequest>,
    pub(super) poll_planned: bool,
    /// Length of a tick here, in microseconds: clocks differ.
    pub(super) tick: u64,
    /// Longest log write, in microseconds.
    pub(super) write_delay_max: u64,
}

impl<M: StateMachine> SimNode<M> {
    pub(super) fn new(config: EngineConfig, rng: &mut StdRng) -> Self {
        Self {
            id: config.node,
            disk: SimDisk::new(rng.random()),
            store: MemoryStore::new(),
            engine: None,
            log: None,
            config,
            life: 0,
            writing: None,
            poll_planned: false,
            tick: rng.random_range(95_000..105_000),
            write_delay_max: 2_000,
        }
    }

    /// Starts from what is on disk. `false` if that needs room which the disk has not.
    pub(super) fn start(&mut self, machines: Vec<(GroupId, M)>) -> Result<bool, String> {
        match self.open(machines) {
            Ok(()) => Ok(true),
            Err(
                NodeError::Log(LogError::Full { .. })
                | NodeError::Storage { source: StorageError::Engine { full: true, .. }, .. },
            ) => Ok(false),
            Err(error) => Err(format!("node {} does not start: {error}", self.id.0)),
        }
    }

    fn open(&mut self, machines: Vec<(GroupId, M)>) -> Result<(), NodeError> {
        let options = LogOptions { segment_bytes: 16 << 10, rewrite_after: 4 };
        let log = Arc::new(SegmentLog::open(Arc::new(self.disk.clone()), options)?);
        let shared: Arc<dyn LogStore> = log.clone();
        let state = Arc::new(self.store.clone());
        self.engine = Some(Engine::open(self.config.clone(), shared, state, machines)?);
        self.log = Some(log);
        Ok(())
    }

    /// Dies. A log write that is under way may be done, half done or not begun.
    pub(super) fn die(&mut self, death: Death, rng: &mut StdRng) {
        if let (Some(request), Some(log)) = (self.writing.take(), &self.log) {
            match rng.random_range(0..3) {
                0 => {}
                1 if death == Death::PowerCut && !request.flush_state_first => {
                    self.disk.fail_syncs(1);
                    let _ = log.write(&request.write);
                }
                _ => {
                    let flushed = !request.flush_state_first || self.store.flush().is_ok();
                    if flushed {
                        let _ = log.write(&request.write);
                    }
                }
            }
        }
        self.engine = None;
        self.log = None;
        self.life += 1;
        self.poll_planned = false;
        match death {
            Death::Kill => self.disk.kill(),
            Death::PowerCut => {
                self.disk.crash(rng.random());
                self.store.crash(rng.random());
            }
        }
    }

    pub(super) fn is_up(&self) -> bool {
        self.engine.is_some()
    }
}
