//! Records by the bytes of their keys: group, kind, rest.

use ironhub_cluster::GroupId;
use ironhub_cluster::storage::{StateTx, StorageError};
use ironhub_domain::ids::IdentityId;
use prost::Message;

/// What an entry leaves.
pub struct Stored<'t, 's> {
    pub group: GroupId,
    pub tx: &'t StateTx<'s>,
}

impl Stored<'_, '_> {
    pub fn get<M: Message + Default>(&self, rest: &[u8]) -> Result<Option<M>, String> {
        let key = [&self.group.0.to_be_bytes()[..], rest].concat();
        let value = self.tx.get(&key).map_err(|error: StorageError| error.to_string())?;
        value.map(|value| M::decode(&value[..]).map_err(|error| error.to_string())).transpose()
    }

    pub fn of<M: Message + Default>(
        &self,
        kind: u8,
        identity: &IdentityId,
    ) -> Result<Option<M>, String> {
        self.get(&key(kind, identity))
    }
}

/// The key of an identity's record, without the group.
pub fn key(kind: u8, identity: &IdentityId) -> Vec<u8> {
    let module = identity.module.as_ref().map_or("", |module| module.as_str());
    [&[kind], identity.device.as_str().as_bytes(), &[0], module.as_bytes()].concat()
}
