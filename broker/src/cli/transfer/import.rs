//! `ironhub import`.

use std::fs::File;
use std::io::{self, Read};
use std::path::{Path, PathBuf};

use clap::Args;
use ironhub_domain::job::transfer::{DEVICES_BLOB, ERRORS_BLOB};
use serde_json::{Value, json};

use super::watch::{bar, carry_out};
use super::{DASH, PlaceArgs};
use crate::cli::connection::HubConnection;
use crate::cli::output::{escaped, print_json, text};
use crate::cli::{CommandError, hint};
use crate::client::blobs::{BlobContainer, BlobTransferError};

const EXAMPLES: &str = "\
What another hub, or Azure IoT Hub, has exported:
  ironhub import devices.txt

From a container of Azure Blob Storage, where Azure IoT Hub has written it:
  ironhub import --container-uri 'https://account.blob.core.windows.net/registry?sv=…&sig=…'

Each line is a device or module in JSON, and may say in importMode what is to be done with it: create,
update, createOrUpdate (if it says nothing), delete, updateTwin, and others. Lines that come to
nothing are shown with their numbers and do not keep the others from being imported; the exit code is
then 1.";

/// Options of `import`.
#[derive(Clone, Debug, Args)]
#[command(after_help = EXAMPLES)]
pub struct ImportArgs {
    /// File to read, a device or module in JSON on each line; - is standard input
    #[arg(value_name = "FILE", required_unless_present = "container_uri")]
    pub file: Option<PathBuf>,
    /// Configurations too, from configurations.txt beside; only with --container-uri
    #[arg(long, requires = "container_uri")]
    pub include_configurations: bool,
    /// Where from
    #[command(flatten)]
    pub place: PlaceArgs,
}

/// Carries the command out.
pub async fn import(args: &ImportArgs) -> Result<(), CommandError> {
    let hub = HubConnection::find(&args.place.connection)?;
    let Some(file) = &args.file else {
        let uri = args.place.container_uri.as_deref().unwrap_or_default();
        let request = request(uri, &args.place.blob, args.include_configurations);
        let job = carry_out(&hub.rest(), &request, "Importing").await?;
        if args.place.json {
            print_json(&job)?;
        }
        return conclude(&job, &format!(", see {ERRORS_BLOB} in the container"));
    };
    // Before anything is made: a file that is not there costs nothing.
    let (mut source, length) = open(file)?;
    let mut container = args.place.temporary(&hub).await?;
    let outcome = async {
        let bar = bar(length, "Uploading");
        let uploaded =
            container.upload(DEVICES_BLOB, &mut *source, &mut |sent| bar.set_position(sent)).await;
        uploaded.map_err(|error| match error {
            BlobTransferError::Client(error) => CommandError::Client(error),
            BlobTransferError::File(error) => unreadable(file, &error),
        })?;
        bar.finish_and_clear();
        let request = request(&container.url(), DEVICES_BLOB, false);
        let job = carry_out(&hub.rest(), &request, "Importing").await?;
        report(args, &mut container, job).await
    }
    .await;
    // Also after a failure nothing stays behind.
    let removed = container.delete().await;
    let job = outcome?;
    removed?;
    conclude(&job, "")
}

fn request(uri: &str, blob: &str, include_configurations: bool) -> Value {
    json!({
        "type": "import",
        "inputBlobContainerUri": uri,
        "inputBlobName": blob,
        "outputBlobContainerUri": uri,
        "includeConfigurations": include_configurations,
    })
}

fn open(file: &Path) -> Result<(Box<dyn Read + Send>, u64), CommandError> {
    if file == Path::new(DASH) {
        return Ok((Box::new(io::stdin()), 0));
    }
    let cannot = |error: io::Error| unreadable(file, &error);
    let opened = File::open(file).map_err(cannot)?;
    let length = opened.metadata().map_err(cannot)?.len();
    Ok((Box::new(opened), length))
}

fn unreadable(file: &Path, error: &io::Error) -> CommandError {
    CommandError::Usage(format!("cannot read {}: {error}", file.display()))
}

/// Shows what came to nothing: to a person line by line, to a program with the job.
async fn report(
    args: &ImportArgs,
    container: &mut BlobContainer,
    mut job: Value,
) -> Result<Value, CommandError> {
    let (mut lines, mut errors) = (LogLines::default(), Vec::new());
    let mut take = |error: Value| match args.place.json {
        true => errors.push(error),
        false => eprintln!("{}", shown(&error)),
    };
    if job["failedCount"].as_u64() != Some(0) {
        container
            .download(ERRORS_BLOB, &mut |piece| {
                lines.read(piece, &mut take);
                Ok(())
            })
            .await?;
    }
    if args.place.json {
        job["errors"] = errors.into();
        print_json(&job)?;
    }
    Ok(job)
}

/// Whole lines out of pieces.
#[derive(Default)]
struct LogLines {
    begun: Vec<u8>,
}

impl LogLines {
    fn read(&mut self, piece: &[u8], take: &mut dyn FnMut(Value)) {
        for part in piece.split_inclusive(|byte| *byte == b'\n') {
            self.begun.extend_from_slice(part);
            if part.ends_with(b"\n") {
                let line = std::mem::take(&mut self.begun);
                take(serde_json::from_slice(&line).unwrap_or_default());
            }
        }
    }
}

fn shown(error: &Value) -> String {
    let identity = match (error["deviceId"].as_str(), error["moduleId"].as_str()) {
        (Some(device), Some(module)) => format!(" {device}/{module}:"),
        (Some(device), None) => format!(" {device}:"),
        (None, _) => String::new(),
    };
    let said = format!("{identity} {} ({})", text(&error["errorStatus"]), error["errorCode"]);
    format!("line {}:{}", error["line"], escaped(&said))
}

fn conclude(job: &Value, where_to_look: &str) -> Result<(), CommandError> {
    let count = |name: &str| job[name].as_u64().unwrap_or_default();
    let (lines, failed) = (count("processedCount"), count("failedCount"));
    if failed > 0 {
        let why = format!("{failed} of {lines} lines came to nothing{where_to_look}");
        return Err(CommandError::Refused(why));
    }
    hint(&format!("{lines} lines imported."));
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_error_is_shown_with_its_line() {
        let error = json!({"line": 7, "deviceId": "d", "moduleId": null, "errorCode": 409_001, "errorStatus": "it\nis"});
        assert_eq!(shown(&error), "line 7: d: it\\nis (409001)");
        let unread = json!({"line": 1, "errorCode": 400_012, "errorStatus": "?"});
        assert_eq!(shown(&unread), "line 1: ? (400012)");
    }

    #[test]
    fn lines_are_found_however_they_arrive() {
        let text = b"{\"line\":1}\n{\"line\":2}\n";
        for size in 1..=text.len() {
            let (mut lines, mut found) = (LogLines::default(), Vec::new());
            for piece in text.chunks(size) {
                lines.read(piece, &mut |error| found.push(error["line"].as_u64()));
            }
            assert_eq!(found, [Some(1), Some(2)], "in pieces of {size}");
        }
    }
}
