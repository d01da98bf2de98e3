//! A node with its real threads on real files.

// Helpers of tests fail like tests.
#![allow(clippy::unwrap_used)]

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, Instant};

use bytes::Bytes;
use ironhub_cluster::log::{FileDisk, LogOptions, SegmentLog};
use ironhub_cluster::partition::{NoPeers, Node, NodeConfig, PartitionHandle, ProposeError};
use ironhub_cluster::storage::{RocksOptions, RocksStore, StateStore};
use ironhub_cluster::testing::event_log::EventLog;
use ironhub_cluster::testing::{MemoryStore, SimDisk};
use ironhub_cluster::{GroupId, NodeId};

const GROUPS: u32 = 33;
const PATIENCE: Duration = Duration::from_secs(60);

struct Directory(PathBuf);

impl Directory {
    fn new(name: &str) -> Self {
        let path = std::env::temp_dir().join(format!("ironhub-node-{name}-{}", std::process::id()));
        let _ = std::fs::remove_dir_all(&path);
        std::fs::create_dir_all(&path).unwrap();
        Self(path)
    }
}

impl Drop for Directory {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

fn start(path: &Path) -> (Node<EventLog>, Arc<RocksStore>) {
    let disk = FileDisk::open(path.join("log")).unwrap();
    let options = LogOptions { segment_bytes: 1 << 20, ..LogOptions::default() };
    let log = SegmentLog::open(Arc::new(disk), options).unwrap();
    let store = Arc::new(RocksStore::open(path.join("state"), RocksOptions::default()).unwrap());
    let machines =
        (0..GROUPS).map(|group| (GroupId(group), EventLog::new(Default::default()))).collect();
    let config = NodeConfig::single(NodeId(1));
    let state: Arc<dyn StateStore> = store.clone();
    let node = Node::start(config, Arc::new(log), state, machines, NoPeers).unwrap();
    (node, store)
}

fn await_leading(partition: &PartitionHandle<EventLog>) {
    let start = Instant::now();
    while !partition.leadership().borrow().leading {
        assert!(start.elapsed() < PATIENCE, "no leader");
        std::thread::sleep(Duration::from_millis(1));
    }
}

#[test]
fn what_was_acknowledged_is_there_after_a_restart() {
    let directory = Directory::new("restart");
    let mut sent = 0;
    for round in 0..3_u64 {
        let (node, store) = start(&directory.0);
        let mut answers = Vec::new();
        for group in 0..GROUPS {
            let partition = node.partition(GroupId(group));
            await_leading(&partition);
            let before = EventLog::events(GroupId(group), &*store).unwrap();
            assert_eq!(before.len() as u64, round * 50, "group {group}");
            for request in 0..50 {
                let command = EventLog::command(1, sent + request, b"payload");
                answers.push((round * 50 + request + 1, partition.propose(command).unwrap()));
            }
        }
        for (sequence, answer) in answers {
            assert_eq!(answer.blocking_recv().unwrap(), Ok(sequence));
        }
        sent += 50;
        let barrier = node.partition(GroupId(7)).read_barrier().unwrap();
        assert_eq!(barrier.blocking_recv().unwrap(), Ok(()));
        let events = EventLog::events(GroupId(7), &*store).unwrap();
        assert!(events.iter().map(|event| event.request).eq(0..sent));
        node.stop();
        assert!(node.failure().is_none());
    }
}

#[test]
fn every_refusal_is_typed() {
    let directory = Directory::new("refusal");
    let (node, _) = start(&directory.0);
    let partition = node.partition(GroupId(1));
    await_leading(&partition);
    let ask = |partition: &PartitionHandle<EventLog>, command: Bytes| {
        partition.propose(command).unwrap().blocking_recv().unwrap()
    };
    let unknown = node.partition(GroupId(GROUPS));
    assert_eq!(ask(&unknown, Bytes::new()), Err(ProposeError::UnknownGroup));
    let large = ask(&partition, Bytes::from(vec![0; (4 << 20) + 1]));
    assert!(matches!(large, Err(ProposeError::TooLarge { .. })), "{large:?}");
    node.set_storage_full(true);
    let start = Instant::now();
    while ask(&partition, EventLog::command(1, 1, b"")) != Err(ProposeError::StorageFull) {
        assert!(start.elapsed() < PATIENCE, "not refused");
    }
    node.set_storage_full(false);
    let start = Instant::now();
    while ask(&partition, EventLog::command(1, 2, b"")).is_err() {
        assert!(start.elapsed() < PATIENCE, "still refused");
    }
    node.stop();
    assert_eq!(partition.propose(Bytes::new()).err(), Some(ProposeError::Stopped));
}

#[test]
fn answer_function_is_called_for_each_proposal_also_when_the_node_stops() {
    let directory = Directory::new("call");
    let (node, _) = start(&directory.0);
    let partition = node.partition(GroupId(2));
    await_leading(&partition);
    let (told, answers) = std::sync::mpsc::channel();
    for request in 0..1_000 {
        let told = told.clone();
        let command = EventLog::command(2, request, b"x");
        partition.propose_with(command, Box::new(move |result| told.send(result).unwrap()));
    }
    node.stop();
    drop((told, node));
    assert_eq!(answers.iter().count(), 1_000);
}

#[test]
fn failed_sync_stops_the_node_and_says_why() {
    let disk = SimDisk::new(1);
    let log = SegmentLog::open(Arc::new(disk.clone()), LogOptions::default()).unwrap();
    let machines = vec![(GroupId(1), EventLog::new(Default::default()))];
    let config = NodeConfig::single(NodeId(1));
    let state = Arc::new(MemoryStore::new());
    let node = Node::start(config, Arc::new(log), state, machines, NoPeers).unwrap();
    let partition = node.partition(GroupId(1));
    await_leading(&partition);
    disk.fail_syncs(1);
    let answer = partition.propose(EventLog::command(1, 1, b"x")).unwrap().blocking_recv();
    assert!(!matches!(answer, Ok(Ok(_))), "acknowledged without a sync: {answer:?}");
    let start = Instant::now();
    while node.failure().is_none() {
        assert!(start.elapsed() < PATIENCE, "nobody is told");
        std::thread::sleep(Duration::from_millis(1));
    }
    let words = node.failure().unwrap().to_string();
    assert!(words.contains("must stop"), "{words}");
    node.stop();
    assert_eq!(partition.propose(Bytes::new()).err(), Some(ProposeError::Stopped));
}
