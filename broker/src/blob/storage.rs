//! The one interface to every place that uploads can go to.

use std::sync::Arc;
use std::time::Duration;

use ironhub_domain::time::UnixMs;

use super::conditions::Conditions;
use super::error::BlobError;
use super::name::BlobName;
use super::remote::RemoteStorage;
use super::service::{BlobService, CONTAINER};
use crate::config::Config;

/// Where and how a device uploads. The URL is `https://{host_name}/{container_name}/{blob_name}{sas_token}`
/// (device-protocols.md 5).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct UploadTarget {
    /// Host, with a port if it is not 443.
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

/// Where uploads go.
pub enum Storage {
    /// To this node's disk.
    Local {
        /// The endpoint.
        service: Arc<BlobService>,
        /// The hub's DNS name.
        hostname: String,
    },
    /// To a storage account.
    Remote(RemoteStorage),
}

/// How often waiting blocks are looked at.
const SWEEP_EVERY: Duration = Duration::from_secs(60);

impl Storage {
    /// Opens the storage that the configuration names. `disk_reserve` is the free space that this node keeps, in bytes.
    pub fn open(config: &Config, disk_reserve: u64) -> anyhow::Result<Self> {
        if let Some(remote) = RemoteStorage::open(&config.upload.storage)? {
            return Ok(Self::Remote(remote));
        }
        let service = BlobService::open(&config.data_dir, disk_reserve)?;
        Ok(Self::Local { service, hostname: config.hostname.clone() })
    }

    /// The endpoint that this node has to serve; `None` if uploads go elsewhere.
    pub fn endpoint(&self) -> Option<&Arc<BlobService>> {
        match self {
            Self::Local { service, .. } => Some(service),
            Self::Remote(_) => None,
        }
    }

    /// Clears away what waits in vain, until dropped.
    pub async fn watch(self: Arc<Self>, now: impl Fn() -> UnixMs) {
        let Some(service) = self.endpoint() else { return };
        loop {
            match service.sweep(now()).await {
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
        match self {
            Self::Local { service, hostname } => Ok(UploadTarget {
                host_name: hostname.clone(),
                container_name: CONTAINER.into(),
                blob_name: name.as_str().into(),
                sas_token: service.upload_token(name, expires),
            }),
            Self::Remote(remote) => remote.upload_target(name, expires, now).await,
        }
    }

    /// What is stored under a name; `None` if nothing is.
    pub async fn stat(&self, name: &BlobName) -> Result<Option<BlobFacts>, BlobError> {
        match self {
            Self::Local { service, hostname } => {
                let wanted = name.clone();
                let blob = service.blocking(move |s| Ok(s.store.read(&wanted)?)).await?;
                Ok(blob.map(|blob| BlobFacts {
                    bytes: blob.bytes,
                    last_modified: UnixMs(blob.modified),
                    uri: format!("https://{hostname}/{CONTAINER}/{}", name.url_path()),
                }))
            }
            Self::Remote(remote) => remote.stat(name).await,
        }
    }

    /// Removes a blob; one that is not there is [`BlobError::NotFound`].
    pub async fn delete(&self, name: &BlobName) -> Result<(), BlobError> {
        match self {
            Self::Local { service, .. } => {
                let name = name.clone();
                let any = Conditions::default();
                service.blocking(move |s| s.store.delete(&name, &any)).await
            }
            Self::Remote(remote) => remote.delete(name).await,
        }
    }
}
