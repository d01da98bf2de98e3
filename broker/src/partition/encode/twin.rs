//! Twins and their changes. What is JSON to clients is JSON here, too: it is what keeps numbers as they came.

use bytes::Bytes;
use ironhub_cluster::storage::StorageError;
use ironhub_domain::HubError;
use ironhub_domain::configuration::{
    Assigned, Assignment, AssignmentStatus, ConfigurationId, DesiredPath,
};
use ironhub_domain::limits::TwinLimits;
use ironhub_domain::partition::{PatchReported, UpdateTwin};
use ironhub_domain::time::UnixMs;
use ironhub_domain::twin::{Metadata, Object, Section, SectionChange, Stamp, Twin, TwinUpdate};
use ironhub_proto as proto;
use ironhub_proto::twin_section_change::Kind;
use prost::Message;

use super::command::{if_match_from_proto, if_match_to_proto, read, unreadable};
use super::{damaged, identity};

pub(crate) fn encode(twin: &Twin) -> Vec<u8> {
    proto::TwinRecord {
        version: twin.version,
        etag_counter: twin.etag_counter,
        tags: object_to_json(&twin.tags),
        desired: Some(section_to_proto(&twin.desired)),
        reported: Some(section_to_proto(&twin.reported)),
        desired_seen: twin.desired_seen,
        assigned: assigned_to_proto(&twin.assigned),
    }
    .encode_to_vec()
}

pub(crate) fn decode(bytes: &[u8]) -> Result<Twin, StorageError> {
    let record = proto::TwinRecord::decode(bytes).map_err(|error| damaged("twin", error))?;
    Ok(Twin {
        version: record.version,
        etag_counter: record.etag_counter,
        tags: stored_object(&record.tags)?,
        desired: section_from_proto(record.desired)?,
        reported: section_from_proto(record.reported)?,
        desired_seen: record.desired_seen,
        assigned: assigned_from_proto(record.assigned).map_err(|error| damaged("twin", error))?,
    })
}

fn assigned_to_proto(assigned: &Assigned) -> Vec<proto::ConfigurationAssignment> {
    let one = |(id, assignment): (&ConfigurationId, &Assignment)| proto::ConfigurationAssignment {
        id: id.as_str().to_owned(),
        applied: assignment.status == AssignmentStatus::Applied,
        owned: assignment.owned.iter().map(|path| path.as_str().to_owned()).collect(),
    };
    assigned.0.iter().map(one).collect()
}

fn assigned_from_proto(all: Vec<proto::ConfigurationAssignment>) -> Result<Assigned, HubError> {
    let path = |text: String| DesiredPath::parse(&text).ok_or_else(|| unreadable("no path"));
    let one = |message: proto::ConfigurationAssignment| {
        let status = match message.applied {
            true => AssignmentStatus::Applied,
            false => AssignmentStatus::Targeted,
        };
        let owned = message.owned.into_iter().map(path).collect::<Result<_, _>>()?;
        Ok((ConfigurationId::new(&message.id)?, Assignment { status, owned }))
    };
    Ok(Assigned(all.into_iter().map(one).collect::<Result<_, HubError>>()?))
}

fn section_to_proto(section: &Section) -> proto::TwinSection {
    proto::TwinSection {
        version: section.version,
        values: object_to_json(&section.values),
        metadata: Some(metadata_to_proto("", &section.metadata)),
    }
}

fn section_from_proto(section: Option<proto::TwinSection>) -> Result<Section, StorageError> {
    let section = section.ok_or_else(|| damaged("twin", "a section is missing"))?;
    Ok(Section {
        version: section.version,
        values: stored_object(&section.values)?,
        metadata: metadata_from_proto(section.metadata.unwrap_or_default()),
    })
}

fn metadata_to_proto(name: &str, metadata: &Metadata) -> proto::TwinMetadata {
    let members = metadata.members.iter();
    proto::TwinMetadata {
        name: name.to_owned(),
        updated_ms: metadata.stamp.updated.0,
        version: metadata.stamp.version,
        members: members.map(|(name, member)| metadata_to_proto(name, member)).collect(),
    }
}

/// Reading bounds the depth of messages.
fn metadata_from_proto(message: proto::TwinMetadata) -> Metadata {
    let members = message.members.into_iter().map(|mut member| {
        let name = std::mem::take(&mut member.name);
        (name, metadata_from_proto(member))
    });
    Metadata {
        stamp: Stamp { updated: UnixMs(message.updated_ms), version: message.version },
        members: members.collect(),
    }
}

pub(super) fn object_to_json(object: &Object) -> Bytes {
    // Texts as keys and numbers that JSON has can always be written.
    serde_json::to_vec(object).unwrap_or_default().into()
}

fn stored_object(json: &[u8]) -> Result<Object, StorageError> {
    serde_json::from_slice(json).map_err(|error| damaged("twin", error))
}

pub(super) fn sent_object(json: &[u8]) -> Result<Object, HubError> {
    serde_json::from_slice(json).map_err(unreadable)
}

pub(super) fn encode_update(command: &UpdateTwin) -> Vec<u8> {
    update_to_proto(command).encode_to_vec()
}

pub(super) fn update_to_proto(command: &UpdateTwin) -> proto::UpdateTwinCommand {
    let UpdateTwin { identity, update, assigned, precondition, limits, now } = command;
    proto::UpdateTwinCommand {
        identity: Some(identity::to_proto(identity)),
        tags: update.tags.as_ref().map(change_to_proto),
        desired: update.desired.as_ref().map(change_to_proto),
        if_match: Some(if_match_to_proto(precondition)),
        limits: Some(limits_to_proto(limits)),
        now_ms: now.0,
        assigned: assigned
            .as_ref()
            .map(|assigned| proto::ConfigurationAssignments { all: assigned_to_proto(assigned) }),
    }
}

pub(super) fn decode_update(message: &[u8]) -> Result<UpdateTwin, HubError> {
    update_from_proto(read(message)?)
}

pub(super) fn update_from_proto(message: proto::UpdateTwinCommand) -> Result<UpdateTwin, HubError> {
    Ok(UpdateTwin {
        identity: identity::from_proto(message.identity)?,
        update: TwinUpdate {
            tags: message.tags.map(change_from_proto).transpose()?,
            desired: message.desired.map(change_from_proto).transpose()?,
        },
        assigned: message.assigned.map(|assigned| assigned_from_proto(assigned.all)).transpose()?,
        precondition: if_match_from_proto(message.if_match),
        limits: limits_from_proto(message.limits)?,
        now: UnixMs(message.now_ms),
    })
}

pub(super) fn encode_patch(command: &PatchReported) -> Vec<u8> {
    let PatchReported { identity, patch, if_version, limits, now } = command;
    proto::PatchReportedCommand {
        identity: Some(identity::to_proto(identity)),
        patch: object_to_json(patch),
        if_version: *if_version,
        limits: Some(limits_to_proto(limits)),
        now_ms: now.0,
    }
    .encode_to_vec()
}

pub(super) fn decode_patch(message: &[u8]) -> Result<PatchReported, HubError> {
    let message: proto::PatchReportedCommand = read(message)?;
    Ok(PatchReported {
        identity: identity::from_proto(message.identity)?,
        patch: sent_object(&message.patch)?,
        if_version: message.if_version,
        limits: limits_from_proto(message.limits)?,
        now: UnixMs(message.now_ms),
    })
}

pub(super) fn change_to_proto(change: &SectionChange) -> proto::TwinSectionChange {
    let kind = match change {
        SectionChange::Patch(patch) => Kind::Patch(object_to_json(patch)),
        SectionChange::Replace(values) => Kind::Replace(object_to_json(values)),
    };
    proto::TwinSectionChange { kind: Some(kind) }
}

pub(super) fn change_from_proto(
    change: proto::TwinSectionChange,
) -> Result<SectionChange, HubError> {
    Ok(match change.kind {
        Some(Kind::Patch(patch)) => SectionChange::Patch(sent_object(&patch)?),
        Some(Kind::Replace(values)) => SectionChange::Replace(sent_object(&values)?),
        None => return Err(unreadable("unknown change of a twin")),
    })
}

pub(super) fn limits_to_proto(limits: &TwinLimits) -> proto::TwinLimits {
    let TwinLimits { desired_bytes_max, reported_bytes_max, tags_bytes_max } = *limits;
    proto::TwinLimits {
        desired_bytes_max: desired_bytes_max as u64,
        reported_bytes_max: reported_bytes_max as u64,
        tags_bytes_max: tags_bytes_max as u64,
    }
}

pub(super) fn limits_from_proto(limits: Option<proto::TwinLimits>) -> Result<TwinLimits, HubError> {
    let limits = limits.ok_or_else(|| unreadable("no limits"))?;
    let size = |bytes| usize::try_from(bytes).map_err(unreadable);
    Ok(TwinLimits {
        desired_bytes_max: size(limits.desired_bytes_max)?,
        reported_bytes_max: size(limits.reported_bytes_max)?,
        tags_bytes_max: size(limits.tags_bytes_max)?,
    })
}
