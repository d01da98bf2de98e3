//! The store on a real folder: what is there after each operation, and after a crash within one.

use std::os::unix::fs::MetadataExt;
use std::sync::atomic::{AtomicU32, Ordering};

use super::*;
use hyper::HeaderMap;

const NOW: UnixMs = UnixMs(1_767_323_045_678);
const UNTIL: UnixMs = UnixMs(NOW.0 + 60_000);

/// A store in a folder of its own, which goes with it.
struct Folder {
    store: FileStore,
    dir: PathBuf,
}

impl Folder {
    fn new() -> Self {
        static NEXT: AtomicU32 = AtomicU32::new(0);
        let number = NEXT.fetch_add(1, Ordering::Relaxed);
        let dir =
            std::env::temp_dir().join(format!("ironhub-blobs-{}-{number}", std::process::id()));
        let _ = fs::remove_dir_all(&dir);
        fs::create_dir_all(&dir).unwrap();
        Self { store: FileStore::open(&dir).unwrap(), dir }
    }

    fn content(&self, text: &str) -> Incoming {
        let mut incoming = self.store.receive().unwrap();
        incoming.write(text.as_bytes()).unwrap();
        incoming
    }

    fn put(&self, blob: &str, text: &str) -> Result<Manifest, BlobError> {
        self.store.put(&name(blob), self.content(text), NewBlob::default(), NOW)
    }

    fn block(&self, blob: &str, block: &str, text: &str, until: UnixMs) -> Result<(), BlobError> {
        self.store.put_block(&name(blob), &id(block), self.content(text), until)
    }

    fn commit(&self, blob: &str, list: &[(Origin, &str)]) -> Result<Manifest, BlobError> {
        let list: Vec<_> = list.iter().map(|(origin, block)| (*origin, id(block))).collect();
        self.store.commit(&name(blob), &list, NewBlob::default(), NOW)
    }

    /// The content of a blob, or that it does not exist.
    fn read(&self, blob: &str) -> Option<String> {
        let manifest = self.store.read(&name(blob)).unwrap()?;
        assert_eq!(manifest.name, blob);
        let mut text = String::new();
        for segment in &manifest.segments {
            let mut file = self.store.open_segment(&name(blob), segment).unwrap();
            io::Read::read_to_string(&mut file, &mut text).unwrap();
        }
        assert_eq!(manifest.bytes, text.len() as u64);
        Some(text)
    }

    /// Every file below the folder, as (first folder, number of files).
    fn files(&self) -> [usize; 3] {
        [&self.store.incoming, &self.store.pending, &self.store.stored].map(|dir| count(dir))
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.dir);
    }
}

fn count(dir: &Path) -> usize {
    let below = names_in(dir).unwrap().into_iter().map(|name| dir.join(name));
    below.map(|path| if path.is_dir() { count(&path) } else { 1 }).sum()
}

fn name(text: &str) -> BlobName {
    BlobName::new(text.into()).unwrap()
}

fn id(text: &str) -> BlockId {
    BlockId::parse(text).unwrap()
}

#[test]
fn a_blob_is_replaced_as_a_whole_and_leaves_no_old_content() {
    let folder = Folder::new();
    let first = folder.put("d1/a", "one").unwrap();
    let second = folder.put("d1/a", "other").unwrap();
    assert_ne!(first.etag, second.etag);
    assert_eq!(folder.read("d1/a").as_deref(), Some("other"));
    assert_eq!(folder.read("D1/a"), None);
    assert_eq!(folder.files(), [0, 0, 2]);
}

#[test]
fn an_upload_that_is_refused_or_given_up_leaves_nothing() {
    let folder = Folder::new();
    drop(folder.content("half of it"));
    assert_eq!(folder.files(), [0, 0, 0]);
    folder.put("d1/a", "one").unwrap();
    let headers: HeaderMap =
        [(hyper::header::IF_NONE_MATCH, "*".parse().unwrap())].into_iter().collect();
    let new = NewBlob { conditions: Conditions::of(&headers), ..NewBlob::default() };
    let refused = folder.store.put(&name("d1/a"), folder.content("two"), new, NOW);
    assert!(matches!(refused, Err(BlobError::AlreadyExists)));
    assert_eq!(folder.read("d1/a").as_deref(), Some("one"));
    assert_eq!(folder.files(), [0, 0, 2]);
}

#[test]
fn a_list_of_blocks_makes_the_blob_without_copying_one() {
    let folder = Folder::new();
    folder.block("d1/a", "AAAA", "first,", UNTIL).unwrap();
    folder.block("d1/a", "BBBB", "second,", UNTIL).unwrap();
    folder.block("d1/a", "CCCC", "not listed", UNTIL).unwrap();
    assert_eq!(folder.read("d1/a"), None);
    let pending = folder.store.pending.join(name("d1/a").digest());
    let file = pending_files(&pending).unwrap().remove(0).file;
    let inode = fs::metadata(pending.join(file)).unwrap().ino();

    use Origin::{Latest, Uncommitted};
    let list = [(Latest, "BBBB"), (Uncommitted, "AAAA"), (Latest, "BBBB")];
    let blob = folder.commit("d1/a", &list).unwrap();
    assert_eq!(folder.read("d1/a").as_deref(), Some("second,first,second,"));
    let file = folder.store.open_segment(&name("d1/a"), &blob.segments[1]).unwrap();
    assert_eq!(file.metadata().unwrap().ino(), inode);
    // Two blocks and the manifest; what was not listed is gone.
    assert_eq!(folder.files(), [0, 0, 3]);
}

#[test]
fn a_list_may_keep_blocks_of_the_blob_and_each_place_is_searched_as_it_says() {
    use Origin::{Committed, Latest, Uncommitted};
    let folder = Folder::new();
    for (block, text) in [("AAAA", "a"), ("BBBB", "b")] {
        folder.block("d1/a", block, text, UNTIL).unwrap();
    }
    folder.commit("d1/a", &[(Latest, "AAAA"), (Latest, "BBBB")]).unwrap();
    folder.block("d1/a", "BBBB", "B", UNTIL).unwrap();
    folder.block("d1/a", "CCCC", "C", UNTIL).unwrap();
    for missing in [(Uncommitted, "AAAA"), (Committed, "CCCC"), (Latest, "DDDD")] {
        let refused = folder.commit("d1/a", &[(Latest, "BBBB"), missing]);
        assert!(matches!(refused, Err(BlobError::UnknownBlock)), "{missing:?}");
        assert_eq!(folder.read("d1/a").as_deref(), Some("ab"));
    }
    let list = [(Committed, "BBBB"), (Latest, "BBBB"), (Uncommitted, "CCCC"), (Latest, "AAAA")];
    folder.commit("d1/a", &list).unwrap();
    assert_eq!(folder.read("d1/a").as_deref(), Some("bBCa"));
    folder.commit("d1/a", &[]).unwrap();
    assert_eq!(folder.read("d1/a").as_deref(), Some(""));
    assert_eq!(folder.files(), [0, 0, 1]);
}

#[test]
fn the_last_block_of_an_id_counts_and_ids_have_one_length() {
    let folder = Folder::new();
    folder.block("d1/a", "AAAA", "old", UnixMs(UNTIL.0 + 5)).unwrap();
    folder.block("d1/a", "AAAA", "newer", UNTIL).unwrap();
    folder.block("d1/a", "AAAA", "newest", UNTIL).unwrap();
    assert_eq!(folder.files(), [0, 1, 0]);
    let longer = folder.block("d1/a", "AAAAAAAA", "x", UNTIL);
    assert!(matches!(longer, Err(BlobError::BlockId)));
    // Another blob has ids of its own.
    folder.block("d1/b", "AAAAAAAA", "x", UNTIL).unwrap();
    let (committed, waiting) = folder.store.blocks(&name("d1/a")).unwrap();
    assert_eq!((committed, waiting), (vec![], vec![(id("AAAA"), 6)]));
    folder.commit("d1/a", &[(Origin::Latest, "AAAA")]).unwrap();
    assert_eq!(folder.read("d1/a").as_deref(), Some("newest"));
}

#[test]
fn blocks_are_dropped_when_their_ticket_ends_and_not_before() {
    let folder = Folder::new();
    folder.block("d1/a", "AAAA", "short", UNTIL).unwrap();
    folder.block("d1/a", "BBBB", "long", UnixMs(UNTIL.0 + 1)).unwrap();
    folder.block("d1/b", "AAAA", "short", UNTIL).unwrap();
    assert_eq!(folder.store.sweep(UnixMs(UNTIL.0 - 1)).unwrap(), 0);
    assert_eq!(folder.store.sweep(UNTIL).unwrap(), 2);
    assert_eq!(folder.files(), [0, 1, 0]);
    assert!(matches!(folder.store.blocks(&name("d1/b")), Err(BlobError::NotFound)));
    assert_eq!(names_in(&folder.store.pending).unwrap(), [name("d1/a").digest()]);
}

#[test]
fn a_deleted_blob_is_gone_with_its_waiting_blocks() {
    let folder = Folder::new();
    folder.block("d1/a", "AAAA", "waits", UNTIL).unwrap();
    let any = Conditions::default();
    assert!(matches!(folder.store.delete(&name("d1/a"), &any), Err(BlobError::NotFound)));
    folder.put("d1/a", "one").unwrap();
    folder.block("d1/a", "AAAA", "waits", UNTIL).unwrap();
    folder.store.delete(&name("d1/a"), &any).unwrap();
    assert_eq!(folder.read("d1/a"), None);
    assert_eq!(folder.files(), [0, 0, 0]);
}

#[test]
fn a_start_clears_away_what_a_crash_left_and_keeps_the_rest() {
    let folder = Folder::new();
    let store = &folder.store;
    folder.put("d1/a", "whole").unwrap();
    folder.block("d1/a", "AAAA", "waits", UNTIL).unwrap();
    // Died while receiving.
    fs::write(store.incoming.join("1.part"), "half").unwrap();
    // Died while deleting.
    fs::create_dir(store.incoming.join("2.gone")).unwrap();
    fs::write(store.incoming.join("2.gone/blob.json"), "{}").unwrap();
    // Died before the new manifest of an old blob, and before the first one of a new blob.
    for blob in ["d1/a", "d1/new"] {
        let digest = name(blob).digest();
        let dir = store.blob_dir(&digest);
        fs::create_dir_all(&dir).unwrap();
        fs::write(dir.join(segment_name()), "orphan").unwrap();
        fs::write(dir.join("blob.json.new"), "{\"na").unwrap();
        fs::write(store.incoming.join(format!("{digest}.commit")), "").unwrap();
    }
    assert_eq!(folder.files(), [4, 1, 6]);
    FileStore::open(&folder.dir).unwrap();
    assert_eq!(folder.files(), [0, 1, 2]);
    assert_eq!(folder.read("d1/a").as_deref(), Some("whole"));
    assert!(!store.blob_dir(&name("d1/new").digest()).exists());
    folder.commit("d1/a", &[(Origin::Latest, "AAAA")]).unwrap();
    assert_eq!(folder.read("d1/a").as_deref(), Some("waits"));
}

#[test]
fn the_longest_name_and_the_longest_block_id_have_room_in_a_file_system() {
    let folder = Folder::new();
    let longest = "é".repeat(crate::blob::name::NAME_CHARS_MAX);
    // 84 characters for 63 bytes, and one byte more.
    let block = id(&format!("{}/w==", "/".repeat(84)));
    assert_eq!(block.hex().len(), 2 * crate::blob::blocks::ID_BYTES_MAX);
    folder.store.put_block(&name(&longest), &block, folder.content("x"), UNTIL).unwrap();
    let list = [(Origin::Latest, block)];
    folder.store.commit(&name(&longest), &list, NewBlob::default(), NOW).unwrap();
    assert_eq!(folder.read(&longest).as_deref(), Some("x"));
}
