//! Configurations that go with a registry: out of the hub, and in again behind all devices, which are brought into line then
//! as after any change of a configuration.

use ironhub_domain::HubError;
use ironhub_domain::configuration::{ConfigurationFault, ConfigurationItem};

use super::group_reader::Numbered;
use super::{Stop, Work, blob_name, is_passing, of_blob};
use crate::actor::NodeFacts;
use crate::blob::{BlobWriter, SasContainer};

/// Writes them all, the one made first on the first line, so that where they are imported the same ones go before others.
/// The blob is nothing before it is finished. Gives how many there are.
pub(super) async fn export(
    work: &Work,
    container: &SasContainer,
    blob: &str,
) -> Result<(BlobWriter, u64), Stop> {
    let mut all = work.router.configurations()?;
    all.sort_by(|a, b| a.created.cmp(&b.created).then_with(|| b.id.cmp(&a.id)));
    let name = blob_name(blob)?;
    let mut writer = container.write(&name, NodeFacts::now()).await.map_err(of_blob(blob))?;
    for configuration in &all {
        let line = configuration.line() + "\n";
        writer.write(line.as_bytes()).await.map_err(of_blob(blob))?;
    }
    Ok((writer, all.len() as u64))
}

/// Carries out a group of lines in their order; what the log of errors has of them.
pub(super) async fn carry_out(
    work: &Work,
    group: Vec<Numbered>,
    may_be_done: bool,
) -> Result<Vec<String>, Stop> {
    let mut faults = Vec::new();
    for (number, line) in group {
        let fault = match ConfigurationItem::parse(line.as_bytes()) {
            Err(fault) => Some(fault),
            Ok(item) => carry_out_one(work, &item, may_be_done)
                .await?
                .map(|error| ConfigurationFault { id: item.request.id.as_str().to_owned(), error }),
        };
        faults.extend(fault.map(|fault| fault.log_line(number)));
    }
    Ok(faults)
}

/// As with devices: what the hub refuses only just now is tried until it does not, or the job is cancelled.
async fn carry_out_one(
    work: &Work,
    item: &ConfigurationItem,
    mut may_be_done: bool,
) -> Result<Option<HubError>, Stop> {
    loop {
        match work.router.import_configuration(item).await {
            Ok(()) => return Ok(None),
            Err(HubError::ShuttingDown) => return Err(Stop::Interrupted),
            Err(HubError::OutcomeUnknown) => may_be_done = true,
            Err(error) if is_passing(&error) => {}
            Err(error) => {
                let is_so = || match work.router.configuration(&item.request.id) {
                    Ok(found) => Ok(item.is_so_already(&found)),
                    Err(HubError::ConfigurationNotFound(_)) => Ok(false),
                    Err(error) => Err(error),
                };
                let is_so = may_be_done && is_so()?;
                return Ok((!is_so).then_some(error));
            }
        }
        work.wait().await?;
    }
}
