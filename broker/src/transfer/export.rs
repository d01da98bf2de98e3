//! An export: every identity a line, into a blob that appears when its last line is written.

use std::ops::ControlFlow;
use std::time::{Duration, Instant};

use ironhub_domain::HubError;
use ironhub_domain::job::transfer::{TransferEvent, TransferJob};
use ironhub_domain::registry::import::{device_line, module_line};
use tokio::sync::mpsc;

use super::{Stop, Work, blob_name, of_blob};
use crate::actor::NodeFacts;
use crate::blob::SasContainer;
use crate::router::{Entry, Router};

/// What is read ahead of the blob: so many pieces, each of about so many bytes.
const PIECES_MAX: usize = 4;
const PIECE_BYTES: usize = 256 * 1024;
/// How often services are told how far it is.
const TELL_EVERY: Duration = Duration::from_secs(1);

/// Lines, and what they are.
#[derive(Default)]
struct Piece {
    text: String,
    lines: u64,
    devices: u64,
}

pub(super) async fn run(
    work: &Work,
    job: &TransferJob,
    (container, blob): (&SasContainer, &str),
    without_keys: bool,
) -> Result<(), Stop> {
    let name = blob_name(blob)?;
    let configurations = match &job.request.configurations {
        Some(blob) => Some((super::configurations::export(work, container, blob).await?, blob)),
        None => None,
    };
    let mut writer = container.write(&name, NodeFacts::now()).await.map_err(of_blob(blob))?;
    let devices = work.router.device_count()?;
    let (pieces, mut ready) = mpsc::channel(PIECES_MAX);
    let router = work.router.clone();
    let scan = tokio::task::spawn_blocking(move || scan(&router, without_keys, &pieces));
    let (mut done, mut devices_done, mut told) = (0, 0, Instant::now());
    while let Some(piece) = ready.recv().await {
        writer.write(piece.text.as_bytes()).await.map_err(of_blob(blob))?;
        done += piece.lines;
        devices_done += piece.devices;
        if told.elapsed() >= TELL_EVERY {
            told = Instant::now();
            let percent = percent(devices_done, devices);
            let event =
                TransferEvent::Progress { done, configurations_done: 0, failed: 0, percent };
            work.advance(job.id.as_str(), event).await?;
        }
    }
    // Only a scan that came to its end makes a blob.
    scan.await.map_err(|error| Stop::Failed(error.to_string()))??;
    let mut configurations_done = 0;
    if let Some(((writer, count), blob)) = configurations {
        writer.finish(NodeFacts::now()).await.map_err(of_blob(blob))?;
        configurations_done = count;
    }
    writer.finish(NodeFacts::now()).await.map_err(of_blob(blob))?;
    let event = TransferEvent::Progress { done, configurations_done, failed: 0, percent: 100 };
    work.advance(job.id.as_str(), event).await?;
    tracing::info!(job = %job.id, lines = done, configurations = configurations_done, "the registry was exported");
    Ok(())
}

/// Of `all`; the last percent is the writing itself.
pub(super) fn percent(done: u64, all: u64) -> u8 {
    let percent = done.saturating_mul(100).checked_div(all).unwrap_or(100).min(99);
    u8::try_from(percent).unwrap_or(99)
}

/// Reads the registry on a thread of its own. Ends early when nobody takes the pieces any more.
fn scan(router: &Router, without_keys: bool, pieces: &mpsc::Sender<Piece>) -> Result<(), HubError> {
    let mut piece = Piece::default();
    router.visit_entries(&mut |entry| {
        match entry {
            Entry::Device(device, twin) => {
                piece.text += &device_line(&device, twin.as_ref(), without_keys);
                piece.devices += 1;
            }
            Entry::Module(module, twin) => {
                piece.text += &module_line(&module, twin.as_ref(), without_keys);
            }
        }
        piece.text.push('\n');
        piece.lines += 1;
        if piece.text.len() < PIECE_BYTES {
            return ControlFlow::Continue(());
        }
        match pieces.blocking_send(std::mem::take(&mut piece)) {
            Ok(()) => ControlFlow::Continue(()),
            Err(_) => ControlFlow::Break(()),
        }
    })?;
    // Nobody takes it when the job has ended.
    let _ = pieces.blocking_send(piece);
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::percent;

    #[test]
    fn an_export_is_at_its_end_only_when_it_has_ended() {
        for (done, all, expected) in
            [(0, 10, 0), (5, 10, 50), (10, 10, 99), (11, 10, 99), (0, 0, 99), (u64::MAX, 3, 99)]
        {
            assert_eq!(percent(done, all), expected, "{done} of {all}");
        }
    }
}
