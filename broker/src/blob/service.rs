//! The hub's own blob endpoint behind its HTTP surface: files, signing key, and the bounds on both.

use std::io;
use std::path::Path;
use std::sync::Arc;

use anyhow::Context;
use ironhub_domain::time::UnixMs;
use tokio::sync::{OwnedSemaphorePermit, Semaphore, SemaphorePermit};

use super::container::ContainerName;
use super::error::BlobError;
use super::filesystem::containers::Containers;
use super::name::BlobName;
use super::sas::{ALL, Resource, SasKey, UPLOAD};
use crate::guard;

/// The container of uploads, and the first segment of its URLs on the hub's own host. No path of the hub's protocol
/// begins so.
pub const CONTAINER: &str = "ironhub-uploads";
/// The first segment of the URLs of every container, that of uploads included: where an address of Azure's has the name
/// of the storage account if it is not in the host's name.
pub const ACCOUNT: &str = "ironhub-storage";
/// When the token in the storage connection string ends: with the key that signed it.
const NEVER: UnixMs = UnixMs(253_370_764_800_000);

/// Bodies in transfer at a time, both ways; with [`CHUNK_BYTES`] it bounds the memory of all of them together.
pub const TRANSFERS_MAX: usize = 512;
/// What is held of one body in transfer.
pub const CHUNK_BYTES: usize = 128 * 1024;
/// Block lists over [`super::http::SHORT_LIST_BYTES`] that are in memory at a time.
const LONG_LISTS_MAX: usize = 8;

/// The file of the signing key in the data directory.
pub const KEY_FILE: &str = "blob.key";

/// How many bytes of the disk are free.
pub type FreeSpace = Box<dyn Fn() -> io::Result<u64> + Send + Sync>;

/// The hub's own blob endpoint.
pub struct BlobService {
    /// The files.
    pub(super) containers: Containers,
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
    pub fn open(data_dir: &Path, reserve: u64, now: UnixMs) -> anyhow::Result<Arc<Self>> {
        let dir = data_dir.join("blobs");
        let watched = data_dir.to_owned();
        let free = Box::new(move || Ok(guard::space(&watched)?.free));
        let containers = Containers::open(&dir, uploads(), now)
            .with_context(|| format!("opening {}", dir.display()))?;
        let key = SasKey::open(&data_dir.join(KEY_FILE))?;
        Ok(Arc::new(Self::new(containers, key, free, reserve)))
    }

    pub(super) fn new(containers: Containers, key: SasKey, free: FreeSpace, reserve: u64) -> Self {
        Self {
            containers,
            key,
            free,
            reserve: reserve.saturating_add(reserve / 4),
            transfers: Arc::new(Semaphore::new(TRANSFERS_MAX)),
            long_lists: Semaphore::new(LONG_LISTS_MAX),
        }
    }

    /// The query that lets its holder write and read `name` until `expires`, `?` included.
    pub fn upload_token(&self, name: &BlobName, expires: UnixMs) -> String {
        self.key.token(Resource::Blob(self.containers.uploads_name(), name), UPLOAD, expires)
    }

    /// What storage clients need to use every container: the Azure SDKs' connection string for blobs at
    /// `https://{host}/ironhub-storage`. Always the same for a host; `blob.key` is what it stands for.
    pub fn connection_string(&self, host: &str) -> String {
        let token = self.own_token();
        let token = token.trim_start_matches('?');
        format!("BlobEndpoint=https://{host}/{ACCOUNT};SharedAccessSignature={token}")
    }

    /// The query that opens every container for everything, `?` included.
    pub(super) fn own_token(&self) -> String {
        self.key.token(Resource::Account, ALL, NEVER)
    }

    /// Drops blocks whose tickets have ended; to be called now and then. Returns how many.
    pub async fn sweep(self: &Arc<Self>, now: UnixMs) -> Result<usize, BlobError> {
        self.blocking(move |service| Ok(service.containers.sweep(now)?)).await
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

    /// A place among the transfers, waited for: the hub's own work has no client to tell.
    pub(super) async fn own_transfer(&self) -> Result<OwnedSemaphorePermit, BlobError> {
        self.transfers.clone().acquire_owned().await.map_err(|_| BlobError::Busy)
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

/// The name of the container of uploads.
pub(super) fn uploads() -> ContainerName {
    ContainerName::new(CONTAINER).unwrap_or_else(|_| unreachable!("{CONTAINER} is a name"))
}
