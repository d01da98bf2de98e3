//! A blob of lines, as the registry's exports are: read one at a time.

use bytes::Buf;

use super::BlobReader;
use crate::blob::error::BlobError;

/// Longest line in bytes. A device with everything that it may have takes a tenth of it.
pub const LINE_BYTES_MAX: usize = 1 << 20;

/// The lines of a blob, from its first.
pub struct Lines {
    reader: BlobReader,
    /// What was read and not given out yet.
    piece: bytes::Bytes,
    /// The beginning of a line whose end was not read yet.
    begun: Vec<u8>,
}

impl Lines {
    pub(super) fn new(reader: BlobReader) -> Self {
        Self { reader, piece: bytes::Bytes::new(), begun: Vec::new() }
    }

    /// Bytes of the whole blob.
    pub fn bytes(&self) -> u64 {
        self.reader.bytes()
    }

    /// The next line without its end (`\n`, `\r\n`, or that of the blob); `None` behind the last. Empty lines are given
    /// out as such, a byte-order mark is for the reader of the first line.
    /// [`BlobError::Line`] for one over [`LINE_BYTES_MAX`] or not in UTF-8; reading cannot go on then.
    pub async fn next(&mut self) -> Result<Option<String>, BlobError> {
        loop {
            let end = self.piece.iter().position(|byte| *byte == b'\n');
            let part = end.unwrap_or(self.piece.len());
            if self.begun.len() + part > LINE_BYTES_MAX {
                return Err(BlobError::Line { max: LINE_BYTES_MAX });
            }
            self.begun.extend_from_slice(&self.piece[..part]);
            if end.is_some() {
                self.piece.advance(part + 1);
                return self.take().map(Some);
            }
            self.piece.clear();
            match self.reader.next().await? {
                Some(piece) => self.piece = piece,
                None if self.begun.is_empty() => return Ok(None),
                None => return self.take().map(Some),
            }
        }
    }

    fn take(&mut self) -> Result<String, BlobError> {
        let mut line = std::mem::take(&mut self.begun);
        if line.last() == Some(&b'\r') {
            line.pop();
        }
        String::from_utf8(line).map_err(|_| BlobError::Line { max: LINE_BYTES_MAX })
    }
}
