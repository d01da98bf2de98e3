//! Clearing away: blocks whose ticket has ended, and what a crash left behind.

use std::collections::HashSet;
use std::fs;
use std::io;
use std::path::Path;

use ironhub_domain::time::UnixMs;

use super::manifest::{FILE, Manifest};
use super::{FileStore, names_in, pending_files, remove_dir};

impl FileStore {
    /// Drops waiting blocks whose ticket has ended (device-protocols.md 5.2). Returns how many.
    pub fn sweep(&self, now: UnixMs) -> io::Result<usize> {
        let mut dropped = 0;
        for digest in names_in(&self.pending)? {
            let _lock = self.lock(&digest);
            let dir = self.pending.join(&digest);
            let blocks = pending_files(&dir)?;
            let ended = blocks.iter().filter(|block| block.until <= now.0);
            let mut left = blocks.len();
            for block in ended {
                fs::remove_file(dir.join(&block.file))?;
                left -= 1;
                dropped += 1;
            }
            if left == 0 {
                remove_dir(&dir)?;
            }
        }
        Ok(dropped)
    }

    /// At start, before anything is received: nobody works in any of these files.
    pub(super) fn recover(&self) -> io::Result<()> {
        for name in names_in(&self.incoming)? {
            if let Some(digest) = name.strip_suffix(".commit") {
                Self::tidy(&self.blob_dir(digest))?;
            }
            let path = self.incoming.join(&name);
            if path.is_dir() {
                remove_dir(&path)?;
            } else {
                fs::remove_file(path)?;
            }
        }
        Ok(())
    }

    /// Removes from a blob's folder what its manifest does not name; without a manifest, the folder.
    pub(super) fn tidy(dir: &Path) -> io::Result<()> {
        let Some(manifest) = Manifest::read(dir)? else {
            return remove_dir(dir);
        };
        let mut named: HashSet<&str> =
            manifest.segments.iter().map(|segment| segment.file.as_str()).collect();
        named.insert(FILE);
        for name in names_in(dir)? {
            if !named.contains(name.as_str()) {
                fs::remove_file(dir.join(name))?;
            }
        }
        Ok(())
    }
}
