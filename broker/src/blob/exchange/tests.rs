//! A container of the hub through its URL: on its disk, and over the wire as another hub would use it.

use std::path::PathBuf;
use std::sync::atomic::{AtomicU32, Ordering};

use super::*;
use crate::blob::ContainerName;
use crate::blob::filesystem::containers::Containers;
use crate::blob::sas::{ALL, Resource, SasError, SasKey};
use crate::blob::service::{ACCOUNT, uploads};

const NOW: UnixMs = UnixMs(1_767_323_045_678);
/// A whole second, as tokens end.
const UNTIL: UnixMs = UnixMs(1_767_326_646_000);

struct Hub {
    service: Arc<BlobService>,
    dir: PathBuf,
}

impl Hub {
    fn new() -> Self {
        static NEXT: AtomicU32 = AtomicU32::new(0);
        let number = NEXT.fetch_add(1, Ordering::Relaxed);
        let dir = format!("ironhub-exchange-{}-{number}", std::process::id());
        let dir = std::env::temp_dir().join(dir);
        let _ = std::fs::remove_dir_all(&dir);
        std::fs::create_dir_all(&dir).unwrap();
        let containers = Containers::open(&dir.join("blobs"), uploads(), NOW).unwrap();
        let key = SasKey::open(&dir.join("blob.key")).unwrap();
        let service = BlobService::new(containers, key, Box::new(|| Ok(1 << 40)), 0);
        Self { service: Arc::new(service), dir }
    }

    fn url(&self, permissions: &str) -> String {
        let name = ContainerName::new("exports").unwrap();
        let token = self.service.key.token(Resource::Container(&name), permissions, UNTIL);
        format!("https://hub.test/{ACCOUNT}/{name}{token}")
    }

    fn open(&self, permissions: &str) -> SasContainer {
        SasContainer::open(&self.service, "hub.test", &self.url(permissions), None, NOW).unwrap()
    }
}

impl Drop for Hub {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.dir);
    }
}

fn blob() -> BlobName {
    BlobName::new("a folder/devices.txt".into()).unwrap()
}

async fn write(container: &SasContainer, text: &str) -> Result<u64, BlobError> {
    let mut writer = container.write(&blob(), NOW).await?;
    writer.write(text.as_bytes()).await?;
    writer.finish(NOW).await
}

async fn read(container: &SasContainer) -> Result<Vec<String>, BlobError> {
    let mut lines = container.read_lines(&blob(), NOW).await?;
    let mut found = Vec::new();
    while let Some(line) = lines.next().await? {
        found.push(line);
    }
    Ok(found)
}

#[tokio::test]
async fn what_is_written_is_read_back_line_by_line() {
    let hub = Hub::new();
    let container = hub.open(ALL);
    for (text, lines) in [
        ("", vec![]),
        ("a", vec!["a"]),
        ("a\n", vec!["a"]),
        ("a\r\n\nb\n\n", vec!["a", "", "b", ""]),
        ("\u{feff}ä\n€", vec!["\u{feff}ä", "€"]),
    ] {
        assert_eq!(write(&container, text).await.unwrap(), text.len() as u64);
        assert_eq!(read(&container).await.unwrap(), lines, "{text:?}");
    }
    container.delete(&blob(), NOW).await.unwrap();
    assert!(matches!(read(&container).await, Err(BlobError::NotFound)));
    assert!(matches!(container.delete(&blob(), NOW).await, Err(BlobError::NotFound)));
}

#[tokio::test]
async fn many_pieces_are_one_blob_and_lines_do_not_care_where_they_are_cut() {
    let hub = Hub::new();
    let container = hub.open(ALL);
    let lines: Vec<String> = (0..5000).map(|n| format!("{n:0>width$}", width = n % 997)).collect();
    let mut writer = container.write(&blob(), NOW).await.unwrap();
    for line in &lines {
        writer.write(line.as_bytes()).await.unwrap();
        writer.write(b"\n").await.unwrap();
    }
    let bytes = writer.finish(NOW).await.unwrap();
    assert_eq!(container.read(&blob(), NOW).await.unwrap().bytes(), bytes);
    assert_eq!(read(&container).await.unwrap(), lines);
}

#[tokio::test]
async fn a_writer_that_is_dropped_leaves_the_old_blob() {
    let hub = Hub::new();
    let container = hub.open(ALL);
    write(&container, "old").await.unwrap();
    let mut writer = container.write(&blob(), NOW).await.unwrap();
    writer.write(&vec![b'x'; 1 << 20]).await.unwrap();
    drop(writer);
    assert_eq!(read(&container).await.unwrap(), ["old"]);
}

#[tokio::test]
async fn a_line_that_is_too_long_or_no_text_is_refused() {
    let hub = Hub::new();
    let container = hub.open(ALL);
    let longest = "x".repeat(LINE_BYTES_MAX);
    write(&container, &format!("{longest}\n{longest}")).await.unwrap();
    assert_eq!(read(&container).await.unwrap(), [longest.as_str(), &longest]);
    write(&container, &format!("{longest}x\n")).await.unwrap();
    assert!(matches!(read(&container).await, Err(BlobError::Line { .. })));
    let mut writer = container.write(&blob(), NOW).await.unwrap();
    writer.write(b"\xff\n").await.unwrap();
    writer.finish(NOW).await.unwrap();
    assert!(matches!(read(&container).await, Err(BlobError::Line { .. })));
}

#[tokio::test]
async fn a_token_permits_what_it_says_and_for_as_long() {
    let hub = Hub::new();
    // Nobody made the container: only a token with `c` does.
    let refused = write(&hub.open("rwdl"), "x").await;
    assert!(matches!(refused, Err(BlobError::ContainerNotFound)), "{refused:?}");
    write(&hub.open("c"), "first").await.unwrap();
    let again = write(&hub.open("c"), "second").await;
    assert!(matches!(again, Err(BlobError::AlreadyExists)), "{again:?}");
    write(&hub.open("w"), "second").await.unwrap();
    assert_eq!(read(&hub.open("r")).await.unwrap(), ["second"]);
    let no = Err::<(), _>(SasError::Permission);
    let shown = |outcome: Result<(), BlobError>| match outcome {
        Err(BlobError::Sas(error)) => Err(error),
        other => panic!("{other:?}"),
    };
    assert_eq!(shown(read(&hub.open("wl")).await.map(|_| ())), no);
    assert_eq!(shown(write(&hub.open("rl"), "x").await.map(|_| ())), no);
    assert_eq!(shown(hub.open("rw").delete(&blob(), NOW).await), no);
    let late = hub.open(ALL).read(&blob(), UNTIL).await.map(|_| ());
    assert_eq!(shown(late), Err(SasError::Expired));
    let expired = SasContainer::open(&hub.service, "hub.test", &hub.url(ALL), None, UNTIL);
    assert_eq!(shown(expired.map(|_| ())), Err(SasError::Expired));
    let forged = hub.url("r").replace("sp=r", "sp=rwd");
    let forged = SasContainer::open(&hub.service, "hub.test", &forged, None, NOW);
    assert_eq!(shown(forged.map(|_| ())), Err(SasError::Signature));
}

/// The hub's endpoint on a port of the loopback, and the same container by that address.
#[cfg(feature = "cloud-storage")]
async fn over_the_wire(hub: &Hub, permissions: &str) -> SasContainer {
    use hyper::service::service_fn;
    use hyper_util::rt::TokioIo;

    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let service = hub.service.clone();
    tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            let service = service.clone();
            let answer = service_fn(move |request| {
                let service = service.clone();
                async move {
                    let reply = crate::blob::http::handle(request, &service, NOW).await;
                    Ok::<_, std::convert::Infallible>(reply)
                }
            });
            let serving = hyper::server::conn::http1::Builder::new();
            // How it ends is what the client sees.
            tokio::spawn(serving.serve_connection(TokioIo::new(stream), answer));
        }
    });
    let url = hub.url(permissions).replace("https://hub.test", &format!("http://{address}"));
    SasContainer::open(&hub.service, "hub.test", &url, None, NOW).unwrap()
}

#[cfg(feature = "cloud-storage")]
#[tokio::test]
async fn a_container_elsewhere_is_read_and_written_over_the_wire() {
    let hub = Hub::new();
    let here = hub.open(ALL);
    let there = over_the_wire(&hub, ALL).await;
    let refused = write(&there, "x").await;
    assert!(refused.is_err(), "nobody made the container: {refused:?}");
    for text in ["first\n", "", "second\nlines"] {
        write(&here, text).await.unwrap();
        assert_eq!(write(&there, text).await.unwrap(), text.len() as u64);
        let lines: Vec<&str> = text.lines().collect();
        assert_eq!(read(&here).await.unwrap(), lines);
        assert_eq!(read(&there).await.unwrap(), lines);
    }
    // More than two pieces either way.
    let line = "0123456789abcde\n".repeat(1 << 12);
    let mut writer = there.write(&blob(), NOW).await.unwrap();
    for _ in 0..150 {
        writer.write(line.as_bytes()).await.unwrap();
    }
    assert_eq!(read(&here).await.unwrap(), ["second", "lines"], "nothing is seen of it yet");
    let bytes = writer.finish(NOW).await.unwrap();
    assert_eq!(bytes, 150 << 16);
    assert_eq!(there.read(&blob(), NOW).await.unwrap().bytes(), bytes);
    assert_eq!(read(&there).await.unwrap().len(), 150 << 12);
    assert_eq!(read(&here).await.unwrap(), read(&there).await.unwrap());

    // Replaced while it is read.
    let mut reader = there.read(&blob(), NOW).await.unwrap();
    reader.next().await.unwrap().unwrap();
    write(&here, &line.repeat(150)).await.unwrap();
    assert!(matches!(reader.next().await, Err(BlobError::ConditionNotMet)));

    here.delete(&blob(), NOW).await.unwrap();
    assert!(matches!(there.read(&blob(), NOW).await.map(|_| ()), Err(BlobError::NotFound)));
    let reader_only = over_the_wire(&hub, "r").await;
    assert!(write(&reader_only, "x").await.is_err());
}
