//! The hub's own blob endpoint behind its HTTP surface: files, signing key, and the bounds on both.

use std::io;
use std::path::Path;
use std::sync::Arc;

use anyhow::Context;
use ironhub_domain::time::UnixMs;
use tokio::sync::{OwnedSemaphorePermit, Semaphore, SemaphorePermit};

use super::error::BlobError;
use super::filesystem::FileStore;
use super::name::BlobName;
use super::sas::{SasKey, UPLOAD};
use crate::guard;

/// The container of uploads, and the first segment of its URLs on the hub's own host. No path of the hub's protocol
/// begins so.
pub const CONTAINER: &str = "ironhub-uploads";

/// Bodies in transfer at a time, both ways; with [`CHUNK_BYTES`] it bounds the memory of all of them together.
pub const TRANSFERS_MAX: usize = 512;
/// What is held of one body in transfer.
pub const CHUNK_BYTES: usize = 128 * 1024;
/// Block lists over [`super::http::SHORT_LIST_BYTES`] that are in memory at a time.
const LONG_LISTS_MAX: usize = 8;

/// How many bytes of the disk are free.
pub type FreeSpace = Box<dyn Fn() -> io::Result<u64> + Send + Sync>;

/// The hub's own blob endpoint.
pub struct BlobService {
    /// The files.
    pub(super) store: FileStore,
    /// The signing key.
    pub(super) key: SasKey,
    free: FreeSpace,
    reserve: u64,
    transfers: Arc<Semaphore>,
    long_lists: Semaphore,
}

impl BlobService {
    /// Opens `blobs/` and `blob.key` in the data directory. Uploads are refused while less than `reserve` bytes and a
    /// quarter of it would stay free: then uploads alone never bring the disk to where the hub stops taking messages.
    pub fn open(data_dir: &Path, reserve: u64) -> anyhow::Result<Arc<Self>> {
        let dir = data_dir.join("blobs");
        let watched = data_dir.to_owned();
        let free = Box::new(move || Ok(guard::space(&watched)?.free));
        let store = FileStore::open(&dir).with_context(|| format!("opening {}", dir.display()))?;
        let key = SasKey::open(&data_dir.join("blob.key"))?;
        Ok(Arc::new(Self::new(store, key, free, reserve)))
    }

    pub(super) fn new(store: FileStore, key: SasKey, free: FreeSpace, reserve: u64) -> Self {
        Self {
            store,
            key,
            free,
            reserve: reserve.saturating_add(reserve / 4),
            transfers: Arc::new(Semaphore::new(TRANSFERS_MAX)),
            long_lists: Semaphore::new(LONG_LISTS_MAX),
        }
    }

    /// The query that lets its holder write and read `name` until `expires`, `?` included.
    pub fn upload_token(&self, name: &BlobName, expires: UnixMs) -> String {
        self.key.token(CONTAINER, name, UPLOAD, expires)
    }

    /// Drops blocks whose tickets have ended; to be called now and then. Returns how many.
    pub async fn sweep(self: &Arc<Self>, now: UnixMs) -> Result<usize, BlobError> {
        self.blocking(move |service| Ok(service.store.sweep(now)?)).await
    }

    /// Whether so many bytes more still leave the reserve.
    pub(super) fn check_room(&self, bytes: u64) -> Result<(), BlobError> {
        let free = (self.free)()?;
        if free.saturating_sub(bytes) < self.reserve { Err(BlobError::Full) } else { Ok(()) }
    }

    /// A place among the transfers, if there is one.
    pub(super) fn transfer(&self) -> Result<OwnedSemaphorePermit, BlobError> {
        self.transfers.clone().try_acquire_owned().map_err(|_| BlobError::Busy)
    }

    /// A place for a long list; waits for one.
    pub(super) async fn long_list(&self) -> Result<SemaphorePermit<'_>, BlobError> {
        self.long_lists.acquire().await.map_err(|_| BlobError::Busy)
    }

    /// Runs `work` on a thread that may wait for the disk.
    pub(super) async fn blocking<T: Send + 'static>(
        self: &Arc<Self>,
        work: impl FnOnce(&Self) -> Result<T, BlobError> + Send + 'static,
    ) -> Result<T, BlobError> {
        let service = self.clone();
        let done = tokio::task::spawn_blocking(move || work(&service)).await;
        done.map_err(|error| BlobError::Io(io::Error::other(error)))?
    }
}
