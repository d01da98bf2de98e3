//! `ironhub export`.

use std::fs::{File, OpenOptions};
use std::io::{self, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};

use clap::Args;
use ironhub_domain::job::transfer::DEVICES_BLOB;
use serde_json::{Value, json};

use super::watch::carry_out;
use super::{DASH, PlaceArgs};
use crate::cli::connection::HubConnection;
use crate::cli::output::print_json;
use crate::cli::{CommandError, hint};
use crate::client::blobs::BlobContainer;

const EXAMPLES: &str = "\
The whole registry, with the keys of all devices, into a file that only you can read:
  ironhub export devices.txt

To look at, without keys:
  ironhub export --exclude-keys | jq -r .id

Into a container of Azure Blob Storage, from where another hub imports it:
  ironhub export --container-uri 'https://account.blob.core.windows.net/registry?sv=…&sig=…'";

/// Options of `export`.
#[derive(Clone, Debug, Args)]
#[command(after_help = EXAMPLES)]
pub struct ExportArgs {
    /// File to write, a device or module in JSON on each line; - is standard output
    #[arg(value_name = "FILE", default_value = DASH)]
    pub file: PathBuf,
    /// Leave out the keys of devices and modules
    #[arg(long)]
    pub exclude_keys: bool,
    /// Configurations too, into configurations.txt beside; only with --container-uri
    #[arg(long, requires = "container_uri")]
    pub include_configurations: bool,
    /// Where to
    #[command(flatten)]
    pub place: PlaceArgs,
}

/// Carries the command out.
pub async fn export(args: &ExportArgs) -> Result<(), CommandError> {
    let hub = HubConnection::find(&args.place.connection)?;
    if let Some(uri) = &args.place.container_uri {
        let request = request(args, uri, &args.place.blob);
        let job = carry_out(&hub.rest(), &request, "Exporting").await?;
        return conclude(args, &job);
    }
    let mut container = args.place.temporary(&hub).await?;
    let outcome = async {
        let request = request(args, &container.url(), DEVICES_BLOB);
        let job = carry_out(&hub.rest(), &request, "Exporting").await?;
        fetch(&mut container, &args.file).await?;
        Ok::<_, CommandError>(job)
    }
    .await;
    // Also after a failure nothing stays behind.
    let removed = container.delete().await;
    let job = outcome?;
    removed?;
    conclude(args, &job)
}

fn request(args: &ExportArgs, uri: &str, blob: &str) -> Value {
    json!({
        "type": "export",
        "outputBlobContainerUri": uri,
        "outputBlobName": blob,
        "excludeKeysInExport": args.exclude_keys,
        "includeConfigurations": args.include_configurations,
    })
}

fn conclude(args: &ExportArgs, job: &Value) -> Result<(), CommandError> {
    let to_stdout = args.place.container_uri.is_none() && args.file == Path::new(DASH);
    if args.place.json && !to_stdout {
        return print_json(job);
    }
    hint(&format!("{} devices and modules exported.", job["processedCount"]));
    Ok(())
}

/// A file is complete, or it is not there.
async fn fetch(container: &mut BlobContainer, file: &Path) -> Result<(), CommandError> {
    if file == Path::new(DASH) {
        let mut out = io::stdout().lock();
        container.download(DEVICES_BLOB, &mut |piece| out.write_all(piece)).await?;
        return Ok(out.flush()?);
    }
    let mut beside = file.as_os_str().to_owned();
    beside.push(".part");
    let cannot =
        |error: io::Error| CommandError::Usage(format!("cannot write {}: {error}", file.display()));
    let mut part = private(Path::new(&beside)).map_err(cannot)?;
    container.download(DEVICES_BLOB, &mut |piece| part.write_all(piece)).await?;
    part.sync_all().map_err(cannot)?;
    std::fs::rename(&beside, file).map_err(cannot)
}

/// It has keys: only its owner may read it.
fn private(path: &Path) -> io::Result<File> {
    let _ = std::fs::remove_file(path);
    OpenOptions::new().create_new(true).write(true).mode(0o600).open(path)
}
