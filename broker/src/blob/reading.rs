//! Content on its way from this node's disk.

use std::fs::File;
use std::io::{self, Read, Seek, SeekFrom};
use std::ops::Range;
use std::sync::Arc;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use md5::{Digest, Md5};
use tokio::sync::OwnedSemaphorePermit;

use super::filesystem::containers::Container;
use super::filesystem::manifest::Segment;
use super::name::BlobName;
use super::service::CHUNK_BYTES;

/// A download under way: the files of a blob, one after the other. A blob that is replaced meanwhile ends it.
pub(super) struct Reading {
    container: Arc<Container>,
    name: BlobName,
    segments: Vec<Segment>,
    /// What is still to be sent, counted from the blob's first byte.
    wanted: Range<u64>,
    /// The segment that holds `wanted.start`, and where in the blob that segment begins.
    at: (usize, u64),
    file: Option<File>,
    _place: OwnedSemaphorePermit,
}

impl Reading {
    /// The bytes `wanted` of a blob made of `segments`, in a `place` among the transfers.
    pub(super) fn new(
        container: Arc<Container>,
        name: BlobName,
        segments: Vec<Segment>,
        wanted: Range<u64>,
        place: OwnedSemaphorePermit,
    ) -> Self {
        Self { container, name, segments, wanted, at: (0, 0), file: None, _place: place }
    }

    /// As [`Reading::next`], on a thread that may wait for the disk.
    pub(super) async fn next_off_thread(self) -> io::Result<(Option<Bytes>, Self)> {
        tokio::task::spawn_blocking(move || self.next()).await.map_err(io::Error::other)?
    }

    /// The next bytes; none at the end.
    fn next(mut self) -> io::Result<(Option<Bytes>, Self)> {
        if self.wanted.is_empty() {
            return Ok((None, self));
        }
        let (mut index, mut begin) = self.at;
        let segment = loop {
            let segment = self.segments.get(index).ok_or(io::ErrorKind::UnexpectedEof)?;
            if self.wanted.start < begin + segment.bytes {
                break segment;
            }
            begin += segment.bytes;
            index += 1;
            self.file = None;
        };
        self.at = (index, begin);
        let file = match &mut self.file {
            Some(file) => file,
            None => {
                let mut file = self.container.store.open_segment(&self.name, segment)?;
                file.seek(SeekFrom::Start(self.wanted.start - begin))?;
                self.file.insert(file)
            }
        };
        let left = (begin + segment.bytes).min(self.wanted.end) - self.wanted.start;
        let mut chunk = vec![0; CHUNK_BYTES.min(usize::try_from(left).unwrap_or(CHUNK_BYTES))];
        file.read_exact(&mut chunk)?;
        self.wanted.start += chunk.len() as u64;
        Ok((Some(chunk.into()), self))
    }

    /// Reads everything for its MD5 and begins anew.
    pub(super) fn md5(mut self) -> io::Result<(Self, String)> {
        let wanted = self.wanted.clone();
        let mut md5 = Md5::new();
        loop {
            let (read, again) = self.next()?;
            self = again;
            match read {
                Some(bytes) => md5.update(&bytes),
                None => break,
            }
        }
        (self.wanted, self.at, self.file) = (wanted, (0, 0), None);
        let md5 = STANDARD.encode(md5.finalize());
        Ok((self, md5))
    }
}
