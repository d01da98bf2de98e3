//! In the place of `remote.rs` in a program that was built without the feature `cloud-storage`.

use ironhub_domain::time::UnixMs;

use super::error::BlobError;
use super::name::BlobName;
use super::storage::{BlobFacts, UploadTarget};
use crate::config::UploadStorage;

/// A storage account; this program knows none.
#[derive(Debug)]
pub enum RemoteStorage {}

impl RemoteStorage {
    /// `None` if the setting names this node, an error otherwise.
    pub fn open(setting: &UploadStorage, _: Option<&[u8]>) -> anyhow::Result<Option<Self>> {
        match setting {
            UploadStorage::Local => Ok(None),
            UploadStorage::Azure { .. } | UploadStorage::S3 { .. } => anyhow::bail!(
                "upload.storage: this program keeps uploads in its data directory only; \
                 build it with --features cloud-storage for azure:// and s3://"
            ),
        }
    }

    /// See [`super::Storage::upload_target`].
    pub async fn upload_target(
        &self,
        _: &BlobName,
        _: UnixMs,
        _: UnixMs,
    ) -> Result<UploadTarget, BlobError> {
        match *self {}
    }

    /// See [`super::Storage::stat`].
    pub async fn stat(&self, _: &BlobName) -> Result<Option<BlobFacts>, BlobError> {
        match *self {}
    }

    /// See [`super::Storage::delete`].
    pub async fn delete(&self, _: &BlobName) -> Result<(), BlobError> {
        match *self {}
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_place_that_this_program_cannot_reach_is_refused_at_start() {
        let setting = UploadStorage::S3 {
            bucket: "files".into(),
            region: "r".into(),
            endpoint: None,
            key_id: "id".into(),
            key: crate::config::Secret("k".into()),
        };
        let error = RemoteStorage::open(&setting, None).unwrap_err().to_string();
        assert!(error.starts_with("upload.storage:"), "{error}");
    }
}
