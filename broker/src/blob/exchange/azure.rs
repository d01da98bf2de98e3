//! A container of Azure Blob Storage, or of what speaks its protocol: Azurite, another hub.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use object_store::azure::{AzureConfigKey, MicrosoftAzureBuilder};
use object_store::path::Path;
use object_store::{
    ClientOptions, GetOptions, GetRange, MultipartUpload, ObjectStore, ObjectStoreExt, RetryConfig,
};

use super::url::ContainerUrl;
use crate::blob::error::BlobError;
use crate::blob::name::BlobName;
use crate::blob::remote::trusting;

/// What goes in one request, either way: a block of a long blob, a range of one. With Azure's 50,000 blocks the longest
/// blob has 200 GiB.
const PIECE_BYTES: usize = 4 << 20;

/// Nobody waits at a device for these calls: they may be repeated, and a piece may take its time.
const RETRIES_MAX: usize = 5;
const CONNECT_TIME_MAX: Duration = Duration::from_secs(10);
const CALL_TIME_MAX: Duration = Duration::from_secs(120);

pub(super) struct Container {
    objects: Arc<dyn ObjectStore>,
}

impl Container {
    pub(super) fn open(url: &ContainerUrl, authorities: Option<&[u8]>) -> Result<Self, BlobError> {
        // The HTTP client inside takes the process's TLS provider; ours everywhere is ring.
        let _ = rustls::crypto::ring::default_provider().install_default();
        let first_label = url.host().split('.').next().unwrap_or_default();
        let (account, endpoint) = match &url.account {
            Some(account) => (account.as_str(), format!("{}/{account}", url.origin)),
            None => (first_label, url.origin.clone()),
        };
        let client = ClientOptions::new()
            .with_allow_http(endpoint.starts_with("http://"))
            .with_connect_timeout(CONNECT_TIME_MAX)
            .with_timeout(CALL_TIME_MAX);
        let client = trusting(client, authorities).map_err(remote)?;
        let retries = RetryConfig {
            max_retries: RETRIES_MAX,
            retry_timeout: CALL_TIME_MAX,
            ..RetryConfig::default()
        };
        let objects = MicrosoftAzureBuilder::new()
            .with_account(account)
            .with_container_name(url.container.as_str())
            .with_endpoint(endpoint)
            .with_config(AzureConfigKey::SasKey, url.query.as_str())
            .with_client_options(client)
            .with_retry(retries)
            .build()
            .map_err(remote)?;
        Ok(Self { objects: Arc::new(objects) })
    }

    pub(super) async fn read(&self, name: &BlobName) -> Result<Reader, BlobError> {
        let path = path(name)?;
        let found = self.objects.head(&path).await.map_err(remote)?;
        let objects = self.objects.clone();
        Ok(Reader { objects, path, bytes: found.size, etag: found.e_tag, read: 0 })
    }

    pub(super) fn write(&self, name: &BlobName) -> Result<Writer, BlobError> {
        let objects = self.objects.clone();
        Ok(Writer { objects, path: path(name)?, begun: None, waiting: Vec::new() })
    }

    pub(super) async fn delete(&self, name: &BlobName) -> Result<(), BlobError> {
        self.objects.delete(&path(name)?).await.map_err(remote)
    }
}

pub(super) struct Reader {
    objects: Arc<dyn ObjectStore>,
    path: Path,
    bytes: u64,
    /// Every range is one of this state of the blob.
    etag: Option<String>,
    read: u64,
}

impl Reader {
    pub(super) fn bytes(&self) -> u64 {
        self.bytes
    }

    pub(super) async fn next(&mut self) -> Result<Option<Bytes>, BlobError> {
        if self.read == self.bytes {
            return Ok(None);
        }
        let end = self.bytes.min(self.read + PIECE_BYTES as u64);
        let wanted = GetOptions {
            range: Some(GetRange::Bounded(self.read..end)),
            if_match: self.etag.clone(),
            ..GetOptions::default()
        };
        let piece = self.objects.get_opts(&self.path, wanted).await.map_err(remote)?;
        let piece = piece.bytes().await.map_err(remote)?;
        if piece.is_empty() {
            return Err(BlobError::Incomplete);
        }
        self.read += piece.len() as u64;
        Ok(Some(piece))
    }
}

pub(super) struct Writer {
    objects: Arc<dyn ObjectStore>,
    path: Path,
    /// As soon as there is more than one piece.
    begun: Option<Box<dyn MultipartUpload>>,
    waiting: Vec<u8>,
}

impl Writer {
    pub(super) async fn write(&mut self, mut data: &[u8]) -> Result<(), BlobError> {
        while !data.is_empty() {
            let (part, rest) = data.split_at(data.len().min(PIECE_BYTES - self.waiting.len()));
            self.waiting.extend_from_slice(part);
            data = rest;
            if self.waiting.len() == PIECE_BYTES {
                let piece = std::mem::take(&mut self.waiting);
                let upload = match &mut self.begun {
                    Some(upload) => upload,
                    None => {
                        let upload =
                            self.objects.put_multipart(&self.path).await.map_err(remote)?;
                        self.begun.insert(upload)
                    }
                };
                upload.put_part(piece.into()).await.map_err(remote)?;
            }
        }
        Ok(())
    }

    pub(super) async fn finish(mut self) -> Result<(), BlobError> {
        let Some(mut upload) = self.begun.take() else {
            self.objects.put(&self.path, self.waiting.into()).await.map_err(remote)?;
            return Ok(());
        };
        if !self.waiting.is_empty() {
            upload.put_part(self.waiting.into()).await.map_err(remote)?;
        }
        upload.complete().await.map_err(remote)?;
        Ok(())
    }
}

fn path(name: &BlobName) -> Result<Path, BlobError> {
    Path::parse(name.as_str()).map_err(|error| BlobError::Remote(error.to_string()))
}

fn remote(error: object_store::Error) -> BlobError {
    match error {
        object_store::Error::NotFound { .. } => BlobError::NotFound,
        object_store::Error::Precondition { .. } => BlobError::ConditionNotMet,
        error => BlobError::Remote(error.to_string()),
    }
}
