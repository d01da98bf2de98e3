//! Containers that users name by a URL with a signature: where the hub's own work reads from and writes to.
//!
//! `https://{this hub}/ironhub-storage/{container}?{token}` is this node's disk, without a detour over HTTP but with the
//! same look at the token; any other URL is a container of Azure Blob Storage or of what speaks its protocol. Content
//! goes both ways in pieces, and a blob is replaced when its writer has finished, never by half of what was written.
//! Read next: `url.rs`, `here.rs`, `azure.rs`, `lines.rs`.

#[cfg_attr(not(feature = "cloud-storage"), path = "azure_absent.rs")]
mod azure;
mod here;
mod lines;
#[cfg(test)]
mod tests;
mod url;

use std::sync::Arc;

use bytes::Bytes;
use ironhub_domain::time::UnixMs;

use super::error::BlobError;
use super::name::BlobName;
use super::service::BlobService;
pub use lines::{LINE_BYTES_MAX, Lines};
use url::ContainerUrl;

/// A container, as far as its URL's signature opens it.
pub struct SasContainer(Place);

enum Place {
    Here(here::Container),
    Azure(azure::Container),
}

impl SasContainer {
    /// Reads the URL and, for a container of this hub, looks at its token. Connects to nobody. `authorities` is PEM: who
    /// vouches for a container elsewhere, besides the system's authorities.
    ///
    /// Errors: [`BlobError::ContainerUrl`] for what is no such URL, [`BlobError::Sas`] for a token of this hub that opens
    /// nothing, [`BlobError::Remote`] where this program was built to know no storage but its own.
    pub(super) fn open(
        service: &Arc<BlobService>,
        hostname: &str,
        sas_url: &str,
        authorities: Option<&[u8]>,
        now: UnixMs,
    ) -> Result<Self, BlobError> {
        let url = ContainerUrl::parse(sas_url)?;
        let place = if url.is_of(hostname) {
            Place::Here(here::Container::open(service, &url, now)?)
        } else {
            Place::Azure(azure::Container::open(&url, authorities)?)
        };
        Ok(Self(place))
    }

    /// Begins to read a blob; needs `r`. [`BlobError::NotFound`] if there is none.
    pub async fn read(&self, name: &BlobName, now: UnixMs) -> Result<BlobReader, BlobError> {
        let source = match &self.0 {
            Place::Here(container) => Source::Here(container.read(name, now).await?),
            Place::Azure(container) => Source::Azure(container.read(name).await?),
        };
        Ok(BlobReader(source))
    }

    /// [`SasContainer::read`], line by line.
    pub async fn read_lines(&self, name: &BlobName, now: UnixMs) -> Result<Lines, BlobError> {
        Ok(Lines::new(self.read(name, now).await?))
    }

    /// Begins to write a blob; needs `w`, or `c` for one that does not exist. A container of this hub that does not exist
    /// is made, if the token has `c`.
    pub async fn write(&self, name: &BlobName, now: UnixMs) -> Result<BlobWriter, BlobError> {
        let target = match &self.0 {
            Place::Here(container) => Target::Here(container.write(name, now).await?),
            Place::Azure(container) => Target::Azure(container.write(name)?),
        };
        Ok(BlobWriter { target, bytes: 0 })
    }

    /// Removes a blob; needs `d`. [`BlobError::NotFound`] if there is none. Elsewhere it is a batch of one, which Azure and
    /// Azurite know and another hub does not.
    pub async fn delete(&self, name: &BlobName, now: UnixMs) -> Result<(), BlobError> {
        match &self.0 {
            Place::Here(container) => container.delete(name, now).await,
            Place::Azure(container) => container.delete(name).await,
        }
    }
}

/// The content of a blob, from its beginning.
pub struct BlobReader(Source);

enum Source {
    Here(here::Reader),
    Azure(azure::Reader),
}

impl BlobReader {
    /// Bytes of the whole blob.
    pub fn bytes(&self) -> u64 {
        match &self.0 {
            Source::Here(reader) => reader.bytes(),
            Source::Azure(reader) => reader.bytes(),
        }
    }

    /// The next piece, of a few MiB at most; `None` at the end. A blob that is replaced meanwhile is an error, never a
    /// mixture.
    pub async fn next(&mut self) -> Result<Option<Bytes>, BlobError> {
        match &mut self.0 {
            Source::Here(reader) => reader.next().await,
            Source::Azure(reader) => reader.next().await,
        }
    }
}

/// A blob that is being written. Until [`BlobWriter::finish`] nobody sees any of it; dropped, it leaves nothing (in Azure:
/// blocks that go by themselves after a week).
pub struct BlobWriter {
    target: Target,
    bytes: u64,
}

enum Target {
    Here(here::Writer),
    Azure(azure::Writer),
}

impl BlobWriter {
    /// Appends. Not to be called again after an error.
    pub async fn write(&mut self, data: &[u8]) -> Result<(), BlobError> {
        self.bytes += data.len() as u64;
        match &mut self.target {
            Target::Here(writer) => writer.write(data).await,
            Target::Azure(writer) => writer.write(data).await,
        }
    }

    /// Makes what was written the blob. On disk when this returns. Gives its bytes.
    pub async fn finish(self, now: UnixMs) -> Result<u64, BlobError> {
        match self.target {
            Target::Here(writer) => writer.finish(now).await?,
            Target::Azure(writer) => writer.finish().await?,
        }
        Ok(self.bytes)
    }
}
