//! The containers on disk: folders of blobs, each with what is known of the container itself.
//!
//! ```text
//! blobs/container.json, incoming/, pending/, stored/         the container of uploads
//! blobs/containers/{name}.{random}/container.json, incoming/, … every other one
//! ```
//!
//! A folder is made beside, complete, and gets its place by one rename; it leaves it by one rename, too. A container that
//! is deleted and made again has another folder, so a writer that began before never writes into the new one.

use std::collections::BTreeMap;
use std::fs::{self, File};
use std::io::{self, Write};
use std::ops::Bound;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use ironhub_domain::time::UnixMs;
use parking_lot::RwLock;

use super::{FileStore, names_in, remove_dir, sync_dir};
use crate::blob::conditions::{Conditions, Current};
use crate::blob::container::{ContainerFacts, ContainerName};
use crate::blob::error::BlobError;

/// Most containers of a hub, that of uploads included. Every one is held open.
pub const CONTAINERS_MAX: usize = 1000;

const FILE: &str = "container.json";
const FILE_NEW: &str = "container.json.new";

/// An open container.
pub struct Container {
    /// Its blobs.
    pub store: FileStore,
    dir: PathBuf,
    facts: RwLock<ContainerFacts>,
}

impl Container {
    /// Opens a folder; one without facts gets them.
    fn open(dir: &Path, now: UnixMs) -> io::Result<Self> {
        let facts = match fs::read(dir.join(FILE)) {
            Ok(bytes) => serde_json::from_slice(&bytes)
                .map_err(|error| io::Error::new(io::ErrorKind::InvalidData, error))?,
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                let facts = ContainerFacts::new(BTreeMap::new(), now);
                fs::create_dir_all(dir)?;
                write_facts(dir, &facts)?;
                facts
            }
            Err(error) => return Err(error),
        };
        Ok(Self { store: FileStore::open(dir)?, dir: dir.to_owned(), facts: RwLock::new(facts) })
    }

    /// What is known of it.
    pub fn facts(&self) -> ContainerFacts {
        self.facts.read().clone()
    }

    /// Replaces its metadata. On disk when this returns.
    pub fn set_metadata(
        &self,
        metadata: BTreeMap<String, String>,
        conditions: &Conditions,
        now: UnixMs,
    ) -> Result<ContainerFacts, BlobError> {
        let mut facts = self.facts.write();
        let current = Current { etag: &facts.etag, modified: UnixMs(facts.modified) };
        conditions.check_write(Some(current))?;
        let changed = ContainerFacts::new(metadata, now);
        write_facts(&self.dir, &changed)?;
        *facts = changed.clone();
        Ok(changed)
    }
}

fn write_facts(dir: &Path, facts: &ContainerFacts) -> io::Result<()> {
    let beside = dir.join(FILE_NEW);
    let mut file = File::create(&beside)?;
    file.write_all(&serde_json::to_vec(facts)?)?;
    file.sync_all()?;
    fs::rename(&beside, dir.join(FILE))?;
    sync_dir(dir)
}

/// All containers of a hub.
pub struct Containers {
    /// The folder of all but that of uploads.
    dir: PathBuf,
    /// Where folders are on their way in or out; cleared at every start.
    incoming: PathBuf,
    uploads: (ContainerName, Arc<Container>),
    /// Those of `dir`; at most [`CONTAINERS_MAX`].
    named: RwLock<BTreeMap<ContainerName, Arc<Container>>>,
}

impl Containers {
    /// Opens every container below `dir`. The container of uploads is called `uploads`.
    pub fn open(dir: &Path, uploads: ContainerName, now: UnixMs) -> io::Result<Self> {
        let root = Container::open(dir, now)?;
        let containers = dir.join("containers");
        fs::create_dir_all(&containers)?;
        sync_dir(dir)?;
        let mut named = BTreeMap::new();
        for folder in names_in(&containers)? {
            let name = folder.split_once('.').and_then(|(name, _)| ContainerName::new(name).ok());
            let Some(name) = name else { continue };
            named.insert(name, Arc::new(Container::open(&containers.join(&folder), now)?));
        }
        Ok(Self {
            dir: containers,
            incoming: dir.join("incoming"),
            uploads: (uploads, Arc::new(root)),
            named: RwLock::new(named),
        })
    }

    /// The container of uploads.
    pub fn uploads(&self) -> &Arc<Container> {
        &self.uploads.1
    }

    /// Its name.
    pub fn uploads_name(&self) -> &ContainerName {
        &self.uploads.0
    }

    /// A container.
    pub fn get(&self, name: &ContainerName) -> Result<Arc<Container>, BlobError> {
        if *name == self.uploads.0 {
            return Ok(self.uploads.1.clone());
        }
        self.named.read().get(name).cloned().ok_or(BlobError::ContainerNotFound)
    }

    /// Makes a container. On disk when this returns.
    pub fn create(
        &self,
        name: &ContainerName,
        metadata: BTreeMap<String, String>,
        now: UnixMs,
    ) -> Result<Arc<Container>, BlobError> {
        let mut named = self.named.write();
        if *name == self.uploads.0 || named.contains_key(name) {
            return Err(BlobError::ContainerExists);
        }
        if named.len() + 1 >= CONTAINERS_MAX {
            return Err(BlobError::TooManyContainers);
        }
        let number = rand::random::<u32>();
        let beside = self.incoming.join(format!("{name}.{number:08x}.new"));
        fs::create_dir(&beside)?;
        let place = self.dir.join(format!("{name}.{number:08x}"));
        let made = write_facts(&beside, &ContainerFacts::new(metadata, now))
            .and_then(|()| fs::rename(&beside, &place))
            .and_then(|()| sync_dir(&self.dir))
            .and_then(|()| Container::open(&place, now));
        let container = match made {
            Ok(container) => Arc::new(container),
            Err(error) => {
                // What stays is cleared away at the next start.
                let _ = remove_dir(&beside);
                let _ = remove_dir(&place);
                return Err(error.into());
            }
        };
        named.insert(name.clone(), container.clone());
        Ok(container)
    }

    /// Takes a container with all its blobs away. Gone for everybody when this returns; the folder that is given back
    /// is still to be removed, and is at the next start.
    pub fn delete(
        &self,
        name: &ContainerName,
        conditions: &Conditions,
    ) -> Result<PathBuf, BlobError> {
        if *name == self.uploads.0 {
            return Err(BlobError::ContainerOfHub);
        }
        let mut named = self.named.write();
        let container = named.get(name).ok_or(BlobError::ContainerNotFound)?;
        let facts = container.facts();
        let current = Current { etag: &facts.etag, modified: UnixMs(facts.modified) };
        conditions.check_write(Some(current))?;
        let gone = self.incoming.join(format!("{:032x}.gone", rand::random::<u128>()));
        fs::rename(&container.dir, &gone)?;
        named.remove(name);
        sync_dir(&self.dir)?;
        Ok(gone)
    }

    /// The containers whose names begin with `prefix`, from `from` on, in the order of their names: at most `max`, and
    /// the name to go on from.
    pub fn list(
        &self,
        prefix: &str,
        from: &str,
        max: usize,
    ) -> (Vec<(ContainerName, ContainerFacts)>, Option<ContainerName>) {
        let named = self.named.read();
        let (own, uploads) = (&self.uploads.0, &self.uploads.1);
        let mut found: Vec<(&ContainerName, &Arc<Container>)> =
            named.range::<str, _>((Bound::Included(from.max(prefix)), Bound::Unbounded)).collect();
        if own.as_str() >= from {
            let at = found.partition_point(|(name, _)| *name < own);
            found.insert(at, (own, uploads));
        }
        let mut matching = found.into_iter().filter(|(name, _)| name.as_str().starts_with(prefix));
        let page = matching.by_ref().take(max).map(|(name, c)| (name.clone(), c.facts())).collect();
        (page, matching.next().map(|(name, _)| name.clone()))
    }

    /// Drops waiting blocks whose ticket has ended, in every container. Returns how many.
    pub fn sweep(&self, now: UnixMs) -> io::Result<usize> {
        let mut all: Vec<Arc<Container>> = self.named.read().values().cloned().collect();
        all.push(self.uploads.1.clone());
        all.iter().map(|container| container.store.sweep(now)).sum()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: UnixMs = UnixMs(1_767_323_045_678);

    struct Folder(PathBuf);

    impl Folder {
        fn new(name: &str) -> Self {
            let dir = format!("ironhub-containers-{name}-{}", std::process::id());
            let dir = std::env::temp_dir().join(dir);
            let _ = fs::remove_dir_all(&dir);
            Self(dir)
        }

        fn open(&self) -> Containers {
            Containers::open(&self.0, name("uploads"), NOW).unwrap()
        }
    }

    impl Drop for Folder {
        fn drop(&mut self) {
            let _ = fs::remove_dir_all(&self.0);
        }
    }

    fn name(text: &str) -> ContainerName {
        ContainerName::new(text).unwrap()
    }

    fn names(page: &[(ContainerName, ContainerFacts)]) -> Vec<&str> {
        page.iter().map(|(name, _)| name.as_str()).collect()
    }

    #[test]
    fn a_container_is_there_until_it_is_deleted_also_after_a_start() {
        let folder = Folder::new("life");
        let containers = folder.open();
        let metadata = BTreeMap::from([("x-ms-meta-a".to_owned(), "1".to_owned())]);
        let made = containers.create(&name("abc"), metadata.clone(), NOW).unwrap().facts();
        let again = containers.create(&name("abc"), metadata.clone(), NOW);
        assert!(matches!(again, Err(BlobError::ContainerExists)));
        let taken = containers.create(&name("uploads"), BTreeMap::new(), NOW);
        assert!(matches!(taken, Err(BlobError::ContainerExists)));
        drop(containers);

        let containers = folder.open();
        assert_eq!(containers.get(&name("abc")).unwrap().facts(), made);
        let any = Conditions::default();
        let gone = containers.delete(&name("abc"), &any).unwrap();
        assert!(matches!(containers.get(&name("abc")), Err(BlobError::ContainerNotFound)));
        assert!(matches!(containers.delete(&name("abc"), &any), Err(BlobError::ContainerNotFound)));
        assert!(matches!(
            containers.delete(&name("uploads"), &any),
            Err(BlobError::ContainerOfHub)
        ));
        assert!(gone.exists());
        drop(containers);
        let containers = folder.open();
        assert!(!gone.exists(), "a start removes what a deletion left");
        assert!(containers.get(&name("abc")).is_err());
        let other = containers.create(&name("abc"), BTreeMap::new(), NOW).unwrap().facts();
        assert_ne!(other.etag, made.etag);
        assert!(other.metadata.is_empty());
    }

    #[test]
    fn a_folder_that_was_not_finished_is_no_container() {
        let folder = Folder::new("crash");
        let containers = folder.open();
        fs::create_dir(containers.incoming.join("abc.00000000.new")).unwrap();
        drop(containers);
        let containers = folder.open();
        assert!(containers.get(&name("abc")).is_err());
        assert_eq!(fs::read_dir(&containers.incoming).unwrap().count(), 0);
    }

    #[test]
    fn containers_are_listed_in_pages_in_the_order_of_their_names() {
        let folder = Folder::new("list");
        let containers = folder.open();
        for one in ["zzz", "up-1", "up-2", "abc"] {
            containers.create(&name(one), BTreeMap::new(), NOW).unwrap();
        }
        let (page, next) = containers.list("", "", 3);
        assert_eq!(names(&page), ["abc", "up-1", "up-2"]);
        let next = next.unwrap();
        assert_eq!(next.as_str(), "uploads");
        let (page, end) = containers.list("", next.as_str(), 3);
        assert_eq!((names(&page), end), (vec!["uploads", "zzz"], None));
        let (page, end) = containers.list("up", "", 10);
        assert_eq!((names(&page), end), (vec!["up-1", "up-2", "uploads"], None));
        assert_eq!(names(&containers.list("x", "", 10).0), [""; 0]);
    }

    #[test]
    fn there_are_only_so_many() {
        let folder = Folder::new("limit");
        let containers = folder.open();
        let filler = containers.create(&name("first"), BTreeMap::new(), NOW).unwrap();
        let mut named = containers.named.write();
        for number in 0..CONTAINERS_MAX - 3 {
            named.insert(name(&format!("c-{number}")), filler.clone());
        }
        drop(named);
        containers.create(&name("last"), BTreeMap::new(), NOW).unwrap();
        let refused = containers.create(&name("one-more"), BTreeMap::new(), NOW);
        assert!(matches!(refused, Err(BlobError::TooManyContainers)));
    }
}
