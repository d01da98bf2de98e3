//! The bytes of one log entry: many commands.
//!
//! `version (1) | count (u32 LE) | count x { length (u32 LE) | command }`. An entry without bytes holds no
//! command (a new leader's first entry).

use bytes::{Buf, Bytes};

const VERSION: u8 = 1;
const HEAD_BYTES: usize = 5;
const LENGTH_BYTES: usize = 4;

/// Collects commands into the data of one entry.
pub(crate) struct BatchWriter {
    data: Vec<u8>,
    count: u32,
}

impl BatchWriter {
    /// Room for `commands` commands of `bytes` bytes together.
    pub(crate) fn with_capacity(commands: usize, bytes: usize) -> Self {
        let mut data = Vec::with_capacity(HEAD_BYTES + commands * LENGTH_BYTES + bytes);
        data.push(VERSION);
        data.extend_from_slice(&[0; LENGTH_BYTES]);
        Self { data, count: 0 }
    }

    pub(crate) fn push(&mut self, command: &[u8]) {
        self.data.extend_from_slice(&(command.len() as u32).to_le_bytes());
        self.data.extend_from_slice(command);
        self.count += 1;
    }

    pub(crate) fn finish(mut self) -> Vec<u8> {
        self.data[1..HEAD_BYTES].copy_from_slice(&self.count.to_le_bytes());
        self.data
    }
}

/// Cuts the data of an entry into its commands, which share its memory. `None` if it is not such data.
pub(crate) fn commands(mut data: Bytes) -> Option<Vec<Bytes>> {
    if data.is_empty() {
        return Some(Vec::new());
    }
    if data.len() < HEAD_BYTES || data.get_u8() != VERSION {
        return None;
    }
    let count = data.get_u32_le() as usize;
    if data.len() < count.checked_mul(LENGTH_BYTES)? {
        return None;
    }
    let mut commands = Vec::with_capacity(count);
    for _ in 0..count {
        if data.len() < LENGTH_BYTES {
            return None;
        }
        let length = data.get_u32_le() as usize;
        if data.len() < length {
            return None;
        }
        commands.push(data.split_to(length));
    }
    data.is_empty().then_some(commands)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_written_is_read_and_every_cut_is_refused() {
        let written: [&[u8]; 3] = [b"one", b"", b"three"];
        let mut batch = BatchWriter::with_capacity(3, 8);
        for command in written {
            batch.push(command);
        }
        let data = Bytes::from(batch.finish());
        let read = commands(data.clone()).expect("it was just written");
        assert_eq!(read, written);
        for cut in 1..data.len() {
            assert_eq!(commands(data.slice(..cut)), None, "cut at {cut}");
        }
    }

    #[test]
    fn entry_without_bytes_holds_no_command() {
        assert_eq!(commands(Bytes::new()), Some(Vec::new()));
    }

    #[test]
    fn count_larger_than_the_data_is_refused_before_allocation() {
        assert_eq!(commands(Bytes::from_static(&[1, 255, 255, 255, 255, 0, 0, 0, 0])), None);
    }
}
