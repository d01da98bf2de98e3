//! Reading entries back: neighbours with one `pread`.

use std::sync::Arc;

use bytes::Bytes;
use parking_lot::RwLock;

use super::frame::{self, ENTRY_HEADER_BYTES};
use super::index::{Index, Location};
use super::segment_name;
use crate::log::disk::DiskFile;
use crate::log::{LogEntry, LogError};
use crate::machine::GroupId;

/// Bytes of other groups that one read may take along.
const GAP_BYTES_MAX: u32 = 4 << 10;
/// Bytes of one read, unless a single entry is larger.
const RUN_BYTES_MAX: u32 = 1 << 20;

/// Entries that are read together.
struct Run {
    file: Arc<dyn DiskFile>,
    segment: u32,
    from: u32,
    to: u32,
    entries: Vec<(u64, Location)>,
}

pub(super) fn entries(
    index: &RwLock<Index>,
    group: GroupId,
    low: u64,
    high: u64,
    bytes_max: u64,
) -> Result<Vec<LogEntry>, LogError> {
    let runs = plan(&index.read(), group, low, high, bytes_max)?;
    let mut found = Vec::with_capacity(runs.iter().map(|run| run.entries.len()).sum());
    for run in runs {
        let mut buffer = vec![0; (run.to - run.from) as usize];
        let count = run.file.read_at(u64::from(run.from), &mut buffer);
        let count = count.map_err(|source| LogError::Fatal { operation: "read", source })?;
        buffer.truncate(count);
        let buffer = Bytes::from(buffer);
        for (at, location) in &run.entries {
            let damaged = |what: &str| LogError::Damaged {
                segment: segment_name(run.segment),
                offset: u64::from(location.offset),
                what: what.into(),
            };
            let begin = (location.offset - run.from) as usize;
            let end = begin + location.bytes as usize;
            if end > buffer.len() {
                return Err(damaged("the file ends before this entry"));
            }
            let entry = frame::entry(buffer.slice(begin..end), group, *at, location.term);
            found.push(entry.map_err(damaged)?);
        }
    }
    Ok(found)
}

fn plan(
    index: &Index,
    group: GroupId,
    low: u64,
    high: u64,
    bytes_max: u64,
) -> Result<Vec<Run>, LogError> {
    let mut runs: Vec<Run> = Vec::new();
    if low >= high {
        return Ok(runs);
    }
    let log = index.groups.get(&group).ok_or(LogError::Unavailable { group, index: low })?;
    log.at(group, low)?;
    log.at(group, high - 1)?;
    let mut total = 0;
    for at in low..high {
        let location = log.at(group, at)?;
        total += u64::from(location.bytes) - ENTRY_HEADER_BYTES as u64;
        if total > bytes_max && at > low {
            break;
        }
        let end = location.offset + location.bytes;
        if let Some(run) = runs.last_mut() {
            let near = location.offset.checked_sub(run.to).is_some_and(|gap| gap <= GAP_BYTES_MAX);
            if run.segment == location.segment && near && end - run.from <= RUN_BYTES_MAX {
                run.to = end;
                run.entries.push((at, location));
                continue;
            }
        }
        let file = index.segments.get(&location.segment).map(|segment| segment.file.clone());
        let file = file.ok_or(LogError::Unavailable { group, index: at })?;
        let (segment, from) = (location.segment, location.offset);
        runs.push(Run { file, segment, from, to: end, entries: vec![(at, location)] });
    }
    Ok(runs)
}
