//! [`StateStore`] on RocksDB, without a write-ahead log of its own.
//!
//! **What a crash leaves.** Batches go to memtables only. All column families are flushed together (`atomic_flush`), each
//! flush up to one point of the write order, so what is on disk is always a prefix of whole batches over both areas.
//!
//! **Dropped event ranges.** A `DeleteRange` over events is a tombstone like any other change, so it obeys that rule.
//! Giving the room back is a second step, in [`RocksStore::flush`], once the tombstone is on disk: files that lie wholly inside
//! the range are unlinked instead of compacted. Compaction of events is paused from before that flush until after the
//! unlinking, so the tombstone stays above every older file and nothing that it hides can come back.
//!
//! **A full disk.** A flush that meets it leaves RocksDB with a background error: writes and flushes fail with `full: true`,
//! reads go on, memtables keep what was written. RocksDB's file manager then looks every 5 seconds; as soon as there is room for the
//! memtables again it flushes them and clears the error by itself (`SstFileManagerImpl::ClearError` in its source), and
//! writes work again without a restart. RocksDB would make writers wait for that when too many memtables are waiting for a flush,
//! and with them the thread that drives all partitions; so its own limits on that are set out of reach, and
//! [`RocksStore::write`] bounds memtables itself, waiting only while flushes get on. A full disk during compaction only delays compaction. Any other background
//! error (a failed sync) stays until the process restarts: writes fail with `full: false`.

#[cfg(test)]
mod tests;
mod tuning;

use std::path::Path;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use parking_lot::Mutex;
use rocksdb::{
    Cache, ColumnFamily, ColumnFamilyDescriptor, DB, DBRawIterator, FlushOptions, ReadOptions,
    WriteBatch, WriteOptions,
};

use self::tuning::{database_options, events_options, records_options, unused_options};
use super::{Area, Change, StateStore, StorageError, Visit};

const RECORDS: &str = "records";
const EVENTS: &str = "events";
/// Ranges remembered for unlinking between two flushes; beyond it their room comes back by compaction.
const RANGES_MAX: usize = 1024;
/// Bytes written between two looks at the size of all memtables.
const MEMTABLE_CHECK_BYTES: u64 = 1 << 20;
/// Pause between two looks while a flush catches up, and the longest such wait: no disk is that slow, and one write
/// more does no harm.
const FLUSH_PAUSE: Duration = Duration::from_millis(1);
const FLUSH_WAIT_MAX: Duration = Duration::from_secs(60);
/// Bounds of one store.
#[derive(Clone, Copy, Debug)]
pub struct RocksOptions {
    /// Block cache for both areas, indexes and filters included, in bytes.
    pub cache_bytes: usize,
    /// All memtables together, in bytes; reaching it starts a flush. About as much again may exist while flushing.
    /// After a full disk, half of this must be free before writes work again.
    pub memtable_bytes: usize,
    /// Table files kept open.
    pub open_files_max: i32,
    /// Threads for flushes and compactions.
    pub background_jobs: i32,
    /// Size of one file of events; retention gives room back in such pieces.
    pub events_file_bytes: u64,
}

impl Default for RocksOptions {
    fn default() -> Self {
        Self {
            cache_bytes: 64 << 20,
            memtable_bytes: 64 << 20,
            open_files_max: 512,
            background_jobs: 2,
            events_file_bytes: 64 << 20,
        }
    }
}

/// An open database; dropping it flushes and closes.
pub struct RocksStore {
    db: DB,
    unlogged: WriteOptions,
    /// Memtables may have this many bytes before writes wait for a flush.
    memtables_max: u64,
    /// Bytes written since that was last checked.
    unchecked: AtomicU64,
    /// Event ranges whose tombstones are not flushed yet.
    ranges: Mutex<Vec<(Vec<u8>, Vec<u8>)>>,
    /// Compaction of events is paused; held by whoever flushes and unlinks.
    paused: Mutex<bool>,
}

impl RocksStore {
    /// Opens the database in `path`, creating it if need be. A directory that another process holds is refused in words.
    pub fn open(path: impl AsRef<Path>, options: RocksOptions) -> Result<RocksStore, StorageError> {
        let path = path.as_ref();
        let cache = Cache::new_lru_cache(options.cache_bytes);
        let families = [
            ColumnFamilyDescriptor::new("default", unused_options(&options)),
            ColumnFamilyDescriptor::new(RECORDS, records_options(&options, &cache)),
            ColumnFamilyDescriptor::new(EVENTS, events_options(&options, &cache)),
        ];
        let db = DB::open_cf_descriptors(&database_options(&options), path, families)
            .map_err(|error| open_error(path, error))?;
        let mut unlogged = WriteOptions::default();
        unlogged.disable_wal(true);
        let (ranges, paused) = (Mutex::new(Vec::new()), Mutex::new(false));
        let memtables_max = options.memtable_bytes as u64 * 2;
        let unchecked = AtomicU64::new(0);
        Ok(RocksStore { db, unlogged, memtables_max, unchecked, ranges, paused })
    }

    /// Errors of background flushes and compactions since the start; for a metric.
    pub fn background_errors(&self) -> u64 {
        self.db.property_int_value("rocksdb.background-errors").ok().flatten().unwrap_or(0)
    }

    fn family(&self, area: Area) -> Result<&ColumnFamily, StorageError> {
        let name = match area {
            Area::Records => RECORDS,
            Area::Events => EVENTS,
        };
        self.db
            .cf_handle(name)
            .ok_or_else(|| StorageError::Damaged(format!("column family {name} is missing")))
    }

    fn iterator(
        &self,
        area: Area,
        from: &[u8],
        to: &[u8],
    ) -> Result<DBRawIterator<'_>, StorageError> {
        let mut options = ReadOptions::default();
        options.set_iterate_lower_bound(from);
        options.set_iterate_upper_bound(to);
        Ok(self.db.raw_iterator_cf_opt(self.family(area)?, options))
    }

    /// Writes, then waits while memtables are too large and flushes get on. After a failed flush RocksDB answers the
    /// next write with the reason.
    fn write_bounded(&self, batch: WriteBatch) -> Result<(), StorageError> {
        let bytes = batch.size_in_bytes() as u64;
        let due = self.unchecked.fetch_add(bytes, Ordering::Relaxed) + bytes > MEMTABLE_CHECK_BYTES;
        let errors = if due { self.background_errors() } else { 0 };
        self.db.write_opt(batch, &self.unlogged).map_err(engine_error)?;
        if due {
            self.unchecked.store(0, Ordering::Relaxed);
            let begun = Instant::now();
            while self.memtable_bytes()? > self.memtables_max
                && self.background_errors() == errors
                && begun.elapsed() < FLUSH_WAIT_MAX
            {
                std::thread::sleep(FLUSH_PAUSE);
            }
        }
        Ok(())
    }

    fn memtable_bytes(&self) -> Result<u64, StorageError> {
        [Area::Records, Area::Events].into_iter().try_fold(0, |sum, area| {
            let family = self.family(area)?;
            let size = self.db.property_int_value_cf(family, "rocksdb.cur-size-all-mem-tables");
            Ok(sum + size.map_err(engine_error)?.unwrap_or(0))
        })
    }

    fn flush_families(&self) -> Result<(), StorageError> {
        let families = [self.family(Area::Records)?, self.family(Area::Events)?];
        let mut options = FlushOptions::default();
        options.set_wait(true);
        self.db.flush_cfs_opt(&[&families[0], &families[1]], &options).map_err(engine_error)
    }

    /// Whether some table file lies wholly inside one of the ranges, where unlinking can take it.
    fn any_file_inside(&self, ranges: &[(Vec<u8>, Vec<u8>)]) -> Result<bool, StorageError> {
        let files = self.db.live_files().map_err(engine_error)?;
        Ok(files.iter().filter(|file| file.column_family_name == EVENTS && file.level > 0).any(
            |file| match (&file.start_key, &file.end_key) {
                (Some(first), Some(last)) => {
                    ranges.iter().any(|(from, to)| from <= first && last < to)
                }
                (Some(_), None) | (None, Some(_)) | (None, None) => false,
            },
        ))
    }

    fn pause_compaction(&self, pause: bool) -> Result<(), StorageError> {
        let options = [("disable_auto_compactions", if pause { "true" } else { "false" })];
        self.db.set_options_cf(self.family(Area::Events)?, &options).map_err(engine_error)
    }

    fn flush_and_unlink(&self, ranges: &[(Vec<u8>, Vec<u8>)]) -> Result<(), StorageError> {
        self.pause_compaction(true)?;
        self.flush_families()?;
        let events = self.family(Area::Events)?;
        for (from, to) in ranges {
            // The call takes an inclusive end.
            let last = key_before(to);
            if *from < last {
                self.db.delete_file_in_range_cf(events, from, &last).map_err(engine_error)?;
            }
        }
        Ok(())
    }
}

impl StateStore for RocksStore {
    fn get(&self, area: Area, key: &[u8]) -> Result<Option<Vec<u8>>, StorageError> {
        self.db.get_cf(self.family(area)?, key).map_err(engine_error)
    }

    fn scan(
        &self,
        area: Area,
        from: &[u8],
        to: &[u8],
        visit: Visit<'_>,
    ) -> Result<(), StorageError> {
        if from >= to {
            return Ok(());
        }
        let mut rows = self.iterator(area, from, to)?;
        rows.seek(from);
        while let Some((key, value)) = rows.item() {
            if visit(key, value).is_break() {
                return Ok(());
            }
            rows.next();
        }
        rows.status().map_err(engine_error)
    }

    fn scan_back(
        &self,
        area: Area,
        from: &[u8],
        to: &[u8],
        visit: Visit<'_>,
    ) -> Result<(), StorageError> {
        if from >= to {
            return Ok(());
        }
        let mut rows = self.iterator(area, from, to)?;
        rows.seek_to_last();
        while let Some((key, value)) = rows.item() {
            if visit(key, value).is_break() {
                return Ok(());
            }
            rows.prev();
        }
        rows.status().map_err(engine_error)
    }

    fn write(&self, changes: &[Change]) -> Result<(), StorageError> {
        let (records, events) = (self.family(Area::Records)?, self.family(Area::Events)?);
        let family = |area: &Area| match area {
            Area::Records => records,
            Area::Events => events,
        };
        let mut batch = WriteBatch::default();
        let mut ranges = Vec::new();
        for change in changes {
            match change {
                Change::Put(area, key, value) => batch.put_cf(family(area), key, value),
                Change::Delete(area, key) => batch.delete_cf(family(area), key),
                // RocksDB refuses a reversed range and with it the batch.
                Change::DeleteRange(_, from, to) if from >= to => {}
                Change::DeleteRange(area, from, to) => {
                    batch.delete_range_cf(family(area), from, to);
                    if *area == Area::Events {
                        ranges.push((from.clone(), to.clone()));
                    }
                }
            }
        }
        self.write_bounded(batch)?;
        if !ranges.is_empty() {
            let mut kept = self.ranges.lock();
            ranges.truncate(RANGES_MAX.saturating_sub(kept.len()));
            kept.append(&mut ranges);
        }
        Ok(())
    }

    fn flush(&self) -> Result<(), StorageError> {
        let ranges = std::mem::take(&mut *self.ranges.lock());
        let mut paused = self.paused.lock();
        let unlink = !ranges.is_empty() && self.any_file_inside(&ranges)?;
        let result = if unlink {
            *paused = true;
            self.flush_and_unlink(&ranges)
        } else {
            self.flush_families()
        };
        if *paused {
            // Should this fail, the next flush tries again.
            self.pause_compaction(false)?;
            *paused = false;
        }
        result
    }

    fn bytes(&self) -> u64 {
        let size = |area| {
            let family = self.family(area).ok()?;
            self.db.property_int_value_cf(family, "rocksdb.total-sst-files-size").ok().flatten()
        };
        size(Area::Records).unwrap_or(0) + size(Area::Events).unwrap_or(0)
    }
}

/// A key below `end` with few keys between; equal to its predecessor if `end` ends in zero.
fn key_before(end: &[u8]) -> Vec<u8> {
    let mut key = end.to_vec();
    if let Some(last) = key.pop()
        && last > 0
    {
        key.push(last - 1);
        key.extend_from_slice(&[0xff; 16]);
    }
    key
}

fn open_error(path: &Path, error: rocksdb::Error) -> StorageError {
    let words = error.as_ref();
    // "While lock file: …/LOCK: Resource temporarily unavailable", or "lock hold by current process …/LOCK".
    if words.contains("/LOCK") && words.contains("lock ") {
        let path = path.display();
        let message = format!("another ironhub uses this data directory ({path})");
        return StorageError::Engine { message, full: false };
    }
    engine_error(error)
}

fn engine_error(error: rocksdb::Error) -> StorageError {
    let message = error.into_string();
    let full = ["No space left", "NoSpace", "Space limit reached", "Disk quota exceeded"];
    let full = full.iter().any(|words| message.contains(words));
    StorageError::Engine { message, full }
}
