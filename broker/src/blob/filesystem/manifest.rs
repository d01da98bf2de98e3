//! `blob.json`: what a blob is, and which files in which order hold its bytes.

use std::collections::BTreeMap;
use std::fs::{self, File};
use std::io::{self, Write};
use std::path::Path;

use ironhub_domain::time::UnixMs;
use serde::{Deserialize, Serialize};

use crate::blob::conditions::Current;

/// The file's name in a blob's folder. Segments have names of another form.
pub const FILE: &str = "blob.json";
const FILE_NEW: &str = "blob.json.new";

/// A blob. Replaced as a whole, so a reader sees the old one or the new one.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Manifest {
    /// The blob's name; its folder only has a digest of it.
    pub name: String,
    /// Quoted, new with every write.
    pub etag: String,
    /// Bytes of all segments.
    pub bytes: u64,
    /// First write, milliseconds since 1970.
    pub created: u64,
    /// Last write.
    pub modified: u64,
    /// MD5 of the content in base64: computed for a blob of one request, else what the client said.
    pub md5: Option<String>,
    /// Headers that every reader gets: content type and its like, `x-ms-meta-*`.
    pub headers: BTreeMap<String, String>,
    /// The content, in order.
    pub segments: Vec<Segment>,
}

/// A file with a part of the content. A block that is listed twice is one file and two segments.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Segment {
    /// Its name in the blob's folder.
    pub file: String,
    /// Its length.
    pub bytes: u64,
    /// The block it was, in base64; absent for the content of Put Blob.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub block: Option<String>,
}

impl Manifest {
    /// The manifest in `dir`; `None` if there is none.
    pub fn read(dir: &Path) -> io::Result<Option<Self>> {
        match fs::read(dir.join(FILE)) {
            Ok(bytes) => serde_json::from_slice(&bytes)
                .map(Some)
                .map_err(|error| io::Error::new(io::ErrorKind::InvalidData, error)),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
            Err(error) => Err(error),
        }
    }

    /// Makes this the manifest of `dir`, now and after a crash.
    pub fn write(&self, dir: &Path) -> io::Result<()> {
        let beside = dir.join(FILE_NEW);
        let mut file = File::create(&beside)?;
        file.write_all(&serde_json::to_vec(self)?)?;
        file.sync_all()?;
        fs::rename(&beside, dir.join(FILE))?;
        File::open(dir)?.sync_all()
    }

    /// What conditions look at.
    pub fn current(&self) -> Current<'_> {
        Current { etag: &self.etag, modified: UnixMs(self.modified) }
    }
}
