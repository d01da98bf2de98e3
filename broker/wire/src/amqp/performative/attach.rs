//! `attach` (OASIS AMQP 1.0 2.7.3).

use bytes::{BufMut, BytesMut};

use super::{Source, Target};
use crate::amqp::codec::{DecodeError, Decoder, Map, Symbol, Text, performative, put_value};
use crate::amqp::codec::{Value, put_described_code};

pub(super) const CODE: u8 = 0x12;

/// Which end of a link somebody is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Role {
    /// Sends transfers.
    #[default]
    Sender,
    /// Takes transfers.
    Receiver,
}

impl Role {
    pub(super) fn flag(self) -> bool {
        self == Self::Receiver
    }

    pub(super) fn from_flag(receiver: bool) -> Self {
        if receiver { Self::Receiver } else { Self::Sender }
    }
}

/// Who settles first, at the sending end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SenderSettleMode {
    /// Every delivery is sent unsettled.
    Unsettled,
    /// Every delivery is sent settled.
    Settled,
    /// Each says for itself.
    Mixed,
}

/// Who settles first, at the receiving end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ReceiverSettleMode {
    /// The receiver settles on its own.
    First,
    /// The receiver settles after the sender did.
    Second,
}

/// Attaches a link.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Attach {
    /// Name of the link.
    pub name: Text,
    /// Its number on this session.
    pub handle: u32,
    /// Which end the writer of this frame is.
    pub role: Role,
    /// Settlement at the sending end.
    pub snd_settle_mode: Option<SenderSettleMode>,
    /// Settlement at the receiving end.
    pub rcv_settle_mode: Option<ReceiverSettleMode>,
    /// Where messages come from.
    pub source: Option<Source>,
    /// Where messages go.
    pub target: Option<Target>,
    /// The target is a transaction coordinator; nothing here offers one.
    pub coordinator: bool,
    /// Unsettled deliveries of an earlier attach of this link.
    pub unsettled: Option<Map>,
    /// There are more unsettled ones than fitted.
    pub incomplete_unsettled: bool,
    /// Where the sender's count of deliveries begins.
    pub initial_delivery_count: Option<u32>,
    /// Largest message this end takes, in bytes; missing or 0 means no limit.
    pub max_message_size: Option<u64>,
    /// Extensions this end has.
    pub offered_capabilities: Vec<Symbol>,
    /// Extensions this end wants.
    pub desired_capabilities: Vec<Symbol>,
    /// Anything else: client version, epoch, model id.
    pub properties: Option<Map>,
}

impl Attach {
    pub(super) fn decode(decoder: &mut Decoder<'_>) -> Result<Self, DecodeError> {
        decoder.list(|fields| {
            let name = fields.text()?.ok_or(DecodeError::Missing("name"))?;
            let handle = fields.unsigned()?.ok_or(DecodeError::Missing("handle"))?;
            let role = Role::from_flag(fields.boolean()?.ok_or(DecodeError::Missing("role"))?);
            let snd_settle_mode = match fields.unsigned::<u8>()? {
                None => None,
                Some(0) => Some(SenderSettleMode::Unsettled),
                Some(1) => Some(SenderSettleMode::Settled),
                Some(2) => Some(SenderSettleMode::Mixed),
                Some(_) => return Err(DecodeError::Expected("a sender settle mode")),
            };
            let rcv_settle_mode = match fields.unsigned::<u8>()? {
                None => None,
                Some(0) => Some(ReceiverSettleMode::First),
                Some(1) => Some(ReceiverSettleMode::Second),
                Some(_) => return Err(DecodeError::Expected("a receiver settle mode")),
            };
            let source = fields.field(Source::decode)?;
            let target = fields.field(Target::decode_or_coordinator)?;
            Ok(Self {
                name,
                handle,
                role,
                snd_settle_mode,
                rcv_settle_mode,
                source,
                coordinator: matches!(target, Some(None)),
                target: target.flatten(),
                unsettled: fields.map()?,
                incomplete_unsettled: fields.boolean()?.unwrap_or(false),
                initial_delivery_count: fields.unsigned()?,
                max_message_size: fields.unsigned()?,
                offered_capabilities: fields.symbols()?,
                desired_capabilities: fields.symbols()?,
                properties: fields.map()?,
            })
        })
    }

    pub(super) fn encode(&self, out: &mut BytesMut) {
        performative(out, CODE, |list| {
            list.text(self.name.as_str()).uint(self.handle).boolean(self.role.flag());
            match self.snd_settle_mode {
                None => list.null(),
                Some(SenderSettleMode::Unsettled) => list.ubyte(0),
                Some(SenderSettleMode::Settled) => list.ubyte(1),
                Some(SenderSettleMode::Mixed) => list.ubyte(2),
            };
            match self.rcv_settle_mode {
                None => list.null(),
                Some(ReceiverSettleMode::First) => list.ubyte(0),
                Some(ReceiverSettleMode::Second) => list.ubyte(1),
            };
            match &self.source {
                Some(source) => list.with(|out| source.encode(out)),
                None => list.null(),
            };
            match &self.target {
                Some(target) => list.with(|out| target.encode(out)),
                None if self.coordinator => list.with(|out| {
                    put_described_code(out, 0x30);
                    put_value(out, &Value::List(Vec::new()));
                }),
                None => list.null(),
            };
            list.map_or_null(self.unsettled.as_ref());
            // Kept a real boolean: null would mean false as well, and this is the shorter to read.
            list.with(|out| out.put_u8(if self.incomplete_unsettled { 0x41 } else { 0x42 }));
            list.uint_or_null(self.initial_delivery_count);
            match self.max_message_size {
                Some(size) => list.ulong(size),
                None => list.null(),
            };
            list.symbols(&self.offered_capabilities)
                .symbols(&self.desired_capabilities)
                .map_or_null(self.properties.as_ref());
        });
    }
}
