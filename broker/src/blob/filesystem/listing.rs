//! Which blobs a container has, page by page, in the order of their names.
//!
//! Blobs lie in folders named by digests, so a page is found by looking at the name of every blob: a walk over the
//! container that holds no more than one page of names. A page costs as much as the container has blobs; writing one costs
//! nothing for it.

use std::collections::BTreeSet;
use std::fs::File;
use std::io::{self, Read};
use std::path::Path;

use super::manifest::{FILE, Manifest};
use super::{FileStore, names_in};

/// Most entries of a page (Azure: List Blobs).
pub const PAGE_ENTRIES_MAX: usize = 5000;
/// A page ends early when what it says of its blobs has so many bytes.
const PAGE_BYTES_MAX: usize = 4 << 20;
/// A manifest begins with the blob's name: `{"name":"…"`. The longest name, escaped, lies within so many bytes.
const NAME_BYTES_MAX: u64 = 16 * 1024;

/// What to list.
#[derive(Clone, Debug, Default)]
pub struct Wanted {
    /// Names begin so.
    pub prefix: String,
    /// Names that have this behind the prefix are one entry, as far as it.
    pub delimiter: Option<String>,
    /// The first entry may be this one: [`Page::next`] of the page before.
    pub from: String,
    /// Most entries, at most [`PAGE_ENTRIES_MAX`].
    pub max: usize,
}

/// One entry of a page.
#[derive(Clone, Debug)]
pub enum Entry {
    /// A blob; its segments are left out.
    Blob(Manifest),
    /// Names that begin so, delimiter included.
    Prefix(String),
}

/// A part of a list.
#[derive(Clone, Debug, Default)]
pub struct Page {
    /// In the order of their names' bytes.
    pub entries: Vec<Entry>,
    /// Where the next page begins; `None` if this is the last.
    pub next: Option<String>,
}

impl FileStore {
    /// One page. What is written or deleted meanwhile is in it or not; everything else is in exactly one page.
    pub fn list(&self, wanted: &Wanted) -> io::Result<Page> {
        let max = wanted.max.clamp(1, PAGE_ENTRIES_MAX);
        let mut keys: BTreeSet<String> = BTreeSet::new();
        for bits in names_in(&self.stored)? {
            let dir = self.stored.join(bits);
            for digest in names_in(&dir)? {
                let Some(name) = name_of(&dir.join(digest))? else { continue };
                let Some(key) = wanted.key(&name) else { continue };
                if key < wanted.from.as_str() {
                    continue;
                }
                // One more than a page: the next page begins there.
                if keys.len() > max && keys.last().is_some_and(|last| key >= last.as_str()) {
                    continue;
                }
                if keys.insert(key.to_owned()) && keys.len() > max + 1 {
                    keys.pop_last();
                }
            }
        }
        self.page(wanted, keys, max)
    }

    fn page(&self, wanted: &Wanted, keys: BTreeSet<String>, max: usize) -> io::Result<Page> {
        let mut page = Page::default();
        let (mut bytes, mut taken) = (0, 0);
        for key in keys {
            if taken == max || bytes > PAGE_BYTES_MAX {
                page.next = Some(key);
                break;
            }
            taken += 1;
            bytes += key.len();
            if wanted.is_prefix(&key) {
                page.entries.push(Entry::Prefix(key));
                continue;
            }
            let Ok(name) = crate::blob::BlobName::new(key) else { continue };
            let Some(mut blob) = self.read(&name)? else { continue };
            blob.segments = Vec::new();
            bytes +=
                blob.headers.iter().map(|(name, value)| name.len() + value.len()).sum::<usize>();
            page.entries.push(Entry::Blob(blob));
        }
        Ok(page)
    }
}

impl Wanted {
    /// The entry that a blob of this name is in.
    fn key<'n>(&self, name: &'n str) -> Option<&'n str> {
        let rest = name.strip_prefix(self.prefix.as_str())?;
        let cut = self.delimiter.as_deref().filter(|d| !d.is_empty()).and_then(|delimiter| {
            rest.find(delimiter).map(|at| self.prefix.len() + at + delimiter.len())
        });
        Some(cut.map_or(name, |end| &name[..end]))
    }

    /// A delimiter inside an entry's name is its end.
    fn is_prefix(&self, key: &str) -> bool {
        let delimiter = self.delimiter.as_deref().filter(|delimiter| !delimiter.is_empty());
        delimiter.is_some_and(|delimiter| {
            key.get(self.prefix.len()..).is_some_and(|rest| rest.contains(delimiter))
        })
    }
}

/// The name in the manifest of a blob's folder; `None` if the blob is going or coming.
fn name_of(dir: &Path) -> io::Result<Option<String>> {
    let file = match File::open(dir.join(FILE)) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        file => file?,
    };
    let mut start = Vec::new();
    file.take(NAME_BYTES_MAX).read_to_end(&mut start)?;
    let name = start.strip_prefix(b"{\"name\":".as_slice()).and_then(|rest| {
        serde_json::Deserializer::from_slice(rest).into_iter::<String>().next()?.ok()
    });
    name.map(Some)
        .ok_or_else(|| io::Error::new(io::ErrorKind::InvalidData, "no name in a manifest"))
}
