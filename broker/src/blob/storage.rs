//! The one interface to every place that uploads can go to.

use std::sync::Arc;
use std::time::Duration;

use ironhub_domain::time::UnixMs;

use super::conditions::Conditions;
use super::error::BlobError;
use super::name::BlobName;
use super::service::{BlobService, CONTAINER};
use crate::config::{Config, UploadStorage};

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
#[derive(Clone)]
pub enum Storage {
    /// To this node's disk.
    Local {
        /// The endpoint.
        service: Arc<BlobService>,
        /// The hub's DNS name.
        hostname: String,
    },
}

/// How often waiting blocks are looked at.
const SWEEP_EVERY: Duration = Duration::from_secs(60);

impl Storage {
    /// Opens the storage that the configuration names. `disk_reserve` is the free space that this node keeps.
    pub fn open(config: &Config, disk_reserve: u64) -> anyhow::Result<Self> {
        match &config.upload.storage {
            UploadStorage::Local => Ok(Self::Local {
                service: BlobService::open(&config.data_dir, disk_reserve)?,
                hostname: config.hostname.clone(),
            }),
            UploadStorage::Azure { .. } | UploadStorage::S3 { .. } => {
                anyhow::bail!(
                    "upload.storage: this version keeps uploads in its data directory only"
                )
            }
        }
    }

    /// The endpoint that this node has to serve; `None` if uploads go elsewhere.
    pub fn endpoint(&self) -> Option<&Arc<BlobService>> {
        match self {
            Self::Local { service, .. } => Some(service),
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

    /// A place for `name` that its holder may write and read until `expires`.
    pub fn upload_target(&self, name: &BlobName, expires: UnixMs) -> UploadTarget {
        match self {
            Self::Local { service, hostname } => UploadTarget {
                host_name: hostname.clone(),
                container_name: CONTAINER.into(),
                blob_name: name.as_str().into(),
                sas_token: service.upload_token(name, expires),
            },
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
        }
    }
}
