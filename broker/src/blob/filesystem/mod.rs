//! Blobs in the hub's own data directory.
//!
//! ```text
//! blobs/incoming/{random}.part          being received; removed at every start
//! blobs/incoming/{digest}.commit        a write to this blob is under way; looked after at the next start
//! blobs/pending/{digest}/{until}-{id}   blocks that wait for their list, until their ticket ends
//! blobs/stored/{hh}/{digest}/blob.json  what the blob is and which segments make it up
//! blobs/stored/{hh}/{digest}/{random}   segments: a whole Put Blob, or one block
//! ```
//!
//! A list of blocks copies nothing: blocks stay the files they are, get a second name (hard link) in the blob's folder,
//! and the manifest gives their order. So committing takes as long for a terabyte as for a kilobyte, needs no
//! second disk, and is one rename: a crash before it leaves the old blob and the waiting blocks.
//!
//! Everything here blocks; callers are on threads for that. Read next: `manifest.rs`,
//! `sweep.rs`, `containers.rs`.

pub mod containers;
pub mod describe;
pub mod incoming;
pub mod listing;
pub mod manifest;
mod sweep;
#[cfg(test)]
mod tests;

use std::collections::{BTreeMap, HashMap};
use std::fs::{self, File};
use std::io;
use std::path::{Path, PathBuf};

use ironhub_domain::time::UnixMs;
use parking_lot::{Mutex, MutexGuard};

use super::blocks::{BlockId, Listed, Origin, PENDING_BLOCKS_MAX};
use super::conditions::Conditions;
use super::container::new_etag;
use super::error::BlobError;
use super::name::BlobName;
use incoming::Incoming;
use manifest::{Manifest, Segment};

/// Writes to different blobs rarely wait for each other with this many locks.
const LOCKS: usize = 64;

/// What a write says about the blob beside its content.
#[derive(Clone, Debug, Default)]
pub struct NewBlob {
    /// See [`Manifest::headers`].
    pub headers: BTreeMap<String, String>,
    /// See [`Manifest::md5`].
    pub md5: Option<String>,
    /// What must hold for the blob that is there.
    pub conditions: Conditions,
}

/// The blobs below one folder.
pub struct FileStore {
    incoming: PathBuf,
    pending: PathBuf,
    stored: PathBuf,
    locks: [Mutex<()>; LOCKS],
}

impl FileStore {
    /// Opens or makes the folder, and clears away what a crash has left.
    pub fn open(dir: &Path) -> io::Result<Self> {
        let store = Self {
            incoming: dir.join("incoming"),
            pending: dir.join("pending"),
            stored: dir.join("stored"),
            locks: [const { Mutex::new(()) }; LOCKS],
        };
        for dir in [&store.incoming, &store.pending, &store.stored] {
            fs::create_dir_all(dir)?;
        }
        sync_dir(dir)?;
        store.recover()?;
        Ok(store)
    }

    /// A file for a body that begins.
    pub fn receive(&self) -> io::Result<Incoming> {
        Incoming::create(&self.incoming)
    }

    /// The blob, if it exists.
    pub fn read(&self, name: &BlobName) -> io::Result<Option<Manifest>> {
        Manifest::read(&self.blob_dir(&name.digest()))
    }

    /// Opens a segment of a blob. Not found: the blob was replaced or deleted meanwhile.
    pub fn open_segment(&self, name: &BlobName, segment: &Segment) -> io::Result<File> {
        File::open(self.blob_dir(&name.digest()).join(&segment.file))
    }

    /// Makes `content` the blob. On disk when this returns; blocks that waited are gone.
    pub fn put(
        &self,
        name: &BlobName,
        content: Incoming,
        new: NewBlob,
        now: UnixMs,
    ) -> Result<Manifest, BlobError> {
        content.sync()?;
        let digest = name.digest();
        let _lock = self.lock(&digest);
        let old = Manifest::read(&self.blob_dir(&digest))?;
        new.conditions.check_write(old.as_ref().map(Manifest::current))?;
        let segment = Segment { file: segment_name(), bytes: content.bytes(), block: None };
        let place = |dir: &Path, segments: &[Segment]| content.place(&dir.join(&segments[0].file));
        self.replace(name, &digest, old, new, vec![segment], now, place)
    }

    /// Keeps a block until its list comes or `until` passes. On disk when this returns.
    pub fn put_block(
        &self,
        name: &BlobName,
        id: &BlockId,
        content: Incoming,
        until: UnixMs,
    ) -> Result<(), BlobError> {
        content.sync()?;
        let digest = name.digest();
        let _lock = self.lock(&digest);
        let dir = self.pending.join(&digest);
        let hex = id.hex();
        let waiting = pending_files(&dir)?;
        let known = waiting.iter().any(|block| block.hex == hex);
        if waiting.first().is_some_and(|block| block.hex.len() != hex.len()) {
            return Err(BlobError::BlockId);
        }
        if !known && waiting.len() >= PENDING_BLOCKS_MAX {
            return Err(BlobError::TooManyBlocks);
        }
        if create_dir(&dir)? {
            sync_dir(&self.pending)?;
        }
        let file = format!("{:016x}-{hex}", until.0);
        content.place(&dir.join(&file))?;
        for older in waiting.iter().filter(|block| block.hex == hex && block.file != file) {
            fs::remove_file(dir.join(&older.file))?;
        }
        Ok(sync_dir(&dir)?)
    }

    /// Makes the listed blocks the blob, in their order. On disk when this returns; blocks that waited are gone.
    pub fn commit(
        &self,
        name: &BlobName,
        list: &[(Origin, BlockId)],
        new: NewBlob,
        now: UnixMs,
    ) -> Result<Manifest, BlobError> {
        let digest = name.digest();
        let _lock = self.lock(&digest);
        let old = Manifest::read(&self.blob_dir(&digest))?;
        new.conditions.check_write(old.as_ref().map(Manifest::current))?;
        let pending_dir = self.pending.join(&digest);
        let waiting: HashMap<String, String> =
            pending_files(&pending_dir)?.into_iter().map(|block| (block.hex, block.file)).collect();
        let stored: HashMap<&str, &Segment> = old
            .iter()
            .flat_map(|old| &old.segments)
            .filter_map(|segment| Some((segment.block.as_deref()?, segment)))
            .collect();
        // The file that each waiting block of the list becomes.
        let mut linked: HashMap<&BlockId, Segment> = HashMap::new();
        let mut segments = Vec::with_capacity(list.len());
        for (origin, id) in list {
            let from_waiting = || waiting.get(&id.hex()).filter(|_| *origin != Origin::Committed);
            let from_stored =
                || stored.get(id.base64().as_str()).filter(|_| *origin != Origin::Uncommitted);
            if let Some(segment) = linked.get(id).filter(|_| *origin != Origin::Committed) {
                segments.push(segment.clone());
            } else if let Some(file) = from_waiting() {
                let bytes = fs::metadata(pending_dir.join(file))?.len();
                let segment = Segment { file: segment_name(), bytes, block: Some(id.base64()) };
                linked.insert(id, segment.clone());
                segments.push(segment);
            } else if let Some(segment) = from_stored() {
                segments.push((*segment).clone());
            } else {
                return Err(BlobError::UnknownBlock);
            }
        }
        let place = |dir: &Path, _: &[Segment]| {
            for (id, segment) in &linked {
                let file = waiting.get(&id.hex()).ok_or(io::ErrorKind::NotFound)?;
                fs::hard_link(pending_dir.join(file), dir.join(&segment.file))?;
            }
            Ok(())
        };
        self.replace(name, &digest, old.clone(), new, segments, now, place)
    }

    /// Removes the blob and what waits for it.
    pub fn delete(&self, name: &BlobName, conditions: &Conditions) -> Result<(), BlobError> {
        let digest = name.digest();
        let _lock = self.lock(&digest);
        let dir = self.blob_dir(&digest);
        let old = Manifest::read(&dir)?.ok_or(BlobError::NotFound)?;
        conditions.check_write(Some(old.current()))?;
        // One rename, so that a crash leaves a whole blob or none.
        let gone = self.incoming.join(format!("{:032x}.gone", rand::random::<u128>()));
        fs::rename(&dir, &gone)?;
        if let Some(parent) = dir.parent() {
            sync_dir(parent)?;
        }
        remove_dir(&gone)?;
        Ok(remove_dir(&self.pending.join(&digest))?)
    }

    /// The blocks of the blob as it is, and those that wait for a list. `NotFound` if there are neither.
    pub fn blocks(&self, name: &BlobName) -> Result<(Vec<Listed>, Vec<Listed>), BlobError> {
        let digest = name.digest();
        let _lock = self.lock(&digest);
        let stored = Manifest::read(&self.blob_dir(&digest))?;
        let dir = self.pending.join(&digest);
        let waiting = pending_files(&dir)?;
        if stored.is_none() && waiting.is_empty() {
            return Err(BlobError::NotFound);
        }
        let listed = |segment: Segment| Some((BlockId::parse(&segment.block?)?, segment.bytes));
        let committed = stored.into_iter().flat_map(|blob| blob.segments).filter_map(listed);
        let mut uncommitted = Vec::new();
        for block in waiting {
            let Some(id) = BlockId::from_hex(&block.hex) else { continue };
            uncommitted.push((id, fs::metadata(dir.join(&block.file))?.len()));
        }
        Ok((committed.collect(), uncommitted))
    }

    /// Puts new content in the place of old. `place` brings the files of the segments into the blob's folder.
    #[expect(
        clippy::too_many_arguments,
        reason = "everything that one write of a blob consists of"
    )]
    fn replace(
        &self,
        name: &BlobName,
        digest: &str,
        old: Option<Manifest>,
        new: NewBlob,
        segments: Vec<Segment>,
        now: UnixMs,
        place: impl FnOnce(&Path, &[Segment]) -> io::Result<()>,
    ) -> Result<Manifest, BlobError> {
        let dir = self.blob_dir(digest);
        let manifest = Manifest {
            name: name.as_str().to_owned(),
            etag: new_etag(),
            bytes: segments.iter().map(|segment| segment.bytes).sum(),
            created: old.as_ref().map_or(now.0, |old| old.created),
            modified: now.0,
            md5: new.md5,
            headers: new.headers,
            segments,
        };
        let marker = self.incoming.join(format!("{digest}.commit"));
        File::create(&marker)?;
        let written = self
            .make_blob_dir(&dir)
            .and_then(|()| place(&dir, &manifest.segments))
            .and_then(|()| manifest.write(&dir));
        // Whichever manifest is there now rules: what it does not name goes, and so do the waiting blocks it took.
        let tidied = Self::tidy(&dir);
        if written.is_ok() {
            remove_dir(&self.pending.join(digest))?;
        }
        tidied?;
        fs::remove_file(&marker)?;
        written?;
        Ok(manifest)
    }

    fn make_blob_dir(&self, dir: &Path) -> io::Result<()> {
        let Some(parent) = dir.parent() else { return Ok(()) };
        if create_dir(parent)? {
            sync_dir(&self.stored)?;
        }
        if create_dir(dir)? {
            sync_dir(parent)?;
        }
        Ok(())
    }

    fn blob_dir(&self, digest: &str) -> PathBuf {
        self.stored.join(digest.get(..2).unwrap_or_default()).join(digest)
    }

    fn lock(&self, digest: &str) -> MutexGuard<'_, ()> {
        let bits = digest.get(..4).and_then(|bits| usize::from_str_radix(bits, 16).ok());
        self.locks[bits.unwrap_or_default() % LOCKS].lock()
    }
}

fn segment_name() -> String {
    format!("{:032x}", rand::random::<u128>())
}

/// A block that waits, by its file's name.
struct Pending {
    file: String,
    /// Ticket's end, milliseconds since 1970.
    until: u64,
    hex: String,
}

impl Pending {
    fn parse(file: String) -> Option<Self> {
        let (until, hex) = file.split_once('-')?;
        let (until, hex) = (u64::from_str_radix(until, 16).ok()?, hex.to_owned());
        Some(Self { file, until, hex })
    }
}

/// The waiting blocks in a folder, in the order of their tickets' ends; none if there is no folder.
fn pending_files(dir: &Path) -> io::Result<Vec<Pending>> {
    let mut files: Vec<Pending> = names_in(dir)?.into_iter().filter_map(Pending::parse).collect();
    files.sort_by(|a, b| a.file.cmp(&b.file));
    Ok(files)
}

/// Names of what is in a folder of ours; none if there is no folder.
fn names_in(dir: &Path) -> io::Result<Vec<String>> {
    let entries = match fs::read_dir(dir) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
        entries => entries?,
    };
    entries.map(|entry| Ok(entry?.file_name().to_string_lossy().into_owned())).collect()
}

/// Whether the folder had to be made.
fn create_dir(dir: &Path) -> io::Result<bool> {
    match fs::create_dir(dir) {
        Ok(()) => Ok(true),
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => Ok(false),
        Err(error) => Err(error),
    }
}

fn remove_dir(dir: &Path) -> io::Result<()> {
    match fs::remove_dir_all(dir) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
        outcome => outcome,
    }
}

fn sync_dir(dir: &Path) -> io::Result<()> {
    File::open(dir)?.sync_all()
}
