//! A blob of lines that is imported, read group by group.

use super::{Stop, blob_name, of_blob};
use crate::actor::NodeFacts;
use crate::blob::{Lines, SasContainer};

/// Lines of a group, and so operations under way at a time.
pub(super) const GROUP_LINES: u64 = 1024;
/// Bytes of a group, and a line: what an import holds in memory.
const GROUP_BYTES: u64 = 8 << 20;

/// A line that is not empty; lines are counted from 1.
pub(super) type Numbered = (u64, String);

/// The blob, as far as it was read.
pub(super) struct GroupReader<'a> {
    blob: &'a str,
    lines: Lines,
    read: u64,
    number: u64,
}

impl<'a> GroupReader<'a> {
    pub(super) async fn open(container: &SasContainer, blob: &'a str) -> Result<Self, Stop> {
        let name = blob_name(blob)?;
        let lines = container.read_lines(&name, NodeFacts::now()).await.map_err(of_blob(blob))?;
        Ok(Self { blob, lines, read: 0, number: 0 })
    }

    /// Bytes of the whole blob.
    pub(super) fn bytes(&self) -> u64 {
        self.lines.bytes()
    }

    /// Bytes of the lines that were read.
    pub(super) fn read(&self) -> u64 {
        self.read
    }

    /// Lines that were read.
    pub(super) fn number(&self) -> u64 {
        self.number
    }

    async fn next(&mut self) -> Result<Option<String>, Stop> {
        let line = self.lines.next().await.map_err(|error| {
            Stop::Failed(format!("line {} of the blob {:?}: {error}", self.number + 1, self.blob))
        })?;
        if let Some(line) = &line {
            self.number += 1;
            self.read += line.len() as u64 + 1;
        }
        Ok(line)
    }

    /// Passes over the first lines.
    pub(super) async fn skip(&mut self, lines: u64) -> Result<(), Stop> {
        while self.number < lines {
            if self.next().await?.is_none() {
                let why = format!(
                    "the blob {:?} has {} lines now, and {lines} were imported already",
                    self.blob, self.number
                );
                return Err(Stop::Failed(why));
            }
        }
        Ok(())
    }

    /// The next lines; `None` at the end. Empty ones count, and are nothing.
    pub(super) async fn group(&mut self) -> Result<Option<Vec<Numbered>>, Stop> {
        let (mut group, from, begin) = (Vec::new(), self.read, self.number);
        while self.number - begin < GROUP_LINES && self.read - from < GROUP_BYTES {
            let Some(line) = self.next().await? else { break };
            // Some editors begin a file so.
            let text = if self.number == 1 { line.trim_start_matches('\u{feff}') } else { &line };
            if !text.trim().is_empty() {
                group.push((self.number, text.to_owned()));
            }
        }
        Ok((self.number > begin).then_some(group))
    }
}
