//! What one acknowledged command costs in a running node: engine, log with its syncs, state in RocksDB.
//!
//! `cargo run --release -p ironhub-cluster --features testing --example propose_bench -- [SECONDS] [WINDOW] [PARTITIONS]`
//!
//! One thread keeps WINDOW commands of 300 bytes on their way, over all partitions in turn, and prints commands per
//! second and CPU microseconds per command of the whole process, this thread included.

#![allow(clippy::unwrap_used)]

use std::sync::Arc;
use std::sync::mpsc::sync_channel;
use std::time::{Duration, Instant};

use ironhub_cluster::log::{FileDisk, LogOptions, SegmentLog};
use ironhub_cluster::partition::{NoPeers, Node, NodeConfig};
use ironhub_cluster::storage::{RocksOptions, RocksStore};
use ironhub_cluster::testing::event_log::EventLog;
use ironhub_cluster::{GroupId, NodeId};

fn argument(place: usize, default: u64) -> u64 {
    std::env::args().nth(place).and_then(|text| text.parse().ok()).unwrap_or(default)
}

fn cpu() -> Duration {
    // SAFETY: all-zero is a valid rusage and the call only writes into it.
    let usage = unsafe {
        let mut usage = std::mem::zeroed::<libc::rusage>();
        libc::getrusage(libc::RUSAGE_SELF, &mut usage);
        usage
    };
    let of = |time: libc::timeval| {
        Duration::from_secs(time.tv_sec as u64) + Duration::from_micros(time.tv_usec as u64)
    };
    of(usage.ru_utime) + of(usage.ru_stime)
}

fn main() {
    let (seconds, window, partitions) =
        (argument(1, 5), argument(2, 2_000) as usize, argument(3, 4) as u32);
    let path = std::env::temp_dir().join(format!("ironhub-propose-{}", std::process::id()));
    std::fs::create_dir_all(&path).unwrap();
    let disk = FileDisk::open(path.join("log")).unwrap();
    let log = SegmentLog::open(Arc::new(disk), LogOptions::default()).unwrap();
    let store = RocksStore::open(path.join("state"), RocksOptions::default()).unwrap();
    let machines =
        (0..partitions).map(|group| (GroupId(group), EventLog::new(Default::default()))).collect();
    let config = NodeConfig::single(NodeId(1));
    let begun = Instant::now();
    let node = Node::start(config, Arc::new(log), Arc::new(store), machines, NoPeers).unwrap();
    let handles: Vec<_> = (0..partitions).map(|group| node.partition(GroupId(group))).collect();
    while !handles.iter().all(|handle| handle.leadership().borrow().leading) {
        std::thread::sleep(Duration::from_micros(200));
    }
    println!("{partitions} partitions lead after {:?}", begun.elapsed());

    let (told, answers) = sync_channel(window);
    let (start, start_cpu) = (Instant::now(), cpu());
    let (mut sent, mut acknowledged, mut refused) = (0_u64, 0_u64, 0_u64);
    let payload = [7; 288];
    while start.elapsed() < Duration::from_secs(seconds) {
        while sent - acknowledged - refused < window as u64 {
            let told = told.clone();
            let reply = Box::new(move |result: Result<u64, _>| {
                let _ = told.try_send(result.is_ok());
            });
            let command = EventLog::command((sent % 1_000) as u32, sent, &payload);
            handles[(sent % u64::from(partitions)) as usize].propose_with(command, reply);
            sent += 1;
        }
        let first = answers.recv().unwrap();
        for ok in std::iter::once(first).chain(answers.try_iter()) {
            if ok { acknowledged += 1 } else { refused += 1 }
        }
    }
    let (wall, used) = (start.elapsed(), cpu() - start_cpu);
    println!(
        "{acknowledged} acknowledged, {refused} refused: {:.0}/s, {:.2} us CPU each",
        acknowledged as f64 / wall.as_secs_f64(),
        used.as_micros() as f64 / acknowledged as f64
    );
    node.stop();
    drop(node);
    let _ = std::fs::remove_dir_all(&path);
}
