//! The system partition's records and the event log's counters.

use ironhub_cluster::storage::StorageError;
use ironhub_domain::auth::{Permissions, Policy, PolicySet};
use ironhub_domain::partition::{Command, ConsumerGroup, EventLog, HubInfo, Stream};
use ironhub_domain::time::UnixMs;
use ironhub_proto as proto;
use prost::Message;

use super::damaged;
use super::device::{keys_from_proto, keys_to_proto};

pub(crate) fn encode_hub(hub: &HubInfo) -> Vec<u8> {
    proto::HubRecord {
        name: hub.name.clone(),
        entity: hub.entity.clone(),
        partitions: hub.partitions,
        created_ms: hub.created.0,
    }
    .encode_to_vec()
}

pub(crate) fn decode_hub(bytes: &[u8]) -> Result<HubInfo, StorageError> {
    let record = proto::HubRecord::decode(bytes).map_err(|error| damaged("hub", error))?;
    Ok(HubInfo {
        name: record.name,
        entity: record.entity,
        partitions: record.partitions,
        created: UnixMs(record.created_ms),
    })
}

pub(crate) fn encode_policies(policies: &PolicySet) -> Vec<u8> {
    proto::PoliciesRecord { policies: policies.iter().map(policy_to_proto).collect() }
        .encode_to_vec()
}

pub(crate) fn decode_policies(bytes: &[u8]) -> Result<PolicySet, StorageError> {
    let record =
        proto::PoliciesRecord::decode(bytes).map_err(|error| damaged("policies", error))?;
    Ok(PolicySet::new(record.policies.into_iter().map(policy_from_proto).collect()))
}

fn policy_to_proto(policy: &Policy) -> proto::PolicyRecord {
    proto::PolicyRecord {
        name: policy.name.clone(),
        keys: Some(keys_to_proto(&policy.keys)),
        permissions: u32::from(policy.permissions.bits()),
    }
}

pub(super) fn put_policy_to_proto(
    policy: &Policy,
    before: Option<&Policy>,
) -> proto::PutPolicyCommand {
    let proto::PolicyRecord { name, keys, permissions } = policy_to_proto(policy);
    let before = before.map(policy_to_proto);
    proto::PutPolicyCommand { name, keys, permissions, before }
}

pub(super) fn put_policy_from_proto(command: proto::PutPolicyCommand) -> Command {
    let proto::PutPolicyCommand { name, keys, permissions, before } = command;
    let policy = policy_from_proto(proto::PolicyRecord { name, keys, permissions });
    Command::PutPolicy { policy, before: before.map(policy_from_proto) }
}

fn policy_from_proto(policy: proto::PolicyRecord) -> Policy {
    Policy {
        name: policy.name,
        keys: keys_from_proto(policy.keys.unwrap_or_default()),
        // Bits above the lowest eight are of versions to come.
        permissions: Permissions::from_bits((policy.permissions & 0xff) as u8),
    }
}

pub(crate) fn encode_consumer_group(group: &ConsumerGroup) -> Vec<u8> {
    group_to_proto(group).encode_to_vec()
}

pub(crate) fn decode_consumer_group(bytes: &[u8]) -> Result<ConsumerGroup, StorageError> {
    let record = proto::ConsumerGroupRecord::decode(bytes)
        .map_err(|error| damaged("consumer group", error))?;
    Ok(group_from_proto(record))
}

pub(crate) fn encode_consumer_groups(groups: &[ConsumerGroup]) -> Vec<u8> {
    proto::ConsumerGroupsRecord { groups: groups.iter().map(group_to_proto).collect() }
        .encode_to_vec()
}

pub(crate) fn decode_consumer_groups(bytes: &[u8]) -> Result<Vec<ConsumerGroup>, StorageError> {
    let record = proto::ConsumerGroupsRecord::decode(bytes)
        .map_err(|error| damaged("consumer groups", error))?;
    Ok(record.groups.into_iter().map(group_from_proto).collect())
}

fn group_to_proto(group: &ConsumerGroup) -> proto::ConsumerGroupRecord {
    proto::ConsumerGroupRecord { name: group.name.clone(), created_ms: group.created.0 }
}

fn group_from_proto(record: proto::ConsumerGroupRecord) -> ConsumerGroup {
    ConsumerGroup { name: record.name, created: UnixMs(record.created_ms) }
}

pub(crate) fn encode_event_log(log: &EventLog) -> Vec<u8> {
    proto::EventLogRecord {
        first_sequence: log.first_sequence,
        first_offset: log.first_offset,
        next_sequence: log.next_sequence,
        next_offset: log.next_offset,
        last_offset: log.last_offset,
        last_enqueued_ms: log.last_enqueued.0,
    }
    .encode_to_vec()
}

pub(crate) fn decode_event_log(bytes: &[u8]) -> Result<EventLog, StorageError> {
    let record =
        proto::EventLogRecord::decode(bytes).map_err(|error| damaged("event counters", error))?;
    Ok(EventLog {
        first_sequence: record.first_sequence,
        first_offset: record.first_offset,
        next_sequence: record.next_sequence,
        next_offset: record.next_offset,
        last_offset: record.last_offset,
        last_enqueued: UnixMs(record.last_enqueued_ms),
    })
}

pub(crate) fn encode_cursor(stream: Stream, sequence: u64) -> Vec<u8> {
    proto::CursorRecord { stream: stream.0, sequence }.encode_to_vec()
}

pub(crate) fn decode_cursor(bytes: &[u8]) -> Result<u64, StorageError> {
    let record = proto::CursorRecord::decode(bytes).map_err(|error| damaged("cursor", error))?;
    Ok(record.sequence)
}
