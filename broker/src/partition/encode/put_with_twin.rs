//! An identity together with its twin.

use ironhub_domain::HubError;
use ironhub_domain::partition::{IdentityPut, PutWithTwin};
use ironhub_domain::registry::TwinImport;
use ironhub_domain::twin::TwinUpdate;
use ironhub_proto as proto;
use ironhub_proto::put_with_twin_command::Identity;
use prost::Message;

use super::command::{
    if_match_from_proto, if_match_to_proto, put_from_proto, put_to_proto, read, unreadable,
};
use super::module;
use super::twin::{
    change_from_proto, change_to_proto, limits_from_proto, limits_to_proto, object_to_json,
    sent_object,
};

pub(super) fn encode(command: &PutWithTwin) -> Vec<u8> {
    let PutWithTwin { identity, twin, limits } = command;
    proto::PutWithTwinCommand {
        identity: Some(match identity {
            IdentityPut::Device(put) => Identity::Device(put_to_proto(put)),
            IdentityPut::Module(put) => Identity::Module(module::put_to_proto(put)),
        }),
        tags: twin.update.tags.as_ref().map(change_to_proto),
        desired: twin.update.desired.as_ref().map(change_to_proto),
        if_match: Some(if_match_to_proto(&twin.precondition)),
        reported: twin.reported.as_ref().map(object_to_json),
        limits: Some(limits_to_proto(limits)),
    }
    .encode_to_vec()
}

pub(super) fn decode(message: &[u8]) -> Result<PutWithTwin, HubError> {
    let message: proto::PutWithTwinCommand = read(message)?;
    Ok(PutWithTwin {
        identity: match message.identity {
            Some(Identity::Device(put)) => IdentityPut::Device(put_from_proto(put)?),
            Some(Identity::Module(put)) => IdentityPut::Module(module::put_from_proto(put)?),
            None => return Err(unreadable("no identity")),
        },
        twin: TwinImport {
            update: TwinUpdate {
                tags: message.tags.map(change_from_proto).transpose()?,
                desired: message.desired.map(change_from_proto).transpose()?,
            },
            precondition: if_match_from_proto(message.if_match),
            reported: message.reported.map(|json| sent_object(&json)).transpose()?,
        },
        limits: limits_from_proto(message.limits)?,
    })
}
