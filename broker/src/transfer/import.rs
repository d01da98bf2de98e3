//! An import: the lines of a blob, carried out in order as far as they are about one device, and many devices at a time.
//!
//! Lines go in groups. When one is through, its errors are on disk and the job's document counts its lines; so after a
//! restart only the first group may have been begun before, and what of it was done already is no error
//! ([`RegistryOperation::is_so_already`](ironhub_domain::registry::RegistryOperation::is_so_already)).

use std::collections::HashMap;

use futures_util::future::try_join_all;
use ironhub_domain::HubError;
use ironhub_domain::ids::DeviceId;
use ironhub_domain::job::transfer::{TransferEvent, TransferJob};
use ironhub_domain::registry::{ImportItem, ItemFault};

use super::error_log::ErrorLog;
use super::export::percent;
use super::{Stop, Work, blob_name, is_passing, of_blob};
use crate::actor::NodeFacts;
use crate::blob::{Lines, SasContainer};

/// Lines of a group, and so operations under way at a time.
const GROUP_LINES: u64 = 1024;
/// Bytes of a group, and a line: what an import holds in memory.
const GROUP_BYTES: u64 = 8 << 20;

/// A line and what is to be done; lines are counted from 1.
type Numbered = (u64, Result<ImportItem, ItemFault>);

pub(super) async fn run(
    work: &Work,
    job: &TransferJob,
    (input, blob): (&SasContainer, &str),
    output: &SasContainer,
) -> Result<(), Stop> {
    let mut log = ErrorLog::open(&work.dir, job.id.as_str(), job.failed).await?;
    if job.begun.is_none() {
        // A container that cannot be written to is found now, and not with the last line.
        log.publish(output).await?;
    }
    let name = blob_name(blob)?;
    let lines = input.read_lines(&name, NodeFacts::now()).await.map_err(of_blob(blob))?;
    let mut reader = Reader { blob, bytes: lines.bytes(), lines, read: 0, number: 0 };
    reader.skip(job.done).await?;
    let mut may_be_done = job.begun.is_some();
    loop {
        let Some(group) = reader.group().await? else { break };
        let faults = carry_out(work, group, may_be_done).await?;
        may_be_done = false;
        log.append(&faults).await?;
        let event = TransferEvent::Progress {
            done: reader.number,
            failed: log.lines(),
            percent: percent(reader.read, reader.bytes),
        };
        work.advance(job.id.as_str(), event).await?;
    }
    tracing::info!(job = %job.id, lines = reader.number, failed = log.lines(), "an import is through");
    Ok(())
}

/// The blob, line by line.
struct Reader<'a> {
    blob: &'a str,
    lines: Lines,
    bytes: u64,
    read: u64,
    number: u64,
}

impl Reader<'_> {
    async fn next(&mut self) -> Result<Option<String>, Stop> {
        let line = self.lines.next().await.map_err(|error| {
            Stop::Failed(format!("line {} of the blob {:?}: {error}", self.number + 1, self.blob))
        })?;
        if let Some(line) = &line {
            self.number += 1;
            self.read += line.len() as u64 + 1;
        }
        Ok(line)
    }

    async fn skip(&mut self, lines: u64) -> Result<(), Stop> {
        while self.number < lines {
            if self.next().await?.is_none() {
                let why = format!(
                    "the blob {:?} has {} lines now, and {lines} were imported already",
                    self.blob, self.number
                );
                return Err(Stop::Failed(why));
            }
        }
        Ok(())
    }

    /// The next lines; `None` at the end. Empty ones count, and are nothing.
    async fn group(&mut self) -> Result<Option<Vec<Numbered>>, Stop> {
        let (mut group, from, begin) = (Vec::new(), self.read, self.number);
        while self.number - begin < GROUP_LINES && self.read - from < GROUP_BYTES {
            let Some(line) = self.next().await? else { break };
            // Some editors begin a file so.
            let text = if self.number == 1 { line.trim_start_matches('\u{feff}') } else { &line };
            if !text.trim().is_empty() {
                group.push((self.number, ImportItem::parse(text.as_bytes())));
            }
        }
        Ok((self.number > begin).then_some(group))
    }
}

/// Carries out a group; the faults, in the order of the lines.
async fn carry_out(
    work: &Work,
    group: Vec<Numbered>,
    may_be_done: bool,
) -> Result<Vec<(u64, ItemFault)>, Stop> {
    let mut faults = Vec::new();
    let mut devices: HashMap<DeviceId, Vec<(u64, ImportItem)>> = HashMap::new();
    for (number, item) in group {
        match item {
            Ok(item) => {
                let device = item.operation.identity().device;
                devices.entry(device).or_default().push((number, item));
            }
            Err(fault) => faults.push((number, fault)),
        }
    }
    let carried = try_join_all(devices.into_values().map(|items| async move {
        let mut faults = Vec::new();
        let last = items.last().map(|(_, item)| item.operation.clone());
        for (number, item) in items {
            if let Some(error) = carry_out_one(work, &item, may_be_done).await? {
                faults.push((number, ItemFault::of(&item, error)));
            }
        }
        if let Some(operation) = last {
            work.router.release_device(&operation);
        }
        Ok::<_, Stop>(faults)
    }));
    faults.extend(carried.await?.into_iter().flatten());
    faults.sort_by_key(|(number, _)| *number);
    Ok(faults)
}

/// Carries out one item; why it came to nothing, if it did. What the hub refuses only just now is tried until it does not,
/// or the job is cancelled.
async fn carry_out_one(
    work: &Work,
    item: &ImportItem,
    mut may_be_done: bool,
) -> Result<Option<HubError>, Stop> {
    loop {
        match work.router.carry_out(item.operation.clone()).await {
            Ok(()) => return Ok(None),
            Err(HubError::ShuttingDown) => return Err(Stop::Interrupted),
            Err(HubError::OutcomeUnknown) => may_be_done = true,
            Err(error) if is_passing(&error) => {}
            Err(error) => {
                let is_so = may_be_done && work.router.is_so_already(&item.operation)?;
                return Ok((!is_so).then_some(error));
            }
        }
        work.wait().await?;
    }
}
