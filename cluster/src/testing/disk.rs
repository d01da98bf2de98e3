//! A directory in memory that loses at a crash what a real one may lose, as a seed decides.
//!
//! * [`SimDisk::new`] makes one; clones are handles on the same directory. Files sit at [`SimDisk::create`]d length in memory, so
//!   give the log small segments ([`crate::log::LogOptions::segment_bytes`]).
//! * [`SimDisk::crash`] is the power cut: of the bytes written since a file's last sync none, all, a prefix or any set of
//!   512-byte sectors stays; names created or deleted since the last directory sync may or may not be. Handles from before the crash
//!   fail from then on, so a component that "died" cannot write any more; open anew with the same `SimDisk`.
//! * [`SimDisk::set_capacity`] makes the disk full; [`SimDisk::fail_syncs`] and [`SimDisk::fail_writes`] make it broken.

use std::collections::{BTreeMap, BTreeSet};
use std::io;
use std::sync::Arc;

use parking_lot::Mutex;
use rand::rngs::StdRng;
use rand::{Rng, SeedableRng};

use crate::log::disk::{Disk, DiskFile};

/// What a disk writes as a whole.
const SECTOR_BYTES: u64 = 512;

/// The simulated directory; a cheap handle.
#[derive(Clone)]
pub struct SimDisk(Arc<Mutex<Directory>>);

struct Directory {
    files: BTreeMap<String, Arc<Mutex<Content>>>,
    /// Names as of the last directory sync.
    durable: BTreeMap<String, Arc<Mutex<Content>>>,
    capacity: u64,
    /// Grows with each crash; handles of an older life are dead.
    life: u64,
    rng: StdRng,
    /// Syncs that still work before those that fail.
    working_syncs: u64,
    failing_syncs: u64,
    failing_writes: u64,
    /// What those writes say.
    write_error: i32,
    syncs: u64,
}

#[derive(Default)]
struct Content {
    live: Vec<u8>,
    /// As of the last sync.
    durable: Vec<u8>,
    /// Sectors written since.
    unsynced: BTreeSet<u64>,
}

impl SimDisk {
    /// An empty directory of unlimited size; `seed` decides what happens inside failing calls.
    pub fn new(seed: u64) -> SimDisk {
        SimDisk(Arc::new(Mutex::new(Directory {
            files: BTreeMap::new(),
            durable: BTreeMap::new(),
            capacity: u64::MAX,
            life: 0,
            rng: StdRng::seed_from_u64(seed),
            working_syncs: 0,
            failing_syncs: 0,
            failing_writes: 0,
            write_error: libc::EIO,
            syncs: 0,
        })))
    }

    /// Cuts the power: unsynced bytes and names are kept or lost as `seed` decides. Injected failures end.
    pub fn crash(&self, seed: u64) {
        let mut directory = self.0.lock();
        let mut rng = StdRng::seed_from_u64(seed);
        let mut names: BTreeSet<String> = directory.files.keys().cloned().collect();
        names.extend(directory.durable.keys().cloned());
        let mut left = BTreeMap::new();
        for name in names {
            let (now, before) = (directory.files.get(&name), directory.durable.get(&name));
            let same = match (now, before) {
                (Some(now), Some(before)) => Arc::ptr_eq(now, before),
                (Some(_), None) | (None, Some(_)) | (None, None) => false,
            };
            let kept = if same || rng.random_bool(0.5) { now } else { before };
            if let Some(content) = kept {
                let mut torn = content.lock();
                torn.tear(&mut rng);
                let bytes = torn.durable.clone();
                left.insert(
                    name,
                    Content { live: bytes.clone(), durable: bytes, unsynced: BTreeSet::new() },
                );
            }
        }
        directory.files =
            left.into_iter().map(|(name, content)| (name, Arc::new(Mutex::new(content)))).collect();
        directory.durable = directory.files.clone();
        directory.life += 1;
        directory.failing_syncs = 0;
        directory.failing_writes = 0;
    }

    /// Kills the process, not the machine: every byte and name stays as written, synced or not; old handles fail.
    pub fn kill(&self) {
        self.0.lock().life += 1;
    }

    /// Bytes that all files together may have; creating or extending beyond it gives `ENOSPC`.
    pub fn set_capacity(&self, bytes: Option<u64>) {
        self.0.lock().capacity = bytes.unwrap_or(u64::MAX);
    }

    /// Bytes that all files together have.
    pub fn used(&self) -> u64 {
        self.0.lock().used()
    }

    /// Lets the next `count` file or directory syncs fail with `EIO`; what they should have kept stays unsynced.
    pub fn fail_syncs(&self, count: u64) {
        self.fail_syncs_after(0, count);
    }

    /// Lets `count` syncs fail after `working` more that work.
    pub fn fail_syncs_after(&self, working: u64, count: u64) {
        let mut directory = self.0.lock();
        directory.working_syncs = working;
        directory.failing_syncs = count;
    }

    /// Lets the next `count` writes fail with `EIO` after a random part of their bytes.
    pub fn fail_writes(&self, count: u64) {
        let mut directory = self.0.lock();
        directory.failing_writes = count;
        directory.write_error = libc::EIO;
    }

    /// Lets the next `count` writes fail with `ENOSPC` after a random part of their bytes, as a copying file system may even
    /// inside a preallocated file.
    pub fn fill_writes(&self, count: u64) {
        let mut directory = self.0.lock();
        directory.failing_writes = count;
        directory.write_error = libc::ENOSPC;
    }

    /// Successful file syncs so far.
    pub fn syncs(&self) -> u64 {
        self.0.lock().syncs
    }

    /// A file as a reader sees it now.
    pub fn contents(&self, name: &str) -> Option<Vec<u8>> {
        self.0.lock().files.get(name).map(|content| content.lock().live.clone())
    }

    /// Replaces a file, durably: for damaging one on purpose.
    pub fn set_contents(&self, name: &str, bytes: Vec<u8>) {
        let mut directory = self.0.lock();
        let content = Content { live: bytes.clone(), durable: bytes, unsynced: BTreeSet::new() };
        let content = Arc::new(Mutex::new(content));
        directory.files.insert(name.to_owned(), content.clone());
        directory.durable.insert(name.to_owned(), content);
    }

    /// An independent copy of the directory as a reader sees it now, all of it durable.
    pub fn fork(&self) -> SimDisk {
        let copy = SimDisk::new(0);
        let names: Vec<String> = self.0.lock().files.keys().cloned().collect();
        for name in names {
            copy.set_contents(&name, self.contents(&name).unwrap_or_default());
        }
        copy
    }

    fn handle(&self, life: u64, content: Arc<Mutex<Content>>) -> Arc<dyn DiskFile> {
        Arc::new(SimFile { disk: self.clone(), life, content })
    }
}

impl Directory {
    fn used(&self) -> u64 {
        self.files.values().map(|content| content.lock().live.len() as u64).sum()
    }

    fn check_room(&self, more: u64) -> io::Result<()> {
        if self.used().saturating_add(more) > self.capacity {
            return Err(io::Error::from_raw_os_error(libc::ENOSPC));
        }
        Ok(())
    }

    fn sync(&mut self) -> io::Result<()> {
        if self.failing_syncs > 0 && self.working_syncs > 0 {
            self.working_syncs -= 1;
        } else if self.failing_syncs > 0 {
            self.failing_syncs -= 1;
            return Err(io::Error::from_raw_os_error(libc::EIO));
        }
        self.syncs += 1;
        Ok(())
    }
}

impl Content {
    fn write(&mut self, offset: u64, bytes: &[u8]) {
        let end = offset as usize + bytes.len();
        if end > self.live.len() {
            self.live.resize(end, 0);
        }
        self.live[offset as usize..end].copy_from_slice(bytes);
        if !bytes.is_empty() {
            self.unsynced.extend(offset / SECTOR_BYTES..=(end as u64 - 1) / SECTOR_BYTES);
        }
    }

    fn sync(&mut self) {
        self.durable.resize(self.live.len(), 0);
        for sector in std::mem::take(&mut self.unsynced) {
            self.keep(sector, SECTOR_BYTES);
        }
    }

    /// Makes the first `bytes` of a sector durable.
    fn keep(&mut self, sector: u64, bytes: u64) {
        let from = (sector * SECTOR_BYTES) as usize;
        let to = (from + bytes as usize).min(self.live.len()).min(self.durable.len());
        if from < to {
            self.durable[from..to].copy_from_slice(&self.live[from..to]);
        }
    }

    /// Lets the disk keep some of what was not synced.
    fn tear(&mut self, rng: &mut StdRng) {
        let how = rng.random_range(0..4);
        let sectors = std::mem::take(&mut self.unsynced);
        if self.durable.len() != self.live.len() && (how == 1 || rng.random_bool(0.5)) {
            self.durable.resize(self.live.len(), 0);
        }
        let prefix = rng.random_range(0..=sectors.len());
        let share = rng.random_range(0.05..0.95);
        for (place, sector) in sectors.into_iter().enumerate() {
            match how {
                0 => {}
                1 => self.keep(sector, SECTOR_BYTES),
                2 if place < prefix => self.keep(sector, SECTOR_BYTES),
                2 if place == prefix => self.keep(sector, rng.random_range(0..SECTOR_BYTES)),
                2 => {}
                _ if rng.random_bool(share) => self.keep(sector, SECTOR_BYTES),
                _ => {}
            }
        }
    }
}

impl Disk for SimDisk {
    fn create(&self, name: &str, bytes: u64) -> io::Result<Arc<dyn DiskFile>> {
        let mut directory = self.0.lock();
        if directory.files.contains_key(name) {
            return Err(io::Error::from_raw_os_error(libc::EEXIST));
        }
        // The name is made first; the room for it may then be lacking, as with the real calls.
        let content = Arc::new(Mutex::new(Content::default()));
        directory.files.insert(name.to_owned(), content.clone());
        directory.check_room(bytes)?;
        content.lock().live.resize(bytes as usize, 0);
        Ok(self.handle(directory.life, content))
    }

    fn open(&self, name: &str) -> io::Result<Arc<dyn DiskFile>> {
        let directory = self.0.lock();
        let content = directory.files.get(name).cloned();
        let content = content.ok_or_else(|| io::Error::from_raw_os_error(libc::ENOENT))?;
        Ok(self.handle(directory.life, content))
    }

    fn list(&self) -> io::Result<Vec<String>> {
        Ok(self.0.lock().files.keys().cloned().collect())
    }

    fn delete(&self, name: &str) -> io::Result<()> {
        let removed = self.0.lock().files.remove(name);
        removed.map(|_| ()).ok_or_else(|| io::Error::from_raw_os_error(libc::ENOENT))
    }

    fn sync_dir(&self) -> io::Result<()> {
        let mut directory = self.0.lock();
        directory.sync()?;
        directory.durable = directory.files.clone();
        Ok(())
    }

    fn free_bytes(&self) -> io::Result<u64> {
        let directory = self.0.lock();
        Ok(directory.capacity.saturating_sub(directory.used()))
    }
}

struct SimFile {
    disk: SimDisk,
    life: u64,
    content: Arc<Mutex<Content>>,
}

impl SimFile {
    /// The directory, unless this handle's process is dead.
    fn alive(&self) -> io::Result<parking_lot::MutexGuard<'_, Directory>> {
        let directory = self.disk.0.lock();
        if directory.life == self.life {
            Ok(directory)
        } else {
            Err(io::Error::other("this handle is from before a crash"))
        }
    }
}

impl DiskFile for SimFile {
    fn write_at(&self, offset: u64, bytes: &[u8]) -> io::Result<()> {
        let mut directory = self.alive()?;
        let length = self.content.lock().live.len() as u64;
        let more = (offset + bytes.len() as u64).saturating_sub(length);
        if more > 0 {
            directory.check_room(more)?;
        }
        if directory.failing_writes > 0 {
            directory.failing_writes -= 1;
            let part = directory.rng.random_range(0..bytes.len().max(1));
            self.content.lock().write(offset, &bytes[..part]);
            return Err(io::Error::from_raw_os_error(directory.write_error));
        }
        self.content.lock().write(offset, bytes);
        Ok(())
    }

    fn read_at(&self, offset: u64, buffer: &mut [u8]) -> io::Result<usize> {
        let _alive = self.alive()?;
        let content = self.content.lock();
        let rest = content.live.get(offset as usize..).unwrap_or_default();
        let count = rest.len().min(buffer.len());
        buffer[..count].copy_from_slice(&rest[..count]);
        Ok(count)
    }

    fn sync_data(&self) -> io::Result<()> {
        self.alive()?.sync()?;
        self.content.lock().sync();
        Ok(())
    }

    fn len(&self) -> io::Result<u64> {
        let _alive = self.alive()?;
        Ok(self.content.lock().live.len() as u64)
    }

    fn truncate(&self, bytes: u64) -> io::Result<()> {
        let _alive = self.alive()?;
        self.content.lock().live.resize(bytes as usize, 0);
        Ok(())
    }
}
