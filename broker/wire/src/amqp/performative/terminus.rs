//! Source and target of a link (OASIS AMQP 1.0 3.5.3, 3.5.4).

use bytes::BytesMut;

use crate::amqp::codec::{DecodeError, Decoder, Fields, Map, Symbol, Text, Value, performative};

const SOURCE: u8 = 0x28;
const TARGET: u8 = 0x29;
const COORDINATOR: u8 = 0x30;

/// Where a link's messages come from.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Source {
    /// Path or absolute address.
    pub address: Option<Text>,
    /// What survives: 0 nothing, 1 configuration, 2 unsettled state.
    pub durable: Option<u32>,
    /// When the terminus goes.
    pub expiry_policy: Option<Symbol>,
    /// Seconds until it goes then.
    pub timeout: Option<u32>,
    /// The other end is asked to make an address up.
    pub dynamic: Option<bool>,
    /// How that node should be.
    pub dynamic_node_properties: Option<Map>,
    /// Move or copy.
    pub distribution_mode: Option<Symbol>,
    /// Filters, by name.
    pub filter: Option<Map>,
    /// State of deliveries that are settled without one.
    pub default_outcome: Option<Value>,
    /// Outcomes that the source takes.
    pub outcomes: Vec<Symbol>,
    /// Extensions.
    pub capabilities: Vec<Symbol>,
}

/// Where a link's messages go.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Target {
    /// Path or absolute address.
    pub address: Option<Text>,
    /// What survives: 0 nothing, 1 configuration, 2 unsettled state.
    pub durable: Option<u32>,
    /// When the terminus goes.
    pub expiry_policy: Option<Symbol>,
    /// Seconds until it goes then.
    pub timeout: Option<u32>,
    /// The other end is asked to make an address up.
    pub dynamic: Option<bool>,
    /// How that node should be.
    pub dynamic_node_properties: Option<Map>,
    /// Extensions.
    pub capabilities: Vec<Symbol>,
}

impl Source {
    pub(super) fn decode(decoder: &mut Decoder<'_>) -> Result<Self, DecodeError> {
        match decoder.descriptor(code_of_name)? {
            code if code == SOURCE.into() => decoder.list(|fields| {
                Ok(Self {
                    address: address(fields)?,
                    durable: fields.unsigned()?,
                    expiry_policy: fields.symbol()?,
                    timeout: fields.unsigned()?,
                    dynamic: fields.boolean()?,
                    dynamic_node_properties: fields.map()?,
                    distribution_mode: fields.symbol()?,
                    filter: fields.map()?,
                    default_outcome: fields.value()?,
                    outcomes: fields.symbols()?,
                    capabilities: fields.symbols()?,
                })
            }),
            _ => Err(DecodeError::UnknownDescriptor),
        }
    }

    pub(super) fn encode(&self, out: &mut BytesMut) {
        performative(out, SOURCE, |list| {
            list.text_or_null(self.address.as_ref().map(Text::as_str))
                .uint_or_null(self.durable)
                .symbol_or_null(self.expiry_policy.as_ref())
                .uint_or_null(self.timeout)
                .value_or_null(self.dynamic.map(Value::Bool).as_ref())
                .map_or_null(self.dynamic_node_properties.as_ref())
                .symbol_or_null(self.distribution_mode.as_ref())
                .map_or_null(self.filter.as_ref())
                .value_or_null(self.default_outcome.as_ref())
                .symbols(&self.outcomes)
                .symbols(&self.capabilities);
        });
    }
}

impl Target {
    /// `None` for a transaction coordinator.
    pub(super) fn decode_or_coordinator(
        decoder: &mut Decoder<'_>,
    ) -> Result<Option<Self>, DecodeError> {
        match decoder.descriptor(code_of_name)? {
            code if code == COORDINATOR.into() => decoder.list(|_| Ok(None)),
            code if code == TARGET.into() => decoder.list(|fields| {
                Ok(Some(Self {
                    address: address(fields)?,
                    durable: fields.unsigned()?,
                    expiry_policy: fields.symbol()?,
                    timeout: fields.unsigned()?,
                    dynamic: fields.boolean()?,
                    dynamic_node_properties: fields.map()?,
                    capabilities: fields.symbols()?,
                }))
            }),
            _ => Err(DecodeError::UnknownDescriptor),
        }
    }

    pub(super) fn encode(&self, out: &mut BytesMut) {
        performative(out, TARGET, |list| {
            list.text_or_null(self.address.as_ref().map(Text::as_str))
                .uint_or_null(self.durable)
                .symbol_or_null(self.expiry_policy.as_ref())
                .uint_or_null(self.timeout)
                .value_or_null(self.dynamic.map(Value::Bool).as_ref())
                .map_or_null(self.dynamic_node_properties.as_ref())
                .symbols(&self.capabilities);
        });
    }
}

/// The specification lets an address be of any type; only text means something here.
fn address(fields: &mut Fields<'_, '_>) -> Result<Option<Text>, DecodeError> {
    Ok(fields.value()?.and_then(|value| match value {
        Value::String(text) => Some(text),
        Value::Symbol(symbol) => Some(Text::from(symbol.as_str())),
        _ => None,
    }))
}

fn code_of_name(name: &str) -> Option<u64> {
    let code = match name {
        "amqp:source:list" => SOURCE,
        "amqp:target:list" => TARGET,
        "amqp:coordinator:list" => COORDINATOR,
        _ => return None,
    };
    Some(code.into())
}
