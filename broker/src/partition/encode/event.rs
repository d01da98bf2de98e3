//! Batches of events. Written by hand, straight from the message as the frontend has it, because every message of the hub
//! comes through here; the layout is that of `EventBatch` in `event.proto`, which the tests hold it to.

use bytes::{Buf, Bytes};
use ironhub_cluster::storage::StorageError;
use ironhub_domain::event::{
    AppProperty, AuthMethod, AuthScope, AuthType, D2cMessage, MessageSource, Origin,
    SystemProperties,
};
use ironhub_domain::ids::{DeviceId, ModuleId};
use ironhub_proto as proto;
use prost::Message;
use prost::encoding::{
    DecodeContext, WireType, decode_key, decode_varint, encode_key, encode_varint,
    encoded_len_varint, key_len, skip_field, string,
};

use super::damaged;

const BATCH_ORIGIN: u32 = 1;
const BATCH_EVENTS: u32 = 2;
const BODY_BODY: u32 = 1;
const BODY_PROPERTIES: u32 = 2;
const BODY_SYSTEM: u32 = 3;
const PROPERTY_NAME: u32 = 1;
const PROPERTY_VALUE: u32 = 2;

/// Appends the encoding of a batch to `out` and says where in it the last event starts; the first event starts at 0,
/// origin included.
pub(crate) fn encode_batch(out: &mut Vec<u8>, origin: &Origin, messages: &[D2cMessage]) -> usize {
    let start = out.len();
    let origin = origin_to_proto(origin);
    prost::encoding::message::encode(BATCH_ORIGIN, &origin, out);
    let mut last = 0;
    for (n, message) in messages.iter().enumerate() {
        if n > 0 {
            last = out.len() - start;
        }
        encode_key(BATCH_EVENTS, WireType::LengthDelimited, out);
        encode_body(out, message);
    }
    last
}

/// About as many bytes as the encoding of this batch takes.
pub(crate) fn size_hint(origin: &Origin, messages: &[D2cMessage]) -> usize {
    /// Encoding around an origin, and around a message with two or three properties.
    const OVERHEAD: usize = 48;
    let origin = origin.device.as_str().len() + origin.generation.len() + OVERHEAD;
    origin + messages.iter().map(|message| message.counted_size() + OVERHEAD).sum::<usize>()
}

fn encode_body(out: &mut Vec<u8>, message: &D2cMessage) {
    let system_len = system_len(&message.system);
    let body_len = delimited_len(BODY_BODY, message.body.len());
    let properties_len: usize =
        message.properties.iter().map(|p| delimited_len(BODY_PROPERTIES, property_len(p))).sum();
    let total = if message.body.is_empty() { 0 } else { body_len }
        + properties_len
        + if system_len == 0 { 0 } else { delimited_len(BODY_SYSTEM, system_len) };
    encode_varint(total as u64, out);
    if !message.body.is_empty() {
        encode_head(BODY_BODY, message.body.len(), out);
        out.extend_from_slice(&message.body);
    }
    for property in &message.properties {
        encode_head(BODY_PROPERTIES, property_len(property), out);
        if !property.name.is_empty() {
            string::encode(PROPERTY_NAME, &property.name, out);
        }
        if let Some(value) = &property.value {
            string::encode(PROPERTY_VALUE, value, out);
        }
    }
    if system_len > 0 {
        encode_head(BODY_SYSTEM, system_len, out);
        for (tag, value) in system_fields(&message.system) {
            string::encode(tag, value, out);
        }
    }
}

fn encode_head(tag: u32, len: usize, out: &mut Vec<u8>) {
    encode_key(tag, WireType::LengthDelimited, out);
    encode_varint(len as u64, out);
}

fn delimited_len(tag: u32, len: usize) -> usize {
    key_len(tag) + encoded_len_varint(len as u64) + len
}

fn property_len(property: &AppProperty) -> usize {
    let name = if property.name.is_empty() {
        0
    } else {
        string::encoded_len(PROPERTY_NAME, &property.name)
    };
    name + property.value.as_ref().map_or(0, |value| string::encoded_len(PROPERTY_VALUE, value))
}

fn system_len(system: &SystemProperties) -> usize {
    system_fields(system).map(|(tag, value)| string::encoded_len(tag, value)).sum()
}

/// The properties that are set, with their field numbers, in order.
fn system_fields(system: &SystemProperties) -> impl Iterator<Item = (u32, &String)> {
    [
        &system.message_id,
        &system.correlation_id,
        &system.user_id,
        &system.to,
        &system.content_type,
        &system.content_encoding,
        &system.absolute_expiry_time,
        &system.creation_time,
        &system.output_name,
        &system.interface_id,
        &system.component_name,
        &system.message_schema,
    ]
    .into_iter()
    .zip(1..)
    .filter_map(|(value, tag)| value.as_ref().map(|value| (tag, value)))
}

/// A stored batch, taken apart no further than its events.
pub(crate) struct Batch {
    pub(crate) origin: Origin,
    /// Position in the batch and encoding of each event.
    pub(crate) events: Vec<(u64, Bytes)>,
}

/// Reads a batch of `count` events.
pub(crate) fn decode_batch(payload: &Bytes, count: usize) -> Result<Batch, StorageError> {
    let wrong = |error: prost::DecodeError| damaged("batch of events", error);
    let mut rest = payload.clone();
    let mut origin = None;
    // A count that lies must not make us reserve more than the bytes can hold.
    let mut events = Vec::with_capacity(count.min(payload.len() / 2));
    while rest.has_remaining() {
        let position = (payload.len() - rest.len()) as u64;
        let (tag, wire_type) = decode_key(&mut rest).map_err(wrong)?;
        match (tag, wire_type) {
            (BATCH_ORIGIN | BATCH_EVENTS, WireType::LengthDelimited) => {
                let len = decode_varint(&mut rest).map_err(wrong)?;
                let len = usize::try_from(len).ok().filter(|len| *len <= rest.len());
                let len =
                    len.ok_or_else(|| damaged("batch of events", "a length beyond its end"))?;
                let field = rest.split_to(len);
                if tag == BATCH_ORIGIN {
                    origin = Some(proto::EventOrigin::decode(field).map_err(wrong)?);
                } else {
                    let position = if events.is_empty() { 0 } else { position };
                    events.push((position, field));
                }
            }
            (tag, wire_type) => {
                skip_field(wire_type, tag, &mut rest, DecodeContext::default()).map_err(wrong)?;
            }
        }
    }
    if events.len() != count {
        return Err(damaged("batch of events", format!("{} events, not {count}", events.len())));
    }
    let origin = origin.ok_or_else(|| damaged("batch of events", "no origin"))?;
    Ok(Batch { origin: origin_from_proto(origin)?, events })
}

/// Reads one event of a batch.
pub(crate) fn decode_message(encoded: Bytes) -> Result<D2cMessage, StorageError> {
    let body = proto::EventBody::decode(encoded).map_err(|error| damaged("event", error))?;
    let system = body.system.unwrap_or_default();
    Ok(D2cMessage {
        system: SystemProperties {
            message_id: system.message_id,
            correlation_id: system.correlation_id,
            user_id: system.user_id,
            to: system.to,
            content_type: system.content_type,
            content_encoding: system.content_encoding,
            absolute_expiry_time: system.absolute_expiry_time,
            creation_time: system.creation_time,
            output_name: system.output_name,
            interface_id: system.interface_id,
            component_name: system.component_name,
            message_schema: system.message_schema,
        },
        properties: body
            .properties
            .into_iter()
            .map(|property| AppProperty { name: property.name, value: property.value })
            .collect(),
        body: body.body,
    })
}

fn origin_to_proto(origin: &Origin) -> proto::EventOrigin {
    let scope = match origin.auth.scope {
        AuthScope::Hub => proto::AuthScope::Hub,
        AuthScope::Device => proto::AuthScope::Device,
        AuthScope::Module => proto::AuthScope::Module,
    };
    let kind = match origin.auth.kind {
        AuthType::SymmetricKey => proto::AuthType::SymmetricKey,
        AuthType::Sas => proto::AuthType::Sas,
        AuthType::X509 => proto::AuthType::X509,
    };
    proto::EventOrigin {
        device_id: origin.device.as_str().to_owned(),
        module_id: origin.module.as_ref().map(|module| module.as_str().to_owned()),
        generation: origin.generation.clone(),
        auth_scope: scope.into(),
        auth_type: kind.into(),
        model_id: origin.model_id.clone(),
        source: match origin.source {
            MessageSource::Telemetry => 0,
            MessageSource::TwinChange => 1,
            MessageSource::DeviceLifecycle => 2,
            MessageSource::ConnectionState => 3,
            MessageSource::JobLifecycle => 4,
        },
    }
}

fn origin_from_proto(origin: proto::EventOrigin) -> Result<Origin, StorageError> {
    let wrong = |error| damaged("origin of events", error);
    let scope = match origin.auth_scope() {
        proto::AuthScope::Hub => AuthScope::Hub,
        proto::AuthScope::Device => AuthScope::Device,
        proto::AuthScope::Module => AuthScope::Module,
        proto::AuthScope::Unspecified => return Err(damaged("origin of events", "no scope")),
    };
    let kind = match origin.auth_type() {
        proto::AuthType::SymmetricKey => AuthType::SymmetricKey,
        proto::AuthType::Sas => AuthType::Sas,
        proto::AuthType::X509 => AuthType::X509,
        proto::AuthType::Unspecified => return Err(damaged("origin of events", "no type")),
    };
    Ok(Origin {
        device: DeviceId::new(&origin.device_id).map_err(wrong)?,
        module: origin.module_id.as_deref().map(ModuleId::new).transpose().map_err(wrong)?,
        generation: origin.generation,
        auth: AuthMethod { scope, kind },
        model_id: origin.model_id,
        source: match origin.source {
            0 => MessageSource::Telemetry,
            1 => MessageSource::TwinChange,
            2 => MessageSource::DeviceLifecycle,
            3 => MessageSource::ConnectionState,
            4 => MessageSource::JobLifecycle,
            other => return Err(damaged("origin of events", format!("source {other}"))),
        },
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::partition::tests::{message, origin};

    /// The generated code is the judge: it must read what we wrote, and write the same.
    #[test]
    fn a_batch_is_written_as_the_proto_file_says() {
        let mut full = message("body");
        full.properties = vec![
            AppProperty { name: "name".into(), value: Some("value".into()) },
            AppProperty { name: "empty".into(), value: Some(String::new()) },
            AppProperty { name: "null".into(), value: None },
            AppProperty { name: String::new(), value: Some("\u{e9}".into()) },
        ];
        let value = |n: u32| Some("v".repeat(n as usize));
        full.system = SystemProperties {
            message_id: value(1),
            correlation_id: value(2),
            user_id: value(3),
            to: value(4),
            content_type: value(5),
            content_encoding: value(6),
            absolute_expiry_time: value(7),
            creation_time: value(8),
            output_name: value(9),
            interface_id: value(10),
            component_name: value(11),
            message_schema: Some(String::new()),
        };
        let messages = [full, D2cMessage::default(), message(&"x".repeat(1000))];
        let mut module = origin("d");
        module.module = Some(ModuleId::new("m").unwrap());
        module.model_id = Some("dtmi:x;1".into());
        let of_hub = |source| Origin { source, ..origin("d") };
        for origin in MessageSource::ALL.map(of_hub).into_iter().chain([module]) {
            let mut out = b"before".to_vec();
            let last = encode_batch(&mut out, &origin, &messages);
            let payload = Bytes::from(out).slice(6..);

            let generated = proto::EventBatch::decode(payload.clone()).unwrap();
            assert_eq!(generated.encode_to_vec(), payload);

            let batch = decode_batch(&payload, 3).unwrap();
            assert_eq!(batch.origin, origin);
            assert_eq!(batch.events[0].0, 0);
            assert_eq!(batch.events[2].0, last as u64);
            let decoded: Vec<_> =
                batch.events.into_iter().map(|(_, e)| decode_message(e).unwrap()).collect();
            assert_eq!(decoded, messages);
        }
    }

    #[test]
    fn a_damaged_batch_is_an_error_at_every_cut() {
        let mut out = Vec::new();
        encode_batch(&mut out, &origin("d"), &[message("one"), message("two")]);
        let payload = Bytes::from(out);
        assert!(decode_batch(&payload, 1).is_err());
        assert!(decode_batch(&payload, usize::MAX).is_err());
        for cut in 0..payload.len() {
            assert!(decode_batch(&payload.slice(..cut), 2).is_err(), "{cut}");
        }
    }
}
