//! A [`SegmentLog`] under random writes, compactions, full disks, failing syncs and crashes, beside a model of it.
//!
//! After each restart the log must be the model as of the last acknowledged write, or with the one write more that
//! was under way: whole, never a part. Starts may have slid back to where they were before an unsynced compaction.

use std::collections::BTreeMap;
use std::sync::Arc;

use bytes::Bytes;
use rand::rngs::StdRng;
use rand::{Rng, SeedableRng};

use super::disk::SimDisk;
use crate::log::{
    EntryKind, GroupLog, GroupWrite, HardState, LogEntry, LogError, LogOptions, LogStart, LogStore,
    LogWrite, SegmentLog,
};
use crate::machine::GroupId;

/// What one group should hold; entries before the start are kept, since a crash may undo a compaction.
#[derive(Clone, Default)]
struct Group {
    hard_state: HardState,
    start: LogStart,
    /// The start that no crash can go back behind.
    floor: u64,
    last_index: u64,
    entries: BTreeMap<u64, LogEntry>,
}

type Model = BTreeMap<GroupId, Group>;

/// What happened, so that a test can see that it exercised what it should.
#[derive(Clone, Copy, Debug, Default)]
pub struct Exercised {
    /// Acknowledged writes.
    pub writes: u64,
    /// Writes refused by a full disk.
    pub full: u64,
    /// Power cuts and kills.
    pub crashes: u64,
    /// Crashes in the middle of a write after which the write was there, and was not.
    pub torn: (u64, u64),
    /// Highest segment count seen.
    pub segments_max: usize,
}

struct Run {
    seed: u64,
    rng: StdRng,
    disk: SimDisk,
    options: LogOptions,
    log: SegmentLog,
    model: Model,
    done: Exercised,
}

/// Runs `steps` random operations.
///
/// # Panics
/// When the log and the model differ; the message names the seed.
pub fn log_model(seed: u64, steps: usize) -> Exercised {
    let mut rng = StdRng::seed_from_u64(seed);
    let disk = SimDisk::new(seed);
    let options = LogOptions {
        segment_bytes: [4096, 8192, 20_000][rng.random_range(0..3)],
        rewrite_after: rng.random_range(2..6),
    };
    let log = SegmentLog::open(Arc::new(disk.clone()), options).expect("an empty disk opens");
    let model = Model::new();
    let mut run = Run { seed, rng, disk, options, log, model, done: Exercised::default() };
    for _ in 0..steps {
        run.step();
        run.done.segments_max = run.done.segments_max.max(run.log.segments());
    }
    run.crash(None);
    run.done
}

impl Run {
    fn step(&mut self) {
        match self.rng.random_range(0..100) {
            0..70 => self.write(),
            70..85 => self.compact(),
            85..88 => self.remove(),
            88..93 => self.write_and_crash(),
            93..96 => self.fill(),
            96..98 => self.kill(),
            _ => self.crash(None),
        }
    }

    fn random_write(&mut self) -> LogWrite {
        let mut write = LogWrite::default();
        for group in 0..6 {
            // Group 5 idles, so that it pins old segments.
            if !self.rng.random_bool(if group == 5 { 0.02 } else { 0.4 }) {
                continue;
            }
            let group = GroupId(group);
            let now = self.model.get(&group).cloned().unwrap_or_default();
            write.groups.push((group, self.random_group_write(&now)));
        }
        write
    }

    fn random_group_write(&mut self, now: &Group) -> GroupWrite {
        let rng = &mut self.rng;
        let mut write = GroupWrite::default();
        let (mut start, mut last) = (now.start.index, now.last_index);
        let term = now.hard_state.term.max(now.start.term) + rng.random_range(0..2);
        if rng.random_bool(0.03) {
            start = last + rng.random_range(1..50);
            last = start;
            write.reset_to = Some(LogStart { index: start, term });
        }
        if rng.random_bool(0.8) {
            let back = if rng.random_bool(0.1) { rng.random_range(0..=last - start) } else { 0 };
            for index in last + 1 - back..last + 1 - back + rng.random_range(1..6) {
                let large = if rng.random_bool(0.02) { 6000 } else { 300 };
                let data = vec![rng.random(); rng.random_range(0..large)];
                let kind = [EntryKind::Normal, EntryKind::ConfChange, EntryKind::ConfChangeV2];
                let kind = kind[rng.random_range(0..3)];
                write.entries.push(LogEntry { index, term, kind, data: Bytes::from(data) });
            }
        }
        if rng.random_bool(0.5) {
            let vote = rng.random_range(0..4);
            write.hard_state = Some(HardState { term, vote, commit: last });
        }
        write
    }

    fn write(&mut self) {
        let write = self.random_write();
        self.disk.fill_writes(u64::from(self.rng.random_bool(0.05)));
        match self.log.write(&write) {
            Ok(()) => {
                apply(&mut self.model, &write);
                self.done.writes += 1;
            }
            Err(LogError::Full { .. }) => self.done.full += 1,
            Err(error) => panic!("seed {}: {error}", self.seed),
        }
        self.disk.fill_writes(0);
        self.check(&self.model.clone(), false);
    }

    fn compact(&mut self) {
        let group = GroupId(self.rng.random_range(0..6));
        let Some(log) = self.model.get_mut(&group) else { return };
        if group == GroupId(5) && self.rng.random_bool(0.8) {
            return;
        }
        let index = self.rng.random_range(log.start.index..=log.last_index);
        self.log.compact(group, index).expect("compact");
        if let Some(entry) = log.entries.get(&index).filter(|_| index > log.start.index) {
            log.start = LogStart { index, term: entry.term };
        }
    }

    fn remove(&mut self) {
        let group = GroupId(self.rng.random_range(0..6));
        match self.log.remove_group(group) {
            Ok(()) => {
                self.model.remove(&group);
            }
            Err(LogError::Full { .. }) => self.done.full += 1,
            Err(error) => panic!("seed {}: {error}", self.seed),
        }
    }

    /// A write whose syncs or writes fail poisons the log; then the power goes, or first the process: what the next one
    /// finds in memory must not vanish with the power.
    fn write_and_crash(&mut self) {
        let write = self.random_write();
        if self.rng.random_bool(0.7) {
            self.disk.fail_syncs_after(self.rng.random_range(0..4), 1);
        } else {
            self.disk.fail_writes(1);
        }
        match self.log.write(&write) {
            Ok(()) => {
                apply(&mut self.model, &write);
                self.crash(None);
            }
            Err(LogError::Full { .. }) => self.crash(None),
            Err(LogError::Fatal { .. }) => {
                self.disk.fail_syncs(0);
                let again = self.log.write(&some_write());
                assert!(matches!(again, Err(LogError::Fatal { .. })), "a failed log stays failed");
                if self.rng.random_bool(0.5) {
                    self.disk.set_capacity(None);
                    self.disk.kill();
                    self.reopen(Some(write));
                    self.crash(None);
                } else {
                    self.crash(Some(write));
                }
            }
            Err(error) => panic!("seed {}: {error}", self.seed),
        }
    }

    /// Lets the disk have little or plenty of room.
    fn fill(&mut self) {
        let room = self.rng.random_range(0..3) * self.options.segment_bytes;
        let capacity = self.rng.random_bool(0.6).then(|| self.disk.used() + room);
        self.disk.set_capacity(capacity);
    }

    /// The process dies between writes, then the machine.
    fn kill(&mut self) {
        self.disk.set_capacity(None);
        self.disk.kill();
        self.reopen(None);
        self.crash(None);
    }

    fn crash(&mut self, under_way: Option<LogWrite>) {
        self.disk.set_capacity(None);
        self.disk.crash(self.rng.random());
        self.reopen(under_way);
    }

    fn reopen(&mut self, under_way: Option<LogWrite>) {
        let log = SegmentLog::open(Arc::new(self.disk.clone()), self.options);
        self.log = log.unwrap_or_else(|error| panic!("seed {}: {error}", self.seed));
        self.done.crashes += 1;
        let mut next = self.model.clone();
        if let Some(write) = &under_way {
            apply(&mut next, write);
        }
        if under_way.is_some() && self.same(&next, true) {
            self.done.torn.0 += 1;
            self.model = next;
        } else {
            self.done.torn.1 += u64::from(under_way.is_some());
            self.check(&self.model.clone(), true);
        }
        for (group, found) in self.log.groups() {
            if let Some(log) = self.model.get_mut(&group) {
                log.start = found.start;
                log.floor = found.start.index;
            }
        }
    }

    fn same(&self, model: &Model, restarted: bool) -> bool {
        let found: BTreeMap<_, _> = self.log.groups().into_iter().collect();
        found.len() == model.len()
            && model.iter().all(|(id, group)| {
                found.get(id).is_some_and(|log| self.same_group(*id, group, log, restarted))
            })
    }

    fn same_group(&self, id: GroupId, group: &Group, log: &GroupLog, restarted: bool) -> bool {
        let start = if restarted {
            let term = group.entries.get(&log.start.index).map(|entry| entry.term);
            let slid = log.start.index >= group.floor && log.start.index < group.start.index;
            log.start == group.start
                || (slid && (log.start.index == group.floor || term == Some(log.start.term)))
        } else {
            log.start == group.start
        };
        let range = log.start.index + 1..log.last_index + 1;
        let read = self.log.entries(id, range.start, range.end, u64::MAX);
        let expected: Vec<_> = group.entries.range(range).map(|(_, entry)| entry.clone()).collect();
        start
            && log.hard_state == group.hard_state
            && log.last_index == group.last_index
            && read.is_ok_and(|read| read == expected)
    }

    fn check(&self, model: &Model, restarted: bool) {
        assert!(self.same(model, restarted), "seed {}: the log differs from its model", self.seed);
    }
}

fn some_write() -> LogWrite {
    let hard_state = Some(HardState { term: 99, vote: 9, commit: 0 });
    LogWrite { groups: vec![(GroupId(77), GroupWrite { hard_state, ..GroupWrite::default() })] }
}

fn apply(model: &mut Model, write: &LogWrite) {
    for (group, write) in &write.groups {
        if write.reset_to.is_none() && write.entries.is_empty() && write.hard_state.is_none() {
            continue;
        }
        let log = model.entry(*group).or_default();
        if let Some(start) = write.reset_to {
            log.entries.clear();
            log.start = start;
            log.floor = start.index;
            log.last_index = start.index;
        }
        for entry in &write.entries {
            log.entries.split_off(&entry.index);
            log.last_index = entry.index;
            log.entries.insert(entry.index, entry.clone());
        }
        if let Some(state) = write.hard_state {
            log.hard_state = state;
        }
    }
}
