//! A directory of files as the log sees it, and the real one.
//!
//! The trait says what may be lost at a crash: bytes since the last [`DiskFile::sync_data`], names since the last
//! [`Disk::sync_dir`]. `testing::disk` has the one that loses them on purpose.

use std::fs::{File, OpenOptions, TryLockError};
use std::io;
use std::os::fd::AsRawFd;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// Name of the file whose lock keeps a second process out.
const LOCK_NAME: &str = "LOCK";
/// Zeros written at once where the file system cannot preallocate.
const ZERO_CHUNK_BYTES: usize = 1 << 20;

/// One open file. All offsets are bytes from the start.
pub trait DiskFile: Send + Sync + 'static {
    /// Writes all of `bytes`; durable only after [`DiskFile::sync_data`].
    fn write_at(&self, offset: u64, bytes: &[u8]) -> io::Result<()>;

    /// Reads until `buffer` is full or the file ends; returns how much was read.
    fn read_at(&self, offset: u64, buffer: &mut [u8]) -> io::Result<usize>;

    /// Makes every earlier write of this file durable (`fdatasync`). After an error nothing about the file is known.
    fn sync_data(&self) -> io::Result<()>;

    /// Length in bytes, preallocated zeros included.
    fn len(&self) -> io::Result<u64>;

    /// Whether the file has no bytes.
    fn is_empty(&self) -> io::Result<bool> {
        Ok(self.len()? == 0)
    }

    /// Cuts or extends (with zeros) the file; durable after [`DiskFile::sync_data`].
    fn truncate(&self, bytes: u64) -> io::Result<()>;
}

/// A flat directory of files.
pub trait Disk: Send + Sync + 'static {
    /// Creates a file of `bytes` zeros whose room is reserved, so that a write inside it does not meet a full disk.
    /// Fails if the name exists. On error the file may be left behind. The name is durable after [`Disk::sync_dir`].
    fn create(&self, name: &str, bytes: u64) -> io::Result<Arc<dyn DiskFile>>;

    /// Opens an existing file for reading and writing.
    fn open(&self, name: &str) -> io::Result<Arc<dyn DiskFile>>;

    /// Names of all files, sorted.
    fn list(&self) -> io::Result<Vec<String>>;

    /// Removes a name. Open handles stay readable. May be undone by a crash until [`Disk::sync_dir`].
    fn delete(&self, name: &str) -> io::Result<()>;

    /// Makes earlier creations and deletions durable.
    fn sync_dir(&self) -> io::Result<()>;

    /// Bytes that may still be allocated.
    fn free_bytes(&self) -> io::Result<u64>;
}

/// Whether an error means that the disk (or this user's quota) has no room.
pub fn is_full(error: &io::Error) -> bool {
    matches!(error.raw_os_error(), Some(libc::ENOSPC | libc::EDQUOT))
}

/// A directory of the operating system, held by one process at a time.
pub struct FileDisk {
    path: PathBuf,
    directory: File,
    _lock: File,
}

impl FileDisk {
    /// Opens the directory, creating it if need be, and locks it until dropped.
    ///
    /// A directory that another process holds gives `WouldBlock` with a sentence for the operator.
    pub fn open(path: impl AsRef<Path>) -> io::Result<FileDisk> {
        let path = path.as_ref().to_path_buf();
        if !path.exists() {
            std::fs::create_dir_all(&path)?;
            if let Some(parent) = path.parent().filter(|parent| !parent.as_os_str().is_empty()) {
                File::open(parent)?.sync_all()?;
            }
        }
        let lock = OpenOptions::new()
            .create(true)
            .truncate(false)
            .write(true)
            .open(path.join(LOCK_NAME))?;
        match lock.try_lock() {
            Ok(()) => {}
            Err(TryLockError::WouldBlock) => {
                return Err(io::Error::new(
                    io::ErrorKind::WouldBlock,
                    format!("another ironhub uses this data directory ({})", path.display()),
                ));
            }
            Err(TryLockError::Error(error)) => return Err(error),
        }
        let directory = File::open(&path)?;
        Ok(FileDisk { path, directory, _lock: lock })
    }
}

impl Disk for FileDisk {
    fn create(&self, name: &str, bytes: u64) -> io::Result<Arc<dyn DiskFile>> {
        let file = OpenOptions::new()
            .read(true)
            .write(true)
            .create_new(true)
            .open(self.path.join(name))?;
        preallocate(&file, bytes)?;
        Ok(Arc::new(RealFile(file)))
    }

    fn open(&self, name: &str) -> io::Result<Arc<dyn DiskFile>> {
        let file = OpenOptions::new().read(true).write(true).open(self.path.join(name))?;
        Ok(Arc::new(RealFile(file)))
    }

    fn list(&self) -> io::Result<Vec<String>> {
        let mut names = Vec::new();
        for entry in std::fs::read_dir(&self.path)? {
            if let Ok(name) = entry?.file_name().into_string() {
                names.push(name);
            }
        }
        names.sort();
        Ok(names)
    }

    fn delete(&self, name: &str) -> io::Result<()> {
        std::fs::remove_file(self.path.join(name))
    }

    fn sync_dir(&self) -> io::Result<()> {
        self.directory.sync_all()
    }

    fn free_bytes(&self) -> io::Result<u64> {
        let path = std::ffi::CString::new(self.path.as_os_str().as_bytes())?;
        let mut stat = std::mem::MaybeUninit::<libc::statvfs>::zeroed();
        // SAFETY: `path` is a NUL-terminated string and `stat` is writable memory of the right type.
        if unsafe { libc::statvfs(path.as_ptr(), stat.as_mut_ptr()) } != 0 {
            return Err(io::Error::last_os_error());
        }
        // SAFETY: all-zero is a valid statvfs, and the call succeeded in filling it.
        let stat = unsafe { stat.assume_init() };
        Ok(stat.f_bavail.saturating_mul(stat.f_frsize))
    }
}

/// Reserves room and sets the length. Not `posix_fallocate`: where the file system has no such call glibc's stand-in
/// touches each block, and other C libraries fail.
fn preallocate(file: &File, bytes: u64) -> io::Result<()> {
    let length = libc::off_t::try_from(bytes)
        .map_err(|_| io::Error::new(io::ErrorKind::InvalidInput, "file size out of range"))?;
    if length == 0 {
        return Ok(());
    }
    #[cfg(target_os = "linux")]
    loop {
        // SAFETY: the descriptor is open for the whole call; no memory is passed.
        if unsafe { libc::fallocate(file.as_raw_fd(), 0, 0, length) } == 0 {
            return Ok(());
        }
        let error = io::Error::last_os_error();
        match error.raw_os_error() {
            Some(libc::EINTR) => continue,
            Some(libc::EOPNOTSUPP | libc::ENOSYS) => break,
            _ => return Err(error),
        }
    }
    write_zeros(file, bytes)
}

fn write_zeros(file: &File, bytes: u64) -> io::Result<()> {
    let zeros = vec![0; ZERO_CHUNK_BYTES];
    let mut done = 0;
    while done < bytes {
        let part = (bytes - done).min(ZERO_CHUNK_BYTES as u64);
        file.write_all_at(&zeros[..part as usize], done)?;
        done += part;
    }
    // Allocation happens when the bytes reach the disk, so a full disk shows only now.
    file.sync_all()
}

struct RealFile(File);

impl DiskFile for RealFile {
    fn write_at(&self, offset: u64, bytes: &[u8]) -> io::Result<()> {
        self.0.write_all_at(bytes, offset)
    }

    fn read_at(&self, offset: u64, buffer: &mut [u8]) -> io::Result<usize> {
        let mut done = 0;
        while done < buffer.len() {
            match self.0.read_at(&mut buffer[done..], offset + done as u64) {
                Ok(0) => break,
                Ok(count) => done += count,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(error),
            }
        }
        Ok(done)
    }

    fn sync_data(&self) -> io::Result<()> {
        self.0.sync_data()
    }

    fn len(&self) -> io::Result<u64> {
        Ok(self.0.metadata()?.len())
    }

    fn truncate(&self, bytes: u64) -> io::Result<()> {
        self.0.set_len(bytes)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn zeros_are_written_where_the_file_system_cannot_preallocate() {
        let path = std::env::temp_dir().join(format!("ironhub-zeros-{}", std::process::id()));
        let file = File::create(&path).unwrap();
        write_zeros(&file, 3 * ZERO_CHUNK_BYTES as u64 / 2).unwrap();
        assert_eq!(file.metadata().unwrap().len(), 3 * ZERO_CHUNK_BYTES as u64 / 2);
        std::fs::remove_file(&path).unwrap();
    }

    #[test]
    fn second_opener_of_a_directory_is_told_why() {
        let path = std::env::temp_dir().join(format!("ironhub-lock-{}", std::process::id()));
        let first = FileDisk::open(&path).unwrap();
        let error = FileDisk::open(&path).err().unwrap();
        assert_eq!(error.kind(), io::ErrorKind::WouldBlock);
        assert!(error.to_string().contains("another ironhub uses this data directory"));
        drop(first);
        FileDisk::open(&path).unwrap();
        std::fs::remove_dir_all(&path).unwrap();
    }
}
