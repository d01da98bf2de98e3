//! Which session speaks for an identity: the one that connected last (device-protocols.md 2.3, design.md 10).

use std::collections::BTreeMap;

use crate::ids::ModuleId;

/// The live sessions of one device and its modules: at most one for each. A session that has been taken over is fenced:
/// whatever it still sends is not looked at.
///
/// Numbers of sessions are the caller's; it must never use one twice.
#[derive(Clone, Debug)]
pub struct SessionTable<S> {
    /// The device's own. Most devices have no modules, so it costs no map.
    device: Option<(u64, S)>,
    /// At most [`MODULES_MAX`](crate::limits::MODULES_MAX).
    modules: BTreeMap<ModuleId, (u64, S)>,
}

impl<S> Default for SessionTable<S> {
    fn default() -> Self {
        Self { device: None, modules: BTreeMap::new() }
    }
}

impl<S> SessionTable<S> {
    /// A session of the device (or of a module) begins. Gives the one that it takes over, which is to be closed.
    pub fn connect(&mut self, module: Option<ModuleId>, number: u64, session: S) -> Option<S> {
        let before = match module {
            None => self.device.replace((number, session)),
            Some(module) => self.modules.insert(module, (number, session)),
        };
        before.map(|(_, taken_over)| taken_over)
    }

    /// Whether a session may still speak for its identity.
    pub fn is_live(&self, module: Option<&ModuleId>, number: u64) -> bool {
        self.live(module, number).is_some()
    }

    /// A session, if it is live.
    pub fn live(&self, module: Option<&ModuleId>, number: u64) -> Option<&S> {
        self.current(module).filter(|(live, _)| *live == number).map(|(_, session)| session)
    }

    /// A session, if it is live.
    pub fn live_mut(&mut self, module: Option<&ModuleId>, number: u64) -> Option<&mut S> {
        self.current_mut(module).filter(|(live, _)| *live == number).map(|(_, session)| session)
    }

    /// The live session of the device (or of a module) and its number.
    pub fn current(&self, module: Option<&ModuleId>) -> Option<(u64, &S)> {
        let current = match module {
            None => self.device.as_ref(),
            Some(module) => self.modules.get(module),
        };
        current.map(|(number, session)| (*number, session))
    }

    /// The live session of the device (or of a module) and its number.
    pub fn current_mut(&mut self, module: Option<&ModuleId>) -> Option<(u64, &mut S)> {
        let current = match module {
            None => self.device.as_mut(),
            Some(module) => self.modules.get_mut(module),
        };
        current.map(|(number, session)| (*number, session))
    }

    /// A session ends; `None` if it was not live, so nothing is to be done for it.
    pub fn end(&mut self, module: Option<&ModuleId>, number: u64) -> Option<S> {
        if !self.is_live(module, number) {
            return None;
        }
        let ended = match module {
            None => self.device.take(),
            Some(module) => self.modules.remove(module),
        };
        ended.map(|(_, session)| session)
    }

    /// The identities that have a live session, the device itself first.
    pub fn identities(&self) -> impl Iterator<Item = Option<&ModuleId>> {
        self.device.iter().map(|_| None).chain(self.modules.keys().map(Some))
    }

    /// Ends all sessions.
    pub fn end_all(&mut self) -> Vec<S> {
        let modules = std::mem::take(&mut self.modules).into_values();
        self.device.take().into_iter().chain(modules).map(|(_, session)| session).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_newest_session_of_an_identity_is_the_only_live_one() {
        let mut table = SessionTable::default();
        let module = ModuleId::new("m").unwrap();
        assert_eq!(table.connect(None, 1, "one"), None);
        assert_eq!(table.connect(Some(module.clone()), 2, "two"), None);
        assert_eq!(table.connect(None, 3, "three"), Some("one"));
        assert!(!table.is_live(None, 1));
        assert_eq!(table.live(None, 3), Some(&"three"));
        assert!(table.is_live(Some(&module), 2), "a device does not take over its module");
        assert!(!table.is_live(None, 2) && !table.is_live(Some(&module), 3));
        assert!(table.identities().eq([None, Some(&module)]));
        *table.live_mut(Some(&module), 2).unwrap() = "changed";
        assert_eq!(table.current_mut(Some(&module)), Some((2, &mut "changed")));
        assert_eq!(table.live_mut(None, 1), None);
    }

    #[test]
    fn a_session_that_was_taken_over_does_not_end_its_successor() {
        let mut table = SessionTable::default();
        table.connect(None, 1, "one");
        table.connect(None, 2, "two");
        assert_eq!(table.end(None, 1), None);
        assert_eq!(table.current(None), Some((2, &"two")));
        assert_eq!(table.end(None, 2), Some("two"));
        assert_eq!(table.end(None, 2), None);
        table.connect(None, 3, "three");
        assert_eq!(table.end_all(), ["three"]);
        assert_eq!(table.current(None), None);
    }
}
