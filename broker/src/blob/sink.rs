//! Content on its way to this node's disk, in pieces, from whoever sends it.

use std::sync::Arc;

use ironhub_domain::time::UnixMs;
use tokio::sync::OwnedSemaphorePermit;

use super::checksum::{Checksums, Expected};
use super::error::BlobError;
use super::filesystem::NewBlob;
use super::filesystem::containers::Container;
use super::filesystem::incoming::Incoming;
use super::filesystem::manifest::Manifest;
use super::name::BlobName;
use super::service::{BlobService, CHUNK_BYTES};

/// Content that arrives. Dropped before its end, it leaves nothing on disk.
pub(super) struct Sink {
    service: Arc<BlobService>,
    /// Away while a thread works on it; what is cancelled then never comes back.
    parts: Option<Parts>,
    _place: OwnedSemaphorePermit,
}

/// File and checksums.
struct Parts {
    file: Incoming,
    sums: Checksums,
    buffer: Vec<u8>,
}

impl Parts {
    /// Writes what has gathered, if the disk has room for it.
    fn flush(mut self, service: &BlobService) -> Result<Self, BlobError> {
        service.check_room(self.buffer.len() as u64)?;
        self.sums.update(&self.buffer);
        self.file.write(&self.buffer)?;
        self.buffer.clear();
        Ok(self)
    }
}

impl Sink {
    /// Begins a file in `container` for at least `announced` bytes, in a `place` among the transfers.
    pub(super) async fn begin(
        service: &Arc<BlobService>,
        container: &Arc<Container>,
        place: OwnedSemaphorePermit,
        expected: Expected,
        announced: u64,
    ) -> Result<Self, BlobError> {
        let container = container.clone();
        let parts = service
            .blocking(move |service| {
                service.check_room(announced)?;
                let file = container.store.receive()?;
                Ok(Parts { file, sums: Checksums::new(expected), buffer: Vec::new() })
            })
            .await?;
        Ok(Self { service: service.clone(), parts: Some(parts), _place: place })
    }

    /// Appends; holds no more than [`CHUNK_BYTES`] of it back.
    pub(super) async fn write(&mut self, mut data: &[u8]) -> Result<(), BlobError> {
        while !data.is_empty() {
            let parts = self.parts.as_mut().ok_or(BlobError::Incomplete)?;
            let (part, rest) = data.split_at(data.len().min(CHUNK_BYTES - parts.buffer.len()));
            parts.buffer.extend_from_slice(part);
            data = rest;
            if parts.buffer.len() == CHUNK_BYTES {
                let full = self.parts.take().ok_or(BlobError::Incomplete)?;
                let flushed = self.service.blocking(move |service| full.flush(service)).await?;
                self.parts = Some(flushed);
            }
        }
        Ok(())
    }

    /// The whole content and its MD5, if it is what its sender said.
    pub(super) async fn finish(mut self) -> Result<(Incoming, String), BlobError> {
        let parts = self.parts.take().ok_or(BlobError::Incomplete)?;
        self.service
            .blocking(move |service| {
                let Parts { file, sums, .. } = parts.flush(service)?;
                Ok((file, sums.finish()?))
            })
            .await
    }

    /// Finishes, and makes the content the blob.
    pub(super) async fn store(
        self,
        container: &Arc<Container>,
        name: &BlobName,
        mut new: NewBlob,
        now: UnixMs,
    ) -> Result<Manifest, BlobError> {
        let service = self.service.clone();
        let (file, md5) = self.finish().await?;
        new.md5 = Some(md5);
        let (container, name) = (container.clone(), name.clone());
        service.blocking(move |_| container.store.put(&name, file, new, now)).await
    }
}
