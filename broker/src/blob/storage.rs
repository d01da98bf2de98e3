//! The one interface to the hub's own blobs and to every place that uploads can go to.

use std::sync::Arc;
use std::time::Duration;

use ironhub_domain::time::UnixMs;

use super::conditions::Conditions;
use super::container::ContainerName;
use super::error::BlobError;
use super::exchange::SasContainer;
use super::name::BlobName;
use super::remote::RemoteStorage;
use super::service::{ACCOUNT, BlobService, CONTAINER};
use crate::config::Config;

/// Where and how a device uploads. The URL is `https://{host_name}/{container_name}/{blob_name}{sas_token}`
/// (device-protocols.md 5).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct UploadTarget {
    /// Host, of a storage elsewhere with a port if it is not 443. The hub's own is reached by the port that the hub is.
    pub host_name: String,
    /// Container; where the account stands in the path, that and a slash before it.
    pub container_name: String,
    /// Not encoded.
    pub blob_name: String,
    /// Query with its `?`.
    pub sas_token: String,
}

/// What is known of a stored blob.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BlobFacts {
    /// Length of its content.
    pub bytes: u64,
    /// Its last write.
    pub last_modified: UnixMs,
    /// Its address, without a token.
    pub uri: String,
}

/// Where uploads go, and the hub's own blob endpoint, which is there in any case.
pub struct Storage {
    service: Arc<BlobService>,
    /// The hub's DNS name.
    hostname: String,
    /// A storage account that uploads go to instead.
    uploads_elsewhere: Option<RemoteStorage>,
    /// PEM: who vouches for storage elsewhere, besides the system's authorities.
    authorities: Option<Vec<u8>>,
}

/// How often waiting blocks are looked at.
const SWEEP_EVERY: Duration = Duration::from_secs(60);

impl Storage {
    /// Opens the data directory's blobs, and the storage that the configuration names. `disk_reserve` is the free space
    /// that this node keeps, in bytes.
    pub fn open(config: &Config, disk_reserve: u64, now: UnixMs) -> anyhow::Result<Self> {
        let authorities = config.outbound_ca_file.as_ref().map(std::fs::read).transpose()?;
        let uploads_elsewhere =
            RemoteStorage::open(&config.upload.storage, authorities.as_deref())?;
        let service = BlobService::open(&config.data_dir, disk_reserve, now)?;
        Ok(Self { service, hostname: config.hostname.clone(), uploads_elsewhere, authorities })
    }

    /// The endpoint that this node serves.
    pub fn endpoint(&self) -> &Arc<BlobService> {
        &self.service
    }

    /// Opens the container of a URL with a container's signature, here or elsewhere. Asks nobody yet.
    pub fn container(&self, sas_url: &str, now: UnixMs) -> Result<SasContainer, BlobError> {
        let authorities = self.authorities.as_deref();
        SasContainer::open(&self.service, &self.hostname, sas_url, authorities, now)
    }

    /// A container of this hub, for the hub itself: it may do everything, and a container that is not there is made by the
    /// first write.
    pub fn own_container(
        &self,
        name: &ContainerName,
        now: UnixMs,
    ) -> Result<SasContainer, BlobError> {
        let token = self.service.own_token();
        self.container(&format!("https://{}/{ACCOUNT}/{name}{token}", self.hostname), now)
    }

    /// Clears away what waits in vain, until dropped.
    pub async fn watch(self: Arc<Self>, now: impl Fn() -> UnixMs) {
        loop {
            match self.service.sweep(now()).await {
                Ok(0) => {}
                Ok(blocks) => tracing::debug!(blocks, "blocks of ended uploads dropped"),
                // The next round tries again.
                Err(error) => tracing::warn!(%error, "ended uploads could not be cleared away"),
            }
            tokio::time::sleep(SWEEP_EVERY).await;
        }
    }

    /// A place for `name` that its holder may write and read until `expires`. Asks nobody; errors are those of a
    /// signature that cannot be made.
    pub async fn upload_target(
        &self,
        name: &BlobName,
        expires: UnixMs,
        now: UnixMs,
    ) -> Result<UploadTarget, BlobError> {
        if let Some(remote) = &self.uploads_elsewhere {
            return remote.upload_target(name, expires, now).await;
        }
        Ok(UploadTarget {
            host_name: self.hostname.clone(),
            container_name: CONTAINER.into(),
            blob_name: name.as_str().into(),
            sas_token: self.service.upload_token(name, expires),
        })
    }

    /// What is stored under a name; `None` if nothing is.
    pub async fn stat(&self, name: &BlobName) -> Result<Option<BlobFacts>, BlobError> {
        if let Some(remote) = &self.uploads_elsewhere {
            return remote.stat(name).await;
        }
        let wanted = name.clone();
        let read = move |s: &BlobService| Ok(s.containers.uploads().store.read(&wanted)?);
        let blob = self.service.blocking(read).await?;
        Ok(blob.map(|blob| BlobFacts {
            bytes: blob.bytes,
            last_modified: UnixMs(blob.modified),
            uri: format!("https://{}/{CONTAINER}/{}", self.hostname, name.url_path()),
        }))
    }

    /// Removes a blob; one that is not there is [`BlobError::NotFound`].
    pub async fn delete(&self, name: &BlobName) -> Result<(), BlobError> {
        if let Some(remote) = &self.uploads_elsewhere {
            return remote.delete(name).await;
        }
        let (name, any) = (name.clone(), Conditions::default());
        self.service.blocking(move |s| s.containers.uploads().store.delete(&name, &any)).await
    }
}
