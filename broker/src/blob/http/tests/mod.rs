//! The surface without and with sockets: requests against a store in a folder of its own.

mod calls;
mod containers;
mod refusals;
mod sockets;

use std::fs;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, AtomicU64, Ordering};

use http_body_util::{BodyExt, Full};
use hyper::{HeaderMap, Request};

use super::*;
use crate::blob::filesystem::containers::Containers;
use crate::blob::sas::{Resource, SasKey, UPLOAD};
use crate::blob::service::{CONTAINER, uploads};

const NOW: UnixMs = UnixMs(1_767_323_045_678);
/// A whole second, as tokens end.
const UNTIL: UnixMs = UnixMs(1_767_326_646_000);
const RESERVE: u64 = 4 << 20;
const ROOMY: u64 = 1 << 40;

/// An endpoint on a folder of its own, which goes with it.
struct Endpoint {
    service: Arc<BlobService>,
    dir: PathBuf,
    /// What the disk has free.
    free: Arc<AtomicU64>,
}

struct Answer {
    status: u16,
    headers: HeaderMap,
    body: Vec<u8>,
}

impl Answer {
    fn header(&self, name: &str) -> &str {
        self.headers.get(name).map_or("", |value| value.to_str().unwrap())
    }

    fn text(&self) -> &str {
        std::str::from_utf8(&self.body).unwrap()
    }

    /// `status`, or `status code` of an error whose header and body were seen to agree.
    fn summary(&self) -> String {
        let code = self.header("x-ms-error-code");
        if code.is_empty() {
            return self.status.to_string();
        }
        if !self.body.is_empty() {
            assert_eq!(self.header("content-type"), "application/xml");
            let body = self.text();
            assert!(body.contains(&format!("<Error><Code>{code}</Code><Message>")), "{body}");
        }
        format!("{} {code}", self.status)
    }
}

impl Endpoint {
    fn new() -> Self {
        static NEXT: AtomicU32 = AtomicU32::new(0);
        let number = NEXT.fetch_add(1, Ordering::Relaxed);
        let dir =
            std::env::temp_dir().join(format!("ironhub-endpoint-{}-{number}", std::process::id()));
        let _ = fs::remove_dir_all(&dir);
        fs::create_dir_all(&dir).unwrap();
        let containers = Containers::open(&dir.join("blobs"), uploads(), NOW).unwrap();
        let key = SasKey::open(&dir.join("blob.key")).unwrap();
        let free = Arc::new(AtomicU64::new(ROOMY));
        let seen = free.clone();
        let free_space = Box::new(move || Ok(seen.load(Ordering::Relaxed)));
        let service = Arc::new(BlobService::new(containers, key, free_space, RESERVE));
        Self { service, dir, free }
    }

    /// The path and query that open a blob, with more parameters before the token.
    fn url(&self, blob: &str, extra: &str) -> String {
        self.url_for(blob, UPLOAD, extra)
    }

    fn url_for(&self, blob: &str, permissions: &str, extra: &str) -> String {
        let name = BlobName::new(blob.into()).unwrap();
        let resource = Resource::Blob(self.service.containers.uploads_name(), &name);
        let token = self.service.key.token(resource, permissions, UNTIL);
        let token = token.strip_prefix('?').unwrap();
        format!("/{CONTAINER}/{}?{extra}{token}", name.url_path())
    }

    /// `request` is `METHOD /path`, then headers, one a line.
    async fn ask(&self, request: &str, body: impl Into<Vec<u8>>) -> Answer {
        let mut lines = request.lines();
        let (method, path) = lines.next().unwrap().split_once(' ').unwrap();
        let mut builder = Request::builder().method(method).uri(path);
        for line in lines {
            let (name, value) = line.trim().split_once(": ").unwrap();
            builder = builder.header(name, value);
        }
        let request = builder.body(Full::from(body.into())).unwrap();
        let (head, body) = handle(request, &self.service, NOW).await.into_parts();
        let body = body.collect().await.unwrap().to_bytes().to_vec();
        Answer { status: head.status.as_u16(), headers: head.headers, body }
    }

    async fn put(&self, blob: &str, body: impl Into<Vec<u8>>) -> Answer {
        let url = self.url(blob, "");
        self.ask(&format!("PUT {url}\nx-ms-blob-type: BlockBlob"), body).await
    }

    async fn put_block(&self, blob: &str, id: &str, body: impl Into<Vec<u8>>) -> Answer {
        let id = id.replace('=', "%3D").replace('+', "%2B").replace('/', "%2F");
        let url = self.url(blob, &format!("comp=block&blockid={id}&"));
        self.ask(&format!("PUT {url}"), body).await
    }

    async fn put_list(&self, blob: &str, xml: &str) -> Answer {
        self.ask(&format!("PUT {}", self.url(blob, "comp=blocklist&")), xml).await
    }

    async fn get(&self, blob: &str, headers: &str) -> Answer {
        self.ask(&format!("GET {}{headers}", self.url(blob, "")), "").await
    }

    /// Files of any kind below the folder of blobs, but for what is known of containers.
    fn files(&self) -> usize {
        fn count(dir: &std::path::Path) -> usize {
            let entries = fs::read_dir(dir).unwrap().map(|entry| entry.unwrap().path());
            let entries = entries.filter(|path| !path.ends_with("container.json"));
            entries.map(|path| if path.is_dir() { count(&path) } else { 1 }).sum()
        }
        count(&self.dir.join("blobs"))
    }
}

impl Drop for Endpoint {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.dir);
    }
}
