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
use super::group_reader::{GroupReader, Numbered};
use super::{Stop, Work, is_passing};
use crate::blob::SasContainer;

pub(super) async fn run(
    work: &Work,
    job: &TransferJob,
    (input, blob): (&SasContainer, &str),
    output: &SasContainer,
) -> Result<(), Stop> {
    let (mut log, job) = begin(work, job).await?;
    if job.begun.is_none() {
        // A container that cannot be written to is found now, and not with the last line.
        log.publish(output).await?;
    }
    let mut devices = GroupReader::open(input, blob).await?;
    let mut configurations = match &job.request.configurations {
        Some(blob) => Some(GroupReader::open(input, blob).await?),
        None => None,
    };
    let bytes = devices.bytes() + configurations.as_ref().map_or(0, GroupReader::bytes);
    // What may have been carried out before: the first group, or all.
    let mut may_be_done = job.begun.is_some();
    devices.skip(job.done).await?;
    while let Some(group) = devices.group().await? {
        let faults = carry_out(work, group, may_be_done).await?;
        may_be_done = job.again;
        log.append(&faults).await?;
        let event = TransferEvent::Progress {
            done: devices.number(),
            configurations_done: job.configurations_done,
            failed: log.lines(),
            percent: percent(devices.read(), bytes),
        };
        work.advance(job.id.as_str(), event).await?;
    }
    if let Some(configurations) = &mut configurations {
        configurations.skip(job.configurations_done).await?;
        while let Some(group) = configurations.group().await? {
            let faults = super::configurations::carry_out(work, group, may_be_done).await?;
            may_be_done = job.again;
            log.append(&faults).await?;
            let event = TransferEvent::Progress {
                done: devices.number(),
                configurations_done: configurations.number(),
                failed: log.lines(),
                percent: percent(devices.read() + configurations.read(), bytes),
            };
            work.advance(job.id.as_str(), event).await?;
        }
    }
    tracing::info!(
        job = %job.id,
        lines = devices.number(),
        configurations = configurations.as_ref().map_or(0, GroupReader::number),
        failed = log.lines(),
        "an import is through"
    );
    Ok(())
}

/// The errors so far, and the import as it goes on: behind the lines that were counted, or if this node has not all of their
/// errors from the first line.
async fn begin(work: &Work, job: &TransferJob) -> Result<(ErrorLog, TransferJob), Stop> {
    let id = job.id.as_str();
    if let Some(log) = ErrorLog::open(&work.dir, id, job.failed).await? {
        return Ok((log, job.clone()));
    }
    tracing::warn!(
        job = id,
        failed = job.failed,
        "the errors of an import are lost: it begins anew"
    );
    let job = work.advance(id, TransferEvent::Again).await?;
    let log = ErrorLog::open(&work.dir, id, 0).await?;
    Ok((log.ok_or_else(|| Stop::Failed("the errors cannot be kept".into()))?, job))
}

/// Carries out a group; what the log of errors has of it, in the order of the lines.
async fn carry_out(
    work: &Work,
    group: Vec<Numbered>,
    may_be_done: bool,
) -> Result<Vec<String>, Stop> {
    let mut faults = Vec::new();
    let mut devices: HashMap<DeviceId, Vec<(u64, ImportItem)>> = HashMap::new();
    for (number, line) in group {
        match ImportItem::parse(line.as_bytes()) {
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
    Ok(faults.into_iter().map(|(number, fault)| fault.log_line(number)).collect())
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
