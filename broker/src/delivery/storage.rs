//! Writes one partition's events to blobs: what comes within a time, or up to a size, is one blob.
//!
//! The log is where events gather, so no batch is held in memory. A blob's name says which event is its first, so a blob that
//! is written again after a failure takes the place of the one before.

use std::sync::Arc;
use std::time::Duration;

use ironhub_domain::event::Event;
use ironhub_domain::routing::{Container, Encoding, Storage as Settings};
use ironhub_domain::time::UnixMs;

use super::outlet::{HUB_PAUSE, Outlet};
use super::{avro, render};
use crate::actor::NodeFacts;
use crate::blob::{BlobName, ContainerName, SasContainer, Storage};

/// Encoded bytes of events that are in memory at a time.
const READ_BYTES: usize = 256 * 1024;
const READ_EVENTS_MAX: usize = 1024;
/// The longest pause between two attempts; they go on until the events are too old.
const PAUSE_MAX: Duration = Duration::from_secs(60);

/// Where blobs go, and the hub's name in theirs.
pub(super) struct Place {
    pub(super) blobs: Arc<Storage>,
    pub(super) hub: String,
}

/// Why a blob was not written, in words for whoever reads the endpoint's health.
#[derive(Debug, thiserror::Error)]
enum WriteError {
    #[error("{0}")]
    Blob(#[from] crate::blob::BlobError),
    #[error("the blob's name: {0}")]
    Name(#[from] crate::blob::NameError),
    #[error("{0}")]
    Hub(#[from] ironhub_domain::HubError),
}

/// Writes until it is dropped.
pub(super) async fn run(mut outlet: Outlet, settings: Settings, place: Place) {
    while let Err(error) = outlet.open().await {
        tracing::warn!(endpoint = outlet.endpoint, %error, "deliveries cannot begin yet");
        tokio::time::sleep(HUB_PAUSE).await;
    }
    let mut pause = HUB_PAUSE;
    loop {
        outlet.wait().await;
        let written = match gather(&mut outlet, &settings).await {
            Ok(Some(first)) => write(&outlet, &settings, &place, first).await,
            Ok(None) => continue,
            Err(error) => Err(error),
        };
        let (endpoint, number) = (outlet.endpoint.clone(), outlet.number());
        match written {
            Ok(end) => {
                let count = end - outlet.next();
                outlet.advance(end);
                outlet.health.delivered(&endpoint, number, count, NodeFacts::now());
                outlet.save().await;
                pause = HUB_PAUSE;
            }
            Err(error) => {
                tracing::warn!(endpoint, number, %error, "a blob could not be written");
                outlet.health.failed(&endpoint, number, &error.to_string(), NodeFacts::now());
                tokio::time::sleep(pause.mul_f64(1.0 - rand::random::<f64>() / 2.0)).await;
                pause = (pause * 2).min(PAUSE_MAX);
            }
        }
    }
}

/// Waits until the batch is full or old enough; its first event, if it is still there.
async fn gather(outlet: &mut Outlet, settings: &Settings) -> Result<Option<Event>, WriteError> {
    let first = outlet.read(outlet.next(), 1, 1).await?.into_iter().next();
    let Some(first) = first else { return Ok(None) };
    loop {
        let bytes = outlet.bounds().next_offset.saturating_sub(first.offset);
        let Some(rest) = rest_of(&first, settings, bytes, NodeFacts::now()) else {
            return Ok(Some(first));
        };
        tokio::select! {
            () = outlet.changed() => {}
            () = tokio::time::sleep(rest) => {}
        }
    }
}

/// How long to gather still; `None` if the batch is complete: so many bytes from its first event on, or old enough.
fn rest_of(first: &Event, settings: &Settings, bytes: u64, now: UnixMs) -> Option<Duration> {
    if bytes >= settings.batch_bytes {
        return None;
    }
    let due = first.enqueued.0.saturating_add(settings.batch_seconds.saturating_mul(1000));
    let rest = due.saturating_sub(now.0);
    (rest > 0).then(|| Duration::from_millis(rest))
}

/// Writes a blob that begins with `first`; gives the number of the event after its last.
async fn write(
    outlet: &Outlet,
    settings: &Settings,
    place: &Place,
    first: Event,
) -> Result<u64, WriteError> {
    let (end, now) = (outlet.bounds().next_sequence, NodeFacts::now());
    let container = open(&settings.container, &place.blobs, now)?;
    let name = settings.name_format.name(&place.hub, outlet.number(), first.enqueued);
    let name = BlobName::new(with_number(&name, first.sequence))?;
    let mut writer = container.write(&name, now).await?;
    let sync: avro::Sync = rand::random();
    if settings.encoding == Encoding::Avro {
        writer.write(&avro::header(&sync)).await?;
    }
    let mut next = first.sequence;
    loop {
        let mut events = outlet.read(next, READ_BYTES, READ_EVENTS_MAX).await?;
        events.retain(|event| {
            event.sequence < end && event.offset < first.offset.saturating_add(settings.batch_bytes)
        });
        let Some(last) = events.last() else { break };
        next = last.sequence + 1;
        let bytes = match settings.encoding {
            Encoding::Avro => avro::block(&events, &sync),
            Encoding::JsonLines => lines(&events),
        };
        writer.write(&bytes).await?;
    }
    writer.finish(NodeFacts::now()).await?;
    Ok(next)
}

fn open(container: &Container, blobs: &Storage, now: UnixMs) -> Result<SasContainer, WriteError> {
    Ok(match container {
        Container::Own(name) => blobs.own_container(&ContainerName::new(name)?, now)?,
        Container::Uri(uri) => blobs.container(uri, now)?,
    })
}

fn lines(events: &[Event]) -> Vec<u8> {
    let mut out = Vec::new();
    for event in events {
        out.extend_from_slice(render::event(event).to_string().as_bytes());
        out.push(b'\n');
    }
    out
}

/// The name with the number of the blob's first event, before the extension if there is one: a partition may fill several in
/// a minute, which is all that the format tells apart.
fn with_number(name: &str, sequence: u64) -> String {
    let file = name.rfind('/').map_or(0, |slash| slash + 1);
    match name[file..].rfind('.') {
        Some(dot) if dot > 0 => {
            let (stem, extension) = name.split_at(file + dot);
            format!("{stem}_{sequence}{extension}")
        }
        Some(_) | None => format!("{name}_{sequence}"),
    }
}

#[cfg(test)]
mod tests {
    use ironhub_domain::routing::BlobNameFormat;

    use super::*;
    use crate::delivery::render::tests::sample;

    #[test]
    fn a_blob_s_number_stands_before_its_extension() {
        for (name, expected) in [
            ("hub/00/05", "hub/00/05_7"),
            ("hub/00/05.json", "hub/00/05_7.json"),
            ("hub.x/00/05", "hub.x/00/05_7"),
            ("hub/.05", "hub/.05_7"),
            ("05.tar.gz", "05.tar_7.gz"),
        ] {
            assert_eq!(with_number(name, 7), expected);
        }
    }

    #[test]
    fn a_batch_is_complete_by_size_or_by_the_age_of_its_first_event() {
        let settings = Settings {
            container: Container::Own("c12".into()),
            name_format: BlobNameFormat::default(),
            batch_seconds: 60,
            batch_bytes: 1000,
            encoding: Encoding::JsonLines,
        };
        let first = sample(0, "", false);
        let check = |bytes: u64, age: u64, rest: Option<u64>| {
            let now = UnixMs(first.enqueued.0 + age);
            let expected = rest.map(Duration::from_millis);
            assert_eq!(rest_of(&first, &settings, bytes, now), expected, "{bytes} {age}");
        };
        check(999, 0, Some(60_000));
        check(999, 59_999, Some(1));
        check(999, 60_000, None);
        check(1000, 0, None);
    }

    #[test]
    fn each_event_is_a_line() {
        let events = [sample(0, r#"{"a":"x\ny"}"#, true), sample(1, "two", false)];
        let text = String::from_utf8(lines(&events)).unwrap();
        assert_eq!(text.lines().count(), 2);
        assert!(text.ends_with("}\n"));
    }
}
