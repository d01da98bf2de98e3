//! Uploads that go to a storage account instead of this node: the device gets the storage's own signed URL.
//!
//! | storage | what the device gets | which clients can use it |
//! | --- | --- | --- |
//! | Azure Blob Storage, Azurite | a service SAS for one blob, `rw` | every SDK: blocks or one request |
//! | S3 and its like | a pre-signed PUT | programs that send one plain PUT; SDKs speak Azure's dialect only |
//!
//! The hub itself only looks whether a blob arrived, through `object_store`. Azure's signature is made here: the one of
//! that crate signs the encoded name, which Azure refuses as soon as a name has a space, and permits writing only.

use std::sync::Arc;
use std::time::Duration;

use anyhow::Context;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use hmac::{Hmac, Mac};
use hyper::Method;
use ironhub_domain::time::UnixMs;
use object_store::aws::{AmazonS3, AmazonS3Builder};
use object_store::azure::MicrosoftAzureBuilder;
use object_store::path::Path;
use object_store::signer::Signer;
use object_store::{Certificate, ClientOptions, ObjectStore, ObjectStoreExt, RetryConfig};
use sha2::Sha256;
use time::OffsetDateTime;
use time::format_description::BorrowedFormatItem;
use time::macros::format_description;

use super::error::BlobError;
use super::name::BlobName;
use super::sas::UPLOAD;
use super::storage::{BlobFacts, UploadTarget};
use crate::client::percent;
use crate::config::{Secret, UploadStorage};

/// The version that Azure's tokens are signed for; any from 2020-12-06 has the same string to sign.
const SAS_VERSION: &str = "2023-11-03";
/// Azure takes whole seconds.
const SAS_TIME: &[BorrowedFormatItem<'_>] =
    format_description!("[year]-[month]-[day]T[hour]:[minute]:[second]Z");

/// A device waits for the answers of these calls, so they are few and short.
const RETRIES_MAX: usize = 2;
const CONNECT_TIME_MAX: Duration = Duration::from_secs(5);
const CALL_TIME_MAX: Duration = Duration::from_secs(15);

/// A container or bucket somewhere else.
pub struct RemoteStorage {
    objects: Arc<dyn ObjectStore>,
    signing: Signing,
    /// `https://host`, as far as the container.
    base: String,
    host_name: String,
    container_name: String,
}

enum Signing {
    Azure(AccountKey),
    S3(Arc<AmazonS3>),
}

impl RemoteStorage {
    /// Prepares access; `None` if the setting names this node. Nothing is connected to yet, so that a hub starts while
    /// its storage is away.
    /// `authorities` is PEM: who vouches for it besides the system's authorities.
    pub fn open(
        setting: &UploadStorage,
        authorities: Option<&[u8]>,
    ) -> anyhow::Result<Option<Self>> {
        // The HTTP client inside takes the process's TLS provider; ours everywhere is ring.
        let _ = rustls::crypto::ring::default_provider().install_default();
        match setting {
            UploadStorage::Local => Ok(None),
            UploadStorage::Azure { account, container, endpoint, key } => {
                azure(account, container, endpoint.as_deref(), key, authorities).map(Some)
            }
            UploadStorage::S3 { bucket, region, endpoint, key_id, key } => {
                let aws = format!("https://s3.{region}.amazonaws.com");
                let endpoint = endpoint.as_deref().unwrap_or(&aws);
                s3(bucket, region, endpoint, (key_id, key), authorities).map(Some)
            }
        }
    }

    /// See [`super::Storage::upload_target`].
    pub async fn upload_target(
        &self,
        name: &BlobName,
        expires: UnixMs,
        now: UnixMs,
    ) -> Result<UploadTarget, BlobError> {
        let sas_token = match &self.signing {
            Signing::Azure(key) => key.token(name, expires),
            Signing::S3(s3) => {
                let left = Duration::from_millis(expires.0.saturating_sub(now.0));
                let url = s3.signed_url(Method::PUT, &path(name)?, left).await.map_err(remote)?;
                format!("?{}", url.query().unwrap_or_default())
            }
        };
        Ok(UploadTarget {
            host_name: self.host_name.clone(),
            container_name: self.container_name.clone(),
            blob_name: name.as_str().into(),
            sas_token,
        })
    }

    /// See [`super::Storage::stat`].
    pub async fn stat(&self, name: &BlobName) -> Result<Option<BlobFacts>, BlobError> {
        let found = match self.objects.head(&path(name)?).await {
            Ok(found) => found,
            Err(object_store::Error::NotFound { .. }) => return Ok(None),
            Err(error) => return Err(remote(error)),
        };
        let modified = u64::try_from(found.last_modified.timestamp_millis()).unwrap_or_default();
        Ok(Some(BlobFacts {
            bytes: found.size,
            last_modified: UnixMs(modified),
            uri: format!("{}/{}", self.base, name.url_path()),
        }))
    }

    /// See [`super::Storage::delete`].
    pub async fn delete(&self, name: &BlobName) -> Result<(), BlobError> {
        match self.objects.delete(&path(name)?).await {
            Err(object_store::Error::NotFound { .. }) => Err(BlobError::NotFound),
            outcome => outcome.map_err(remote),
        }
    }
}

fn azure(
    account: &str,
    container: &str,
    endpoint: Option<&str>,
    key: &Secret,
    authorities: Option<&[u8]>,
) -> anyhow::Result<RemoteStorage> {
    // Azure has the account in the host name; what imitates it behind an address has it in the path.
    let (service, container_name) = match endpoint {
        None => (format!("https://{account}.blob.core.windows.net"), container.to_owned()),
        Some(endpoint) => (format!("{endpoint}/{account}"), format!("{account}/{container}")),
    };
    let secret = STANDARD.decode(&key.0).context("upload.key: not the base64 of an account key")?;
    let objects = MicrosoftAzureBuilder::new()
        .with_account(account)
        .with_container_name(container)
        .with_access_key(&key.0)
        .with_endpoint(service.clone())
        .with_client_options(client(&service, authorities)?)
        .with_retry(retries())
        .build()
        .context("upload.storage")?;
    Ok(RemoteStorage {
        objects: Arc::new(objects),
        signing: Signing::Azure(AccountKey {
            resource: format!("/blob/{account}/{container}"),
            secret,
        }),
        base: format!("{service}/{container}"),
        host_name: host(endpoint.unwrap_or(&service)),
        container_name,
    })
}

fn s3(
    bucket: &str,
    region: &str,
    endpoint: &str,
    (key_id, key): (&str, &Secret),
    authorities: Option<&[u8]>,
) -> anyhow::Result<RemoteStorage> {
    let objects = AmazonS3Builder::new()
        .with_bucket_name(bucket)
        .with_region(region)
        .with_endpoint(endpoint)
        .with_access_key_id(key_id)
        .with_secret_access_key(&key.0)
        // The bucket in the path is the device's container name.
        .with_virtual_hosted_style_request(false)
        .with_client_options(client(endpoint, authorities)?)
        .with_retry(retries())
        .build()
        .context("upload.storage")?;
    let objects = Arc::new(objects);
    Ok(RemoteStorage {
        objects: objects.clone(),
        signing: Signing::S3(objects),
        base: format!("{endpoint}/{bucket}"),
        host_name: host(endpoint),
        container_name: bucket.into(),
    })
}

fn client(url: &str, authorities: Option<&[u8]>) -> anyhow::Result<ClientOptions> {
    let client = ClientOptions::new()
        .with_allow_http(url.starts_with("http://"))
        .with_connect_timeout(CONNECT_TIME_MAX)
        .with_timeout(CALL_TIME_MAX);
    trusting(client, authorities).context("outbound.ca_file")
}

/// With authorities besides the system's, in PEM.
pub(super) fn trusting(
    mut client: ClientOptions,
    authorities: Option<&[u8]>,
) -> Result<ClientOptions, object_store::Error> {
    if let Some(pem) = authorities {
        for certificate in Certificate::from_pem_bundle(pem)? {
            client = client.with_root_certificate(certificate);
        }
    }
    Ok(client)
}

fn retries() -> RetryConfig {
    RetryConfig { max_retries: RETRIES_MAX, retry_timeout: CALL_TIME_MAX, ..RetryConfig::default() }
}

fn host(url: &str) -> String {
    url.split_once("://").map_or(url, |(_, host)| host).to_owned()
}

fn path(name: &BlobName) -> Result<Path, BlobError> {
    Path::parse(name.as_str()).map_err(|error| BlobError::Remote(error.to_string()))
}

fn remote(error: object_store::Error) -> BlobError {
    BlobError::Remote(error.to_string())
}

/// The key of a storage account, which signs service SAS
/// (<https://learn.microsoft.com/rest/api/storageservices/create-service-sas>).
struct AccountKey {
    /// `/blob/{account}/{container}`.
    resource: String,
    secret: Vec<u8>,
}

impl AccountKey {
    fn token(&self, name: &BlobName, expires: UnixMs) -> String {
        let seconds = i64::try_from(expires.0 / 1000).unwrap_or(i64::MAX);
        let until = OffsetDateTime::from_unix_timestamp(seconds)
            .ok()
            .and_then(|until| until.format(SAS_TIME).ok())
            .unwrap_or_default();
        let signature = self.sign(SAS_VERSION, name, &until);
        format!(
            "?sv={SAS_VERSION}&sr=b&sp={UPLOAD}&se={}&sig={}",
            percent::encode(&until),
            percent::encode(&signature)
        )
    }

    fn sign(&self, version: &str, name: &BlobName, until: &str) -> String {
        let resource = format!("{}/{name}", self.resource);
        // Permissions, start, expiry, resource, identifier, address, protocol, version, kind, snapshot, encryption
        // scope, and five headers of answers.
        let fields =
            [UPLOAD, "", until, &resource, "", "", "", version, "b", "", "", "", "", "", "", ""];
        let mut mac = Hmac::<Sha256>::new_from_slice(&self.secret)
            .unwrap_or_else(|_| unreachable!("HMAC takes a key of any length"));
        mac.update(fields.join("\n").as_bytes());
        STANDARD.encode(mac.finalize().into_bytes())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const UNTIL: UnixMs = UnixMs(1_767_323_045_678);
    /// The account key that Azurite publishes.
    const KEY: &str =
        "Eby8vdM02xNOcqFlqUwJPLlmEtlCDXJ1OUzFT50uSRZ6IFsuFq2UVErCz4I6tq/K1SZFPTOtr/KBHBeksoGMGw==";

    fn open(setting: UploadStorage) -> RemoteStorage {
        RemoteStorage::open(&setting, None).unwrap().unwrap()
    }

    fn azure_storage(endpoint: Option<&str>) -> RemoteStorage {
        open(UploadStorage::Azure {
            account: "devstoreaccount1".into(),
            container: "files".into(),
            endpoint: endpoint.map(str::to_owned),
            key: Secret(KEY.into()),
        })
    }

    async fn target(storage: &RemoteStorage) -> UploadTarget {
        let name = BlobName::of_device("d1", "my file#1.txt").unwrap();
        storage.upload_target(&name, UNTIL, UnixMs(UNTIL.0 - 3_600_000)).await.unwrap()
    }

    #[test]
    fn a_signature_is_the_one_that_the_storage_sdk_makes() {
        // azure-storage-blob 12.31.1: generate_blob_sas(..., permission rw, expiry 2026-01-02T03:04:05Z).
        let key = AccountKey {
            resource: "/blob/devstoreaccount1/files".into(),
            secret: STANDARD.decode(KEY).unwrap(),
        };
        let name = BlobName::of_device("d1", "my file#1.txt").unwrap();
        assert_eq!(
            key.sign("2026-10-06", &name, "2026-01-02T03:04:05Z"),
            "UtMmhau35sBBtRrYx8M/47wGAjlD6C6iBNbFVMWYL6c="
        );
    }

    #[tokio::test]
    async fn the_account_stands_where_the_service_has_it() {
        let here = target(&azure_storage(Some("http://127.0.0.1:10000"))).await;
        assert_eq!(here.host_name, "127.0.0.1:10000");
        assert_eq!(here.container_name, "devstoreaccount1/files");
        assert_eq!(here.blob_name, "d1/my file#1.txt");
        assert!(
            here.sas_token
                .starts_with("?sv=2023-11-03&sr=b&sp=rw&se=2026-01-02T03%3A04%3A05Z&sig=")
        );
        let there = target(&azure_storage(None)).await;
        assert_eq!(there.host_name, "devstoreaccount1.blob.core.windows.net");
        assert_eq!(there.container_name, "files");
        assert_eq!(there.sas_token, here.sas_token);
    }

    #[tokio::test]
    async fn a_bucket_is_a_container_and_its_url_is_signed_in_advance() {
        let storage = open(UploadStorage::S3 {
            bucket: "files".into(),
            region: "eu-central-1".into(),
            endpoint: None,
            key_id: "id".into(),
            key: Secret("secret".into()),
        });
        let target = target(&storage).await;
        assert_eq!(target.host_name, "s3.eu-central-1.amazonaws.com");
        assert_eq!(target.container_name, "files");
        assert!(target.sas_token.starts_with("?X-Amz-"), "{}", target.sas_token);
        assert!(target.sas_token.contains("X-Amz-Expires=3600&"), "{}", target.sas_token);
    }

    #[tokio::test]
    async fn a_storage_that_is_away_is_an_error_and_not_a_missing_blob() {
        // Port 1 of the loopback: nobody listens.
        let storage = azure_storage(Some("http://127.0.0.1:1"));
        let name = BlobName::of_device("d1", "a").unwrap();
        assert!(matches!(storage.stat(&name).await, Err(BlobError::Remote(_))));
        assert!(matches!(storage.delete(&name).await, Err(BlobError::Remote(_))));
    }

    #[test]
    fn a_key_that_is_none_is_refused_by_name() {
        let setting = UploadStorage::Azure {
            account: "acct".into(),
            container: "files".into(),
            endpoint: None,
            key: Secret("not base64!".into()),
        };
        let error = RemoteStorage::open(&setting, None).err().unwrap();
        assert!(error.to_string().starts_with("upload.key:"), "{error}");
    }
}
