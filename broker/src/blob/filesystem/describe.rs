//! Changes of what is said of a blob, its content left as it is.

use std::collections::BTreeMap;

use ironhub_domain::time::UnixMs;

use super::FileStore;
use super::manifest::Manifest;
use crate::blob::conditions::Conditions;
use crate::blob::container::new_etag;
use crate::blob::error::BlobError;
use crate::blob::name::BlobName;

/// Headers whose names begin so are the users'.
pub const METADATA: &str = "x-ms-meta-";

/// Which of a blob's headers a change replaces.
#[derive(Clone, Debug)]
pub enum Change {
    /// All that begin with [`METADATA`].
    Metadata(BTreeMap<String, String>),
    /// All others, and the MD5 that the client says.
    Properties(BTreeMap<String, String>, Option<String>),
}

impl FileStore {
    /// Changes a blob. On disk when this returns; ETag and time of the last write are new.
    pub fn describe(
        &self,
        name: &BlobName,
        change: Change,
        conditions: &Conditions,
        now: UnixMs,
    ) -> Result<Manifest, BlobError> {
        let digest = name.digest();
        let _lock = self.lock(&digest);
        let dir = self.blob_dir(&digest);
        let mut blob = Manifest::read(&dir)?.ok_or(BlobError::NotFound)?;
        conditions.check_write(Some(blob.current()))?;
        match change {
            Change::Metadata(new) => {
                blob.headers.retain(|name, _| !name.starts_with(METADATA));
                blob.headers.extend(new);
            }
            Change::Properties(new, md5) => {
                blob.headers.retain(|name, _| name.starts_with(METADATA));
                blob.headers.extend(new);
                blob.md5 = md5;
            }
        }
        blob.etag = new_etag();
        blob.modified = now.0;
        blob.write(&dir)?;
        Ok(blob)
    }
}
