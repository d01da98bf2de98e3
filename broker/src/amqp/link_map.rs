//! A map by links for the few that most connections have.

use ironhub_wire::amqp::LinkId;

/// Sorted by link. A vector that grows one by one at first: a tree's smallest node would make room for eleven, and the
/// map is in every idle connection. Links mostly come in the order of their handles, so that even thousands of them are
/// put at the end.
#[derive(Debug)]
pub(super) struct LinkMap<V>(Vec<(LinkId, V)>);

/// Up to so many entries there is room for no more than there are.
const EXACT_MAX: usize = 8;

impl<V> Default for LinkMap<V> {
    fn default() -> Self {
        Self(Vec::new())
    }
}

impl<V> LinkMap<V> {
    pub(super) fn get(&self, link: LinkId) -> Option<&V> {
        let at = self.find(link).ok()?;
        self.0.get(at).map(|(_, value)| value)
    }

    pub(super) fn get_mut(&mut self, link: LinkId) -> Option<&mut V> {
        let at = self.find(link).ok()?;
        self.0.get_mut(at).map(|(_, value)| value)
    }

    pub(super) fn contains(&self, link: LinkId) -> bool {
        self.find(link).is_ok()
    }

    /// Puts a value in, in place of an older one of the same link.
    pub(super) fn insert(&mut self, link: LinkId, value: V) {
        match self.find(link) {
            Ok(at) => self.0[at].1 = value,
            Err(at) => {
                if self.0.len() < EXACT_MAX {
                    self.0.reserve_exact(1);
                }
                self.0.insert(at, (link, value));
            }
        }
    }

    pub(super) fn remove(&mut self, link: LinkId) -> Option<V> {
        let at = self.find(link).ok()?;
        Some(self.0.remove(at).1)
    }

    pub(super) fn retain(&mut self, mut keep: impl FnMut(&V) -> bool) {
        self.0.retain(|(_, value)| keep(value));
    }

    pub(super) fn clear(&mut self) {
        self.0 = Vec::new();
    }

    pub(super) fn iter(&self) -> impl Iterator<Item = (LinkId, &V)> {
        self.0.iter().map(|(link, value)| (*link, value))
    }

    pub(super) fn iter_mut(&mut self) -> impl Iterator<Item = (LinkId, &mut V)> {
        self.0.iter_mut().map(|(link, value)| (*link, value))
    }

    pub(super) fn values(&self) -> impl Iterator<Item = &V> {
        self.0.iter().map(|(_, value)| value)
    }

    fn find(&self, link: LinkId) -> Result<usize, usize> {
        self.0.binary_search_by_key(&link, |(other, _)| *other)
    }
}
