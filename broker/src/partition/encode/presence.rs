//! Presence of identities, counts of them, and the paths of tags that are indexed.

use ironhub_cluster::storage::StorageError;
use ironhub_domain::HubError;
use ironhub_domain::device::Presence;
use ironhub_domain::ids::IdentityId;
use ironhub_domain::partition::Command;
use ironhub_domain::time::UnixMs;
use ironhub_proto as proto;
use prost::Message;

use super::command::{read, unreadable};
use super::{damaged, identity};
use crate::partition::index::RegistryCounts;

pub(crate) fn encode(presence: &Presence) -> Vec<u8> {
    to_proto(presence).encode_to_vec()
}

pub(crate) fn decode(bytes: &[u8]) -> Result<Presence, StorageError> {
    let record =
        proto::PresenceRecord::decode(bytes).map_err(|error| damaged("presence", error))?;
    Ok(from_proto(record))
}

fn to_proto(presence: &Presence) -> proto::PresenceRecord {
    proto::PresenceRecord {
        connected: presence.connected,
        connection_updated_ms: presence.connection_updated.0,
        last_activity_ms: presence.last_activity.0,
        sequence: presence.sequence,
        model_id: presence.model_id.clone(),
    }
}

fn from_proto(record: proto::PresenceRecord) -> Presence {
    Presence {
        connected: record.connected,
        connection_updated: UnixMs(record.connection_updated_ms),
        last_activity: UnixMs(record.last_activity_ms),
        sequence: record.sequence,
        model_id: record.model_id,
    }
}

pub(super) fn encode_note(identity: &IdentityId, presence: &Presence) -> Vec<u8> {
    proto::NotePresenceCommand {
        identity: Some(identity::to_proto(identity)),
        presence: Some(to_proto(presence)),
    }
    .encode_to_vec()
}

pub(super) fn decode_note(message: &[u8]) -> Result<Command, HubError> {
    let message: proto::NotePresenceCommand = read(message)?;
    let presence = message.presence.ok_or_else(|| unreadable("no presence"))?;
    let identity = identity::from_proto(message.identity)?;
    Ok(Command::NotePresence { identity, presence: from_proto(presence) })
}

pub(crate) fn encode_indexed_tags(paths: &[String]) -> Vec<u8> {
    proto::IndexedTagsRecord { paths: paths.to_vec() }.encode_to_vec()
}

pub(crate) fn decode_indexed_tags(bytes: &[u8]) -> Result<Vec<String>, StorageError> {
    let record =
        proto::IndexedTagsRecord::decode(bytes).map_err(|error| damaged("indexed tags", error))?;
    Ok(record.paths)
}

pub(crate) fn encode_counts(counts: &RegistryCounts) -> Vec<u8> {
    let RegistryCounts { devices, disabled, connected } = *counts;
    proto::RegistryCountsRecord { devices, disabled, connected }.encode_to_vec()
}

pub(crate) fn decode_counts(bytes: &[u8]) -> Result<RegistryCounts, StorageError> {
    let proto::RegistryCountsRecord { devices, disabled, connected } =
        proto::RegistryCountsRecord::decode(bytes).map_err(|error| damaged("counts", error))?;
    Ok(RegistryCounts { devices, disabled, connected })
}
