//! Records of many identities that lie in the same order in two places: one pass over both, instead of a look-up for each.

use std::ops::ControlFlow;

use ironhub_cluster::GroupId;
use ironhub_cluster::storage::{Area, StateStore, StorageError};
use ironhub_domain::device::Presence;
use ironhub_domain::ids::IdentityId;
use ironhub_domain::twin::Twin;

use crate::partition::encode::{presence, twin};
use crate::partition::keys;

/// Records between two that are wanted, at most, that are passed one by one; behind more of them the pass begins anew at the
/// next. A device may have fifty modules whose twins nobody asks for.
const PASSED_MAX: usize = 32;

/// Visits these rows, which are in the order of their identities, each with its identity's twin if that was ever changed,
/// until the visitor breaks. One twin is in memory at a time.
pub fn visit_with_twins<T>(
    store: &dyn StateStore,
    group: GroupId,
    rows: Vec<(IdentityId, T)>,
    visit: &mut dyn FnMut(T, Option<Twin>) -> ControlFlow<()>,
) -> Result<(), StorageError> {
    let key = |identity: &IdentityId| keys::twin(group, identity);
    visit_beside(store, rows, &key, &twin::decode, visit)
}

/// As [`visit_with_twins`], with the presence of each identity that was ever heard of.
pub fn visit_with_presences<T>(
    store: &dyn StateStore,
    group: GroupId,
    rows: Vec<(IdentityId, T)>,
    visit: &mut dyn FnMut(T, Option<Presence>) -> ControlFlow<()>,
) -> Result<(), StorageError> {
    let key = |identity: &IdentityId| keys::presence(group, identity);
    visit_beside(store, rows, &key, &presence::decode, visit)
}

fn visit_beside<T, R>(
    store: &dyn StateStore,
    rows: Vec<(IdentityId, T)>,
    key_of: &dyn Fn(&IdentityId) -> Vec<u8>,
    decode: &dyn Fn(&[u8]) -> Result<R, StorageError>,
    visit: &mut dyn FnMut(T, Option<R>) -> ControlFlow<()>,
) -> Result<(), StorageError> {
    let Some((last, _)) = rows.last() else { return Ok(()) };
    let mut end = key_of(last);
    end.push(0);
    let mut rows = rows.into_iter().map(|(identity, row)| (key_of(&identity), row)).peekable();
    let mut flow = ControlFlow::Continue(());
    // The first row without a record behind the pass; passes begin at rows, and each takes at least one.
    while flow.is_continue()
        && let Some((from, _)) = rows.peek()
    {
        let from = from.clone();
        let (mut passed, mut is_early, mut failed) = (0, false, None);
        store.scan(Area::Records, &from, &end, &mut |key, record| {
            while flow.is_continue()
                && let Some((_, row)) = rows.next_if(|(next, _)| next.as_slice() < key)
            {
                flow = visit(row, None);
            }
            if flow.is_break() {
                return flow;
            }
            match rows.next_if(|(next, _)| next.as_slice() == key) {
                Some((_, row)) => match decode(record) {
                    Ok(record) => {
                        passed = 0;
                        flow = visit(row, Some(record));
                    }
                    Err(error) => {
                        failed = Some(error);
                        flow = ControlFlow::Break(());
                    }
                },
                None => passed += 1,
            }
            is_early = passed > PASSED_MAX;
            if flow.is_break() || is_early || rows.peek().is_none() {
                return ControlFlow::Break(());
            }
            ControlFlow::Continue(())
        })?;
        if let Some(error) = failed {
            return Err(error);
        }
        while !is_early
            && flow.is_continue()
            && let Some((_, row)) = rows.next()
        {
            flow = visit(row, None);
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use ironhub_cluster::storage::Change;
    use ironhub_cluster::testing::MemoryStore;
    use ironhub_domain::ids::{DeviceId, ModuleId};
    use ironhub_domain::time::UnixMs;

    use super::*;

    const GROUP: GroupId = GroupId(2);

    fn id(name: &str) -> IdentityId {
        let (device, module) = name.split_once('/').map_or((name, None), |(d, m)| (d, Some(m)));
        let module = module.map(|module| ModuleId::new(module).unwrap());
        IdentityId { device: DeviceId::new(device).unwrap(), module }
    }

    /// Who is stored, who is wanted, and how many are visited before the visitor breaks.
    fn check(stored: &[String], wanted: &[&str], max: usize) {
        let store = MemoryStore::new();
        let put = |name: &String| {
            let twin = Twin { version: name.len() as u64, ..Twin::new(UnixMs(1)) };
            Change::Put(Area::Records, keys::twin(GROUP, &id(name)), twin::encode(&twin))
        };
        store.write(&stored.iter().map(put).collect::<Vec<_>>()).unwrap();
        let mut visited = Vec::new();
        let rows = wanted.iter().map(|name| (id(name), *name)).collect();
        visit_with_twins(&store, GROUP, rows, &mut |name, twin| {
            visited.push((name, twin.map(|twin| twin.version)));
            if visited.len() < max { ControlFlow::Continue(()) } else { ControlFlow::Break(()) }
        })
        .unwrap();
        let version = |name: &&str| stored.iter().any(|s| s == name).then_some(name.len() as u64);
        let expected: Vec<_> = wanted.iter().map(|name| (*name, version(name))).take(max).collect();
        assert_eq!(visited, expected, "{stored:?} {max}");
    }

    #[test]
    fn rows_get_their_twins_whatever_lies_between() {
        let names = |names: &[&str]| -> Vec<String> { names.iter().map(|n| (*n).into()).collect() };
        for max in [1, 2, 3, 9] {
            check(&[], &[], max);
            check(&[], &["a", "b"], max);
            check(&names(&["a", "b", "c"]), &["a", "b", "c"], max);
            check(&names(&["b"]), &["a", "b", "c"], max);
            check(&names(&["0", "a", "a/m", "b", "c/m", "z"]), &["a", "aa", "b", "c"], max);
            check(&names(&["a", "a/m", "a/n"]), &["a", "a/m", "a/n", "b/m"], max);
        }
        let mut many: Vec<String> = ["a", "b", "c"].map(String::from).into();
        for device in ["a", "b"] {
            many.extend((0..2 * PASSED_MAX).map(|n| format!("{device}/m{n:03}")));
        }
        for max in [1, 2, 9] {
            check(&many, &["a", "b", "c"], max);
            check(&many, &["a", "a!", "c"], max);
            check(&many, &["a", "a/m001", "a/m070", "b/m063", "d"], max);
        }
    }

    #[test]
    fn a_damaged_record_is_an_error() {
        let store = MemoryStore::new();
        let change = Change::Put(Area::Records, keys::twin(GROUP, &id("b")), vec![0xff]);
        store.write(&[change]).unwrap();
        let rows = vec![(id("a"), ()), (id("b"), ()), (id("c"), ())];
        let mut count = 0;
        let visited = visit_with_twins(&store, GROUP, rows, &mut |(), _| {
            count += 1;
            ControlFlow::Continue(())
        });
        assert!(matches!(visited, Err(StorageError::Damaged(_))));
        assert_eq!(count, 1);
    }
}
