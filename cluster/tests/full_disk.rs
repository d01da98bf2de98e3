//! The real log and the real store on a small file system that fills up. Needs the right to mount one; skips without.

use std::ffi::CString;
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, Instant};

use bytes::Bytes;
use ironhub_cluster::GroupId;
use ironhub_cluster::log::{
    EntryKind, FileDisk, GroupWrite, LogEntry, LogError, LogOptions, LogStore, LogWrite, SegmentLog,
};
use ironhub_cluster::storage::{Area, Change, RocksOptions, RocksStore, StateStore, StorageError};

/// Longest wait for RocksDB to notice that there is room again; it looks every 5 seconds.
const RECOVERY_MAX: Duration = Duration::from_secs(60);

/// A file system in memory, gone when dropped.
struct Mount(PathBuf);

impl Mount {
    fn new(name: &str, mebibytes: u32) -> Option<Mount> {
        let path = std::env::temp_dir().join(format!("ironhub-full-{name}-{}", std::process::id()));
        std::fs::create_dir_all(&path).expect("create the mount point");
        let (target, kind) = (c_path(&path), c"tmpfs".as_ptr());
        let size = CString::new(format!("size={mebibytes}m")).expect("no NUL");
        // SAFETY: all pointers are to NUL-terminated strings that outlive the call.
        let result = unsafe { libc::mount(kind, target.as_ptr(), kind, 0, size.as_ptr().cast()) };
        if result != 0 {
            eprintln!("skipped, cannot mount: {}", std::io::Error::last_os_error());
            let _ = std::fs::remove_dir(&path);
            return None;
        }
        Some(Mount(path))
    }
}

impl Drop for Mount {
    fn drop(&mut self) {
        let target = c_path(&self.0);
        // SAFETY: the pointer is to a NUL-terminated string that outlives the call.
        unsafe { libc::umount2(target.as_ptr(), libc::MNT_DETACH) };
        let _ = std::fs::remove_dir(&self.0);
    }
}

fn c_path(path: &Path) -> CString {
    CString::new(path.as_os_str().as_bytes()).expect("no NUL in a path")
}

#[test]
fn log_on_a_full_disk_refuses_and_goes_on_when_there_is_room() {
    let Some(mount) = Mount::new("log", 12) else { return };
    std::fs::write(mount.0.join("ballast"), vec![1; 5 << 20]).expect("ballast");
    let path = mount.0.join("log");
    let options = LogOptions { segment_bytes: 2 << 20, ..LogOptions::default() };
    let open = || {
        let disk = FileDisk::open(&path).expect("directory");
        SegmentLog::open(Arc::new(disk), options).expect("log")
    };
    let log = open();
    let write = |log: &SegmentLog, index| {
        let data = Bytes::from(vec![index as u8; 100_000]);
        let entry = LogEntry { index, term: 1, kind: EntryKind::Normal, data };
        let group = GroupWrite { entries: vec![entry], ..GroupWrite::default() };
        log.write(&LogWrite { groups: vec![(GroupId(1), group)] })
    };
    let refused = (1..1000).find(|index| write(&log, *index).is_err()).expect("it fills up");
    assert!(matches!(write(&log, refused), Err(LogError::Full { .. })));
    assert_eq!(log.groups()[0].1.last_index, refused - 1);
    std::fs::remove_file(mount.0.join("ballast")).expect("free room");
    write(&log, refused).expect("there is room");
    drop(log);
    let log = open();
    let read = log.entries(GroupId(1), 1, refused + 1, u64::MAX).expect("entries");
    assert!(read.iter().all(|entry| entry.data.iter().all(|byte| *byte == entry.index as u8)));
    assert_eq!(read.len() as u64, refused);
}

#[test]
fn state_on_a_full_disk_refuses_and_recovers_without_a_restart() {
    let Some(mount) = Mount::new("state", 48) else { return };
    std::fs::write(mount.0.join("ballast"), vec![1; 24 << 20]).expect("ballast");
    let path = mount.0.join("state");
    let options = RocksOptions { memtable_bytes: 2 << 20, ..RocksOptions::default() };
    let store = RocksStore::open(&path, options).expect("store");
    let write = |row: u64| {
        let value: Vec<u8> = (0..20_000_u64).map(|at| (at * row).to_le_bytes()[1]).collect();
        let key = row.to_be_bytes().to_vec();
        store.write(&[
            Change::Put(Area::Records, b"last".to_vec(), key.clone()),
            Change::Put(Area::Events, key, value),
        ])
    };
    let full = |result: Result<(), StorageError>| match result {
        Ok(()) => false,
        Err(StorageError::Engine { full: true, .. }) => true,
        Err(error) => panic!("{error}"),
    };
    let refused = (1..10_000).find(|row| full(write(*row))).expect("it fills up");
    assert!(full(store.flush()));
    let last = store.get(Area::Records, b"last").expect("reads go on");
    assert_eq!(last, Some((refused - 1).to_be_bytes().to_vec()));
    assert!(store.background_errors() > 0);

    std::fs::remove_file(mount.0.join("ballast")).expect("free room");
    let begun = Instant::now();
    while full(write(refused)) {
        assert!(begun.elapsed() < RECOVERY_MAX, "still full after {RECOVERY_MAX:?}");
        std::thread::sleep(Duration::from_millis(50));
    }
    store.flush().expect("flush");
    drop(store);
    let store = RocksStore::open(&path, options).expect("store");
    for row in 1..=refused {
        assert!(store.get(Area::Events, &row.to_be_bytes()).expect("get").is_some(), "{row}");
    }
}
