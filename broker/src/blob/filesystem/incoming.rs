//! A body on its way in: a file that is gone unless somebody gives it a place.

use std::fs::{self, File};
use std::io::{self, Write};
use std::path::{Path, PathBuf};

/// A file in the folder of what is being received. Dropped, it is removed: whatever ends a transfer leaves nothing.
pub struct Incoming {
    file: File,
    path: PathBuf,
    bytes: u64,
    placed: bool,
}

impl Incoming {
    /// A new, empty file in `dir`.
    pub fn create(dir: &Path) -> io::Result<Self> {
        let path = dir.join(format!("{:032x}.part", rand::random::<u128>()));
        let file = File::create_new(&path)?;
        Ok(Self { file, path, bytes: 0, placed: false })
    }

    /// Appends.
    pub fn write(&mut self, bytes: &[u8]) -> io::Result<()> {
        self.file.write_all(bytes)?;
        self.bytes += bytes.len() as u64;
        Ok(())
    }

    /// Bytes so far.
    pub fn bytes(&self) -> u64 {
        self.bytes
    }

    /// Waits until the content is on disk. Its name becomes durable with the folder it is placed in.
    pub fn sync(&self) -> io::Result<()> {
        self.file.sync_all()
    }

    /// Moves the file to its place, over what is there.
    pub fn place(mut self, path: &Path) -> io::Result<()> {
        fs::rename(&self.path, path)?;
        self.placed = true;
        Ok(())
    }
}

impl Drop for Incoming {
    fn drop(&mut self) {
        // What cannot be removed now is removed at the next start.
        if !self.placed {
            let _ = fs::remove_file(&self.path);
        }
    }
}
