//! The nine performatives (OASIS AMQP 1.0 2.7) and the composite types inside them.
//!
//! Encoding writes every field (service-protocols.md 3.1); decoding takes lists that end early, wider integers and
//! symbolic descriptors.

mod attach;
mod begin;
mod close;
mod detach;
mod disposition;
mod end;
mod error;
mod flow;
mod open;
mod outcome;
mod terminus;
#[cfg(test)]
mod tests;
mod transfer;

use bytes::{Bytes, BytesMut};

pub use attach::{Attach, ReceiverSettleMode, Role, SenderSettleMode};
pub use begin::Begin;
pub use close::Close;
pub use detach::Detach;
pub use disposition::Disposition;
pub use end::End;
pub use error::Error;
pub use flow::Flow;
pub use open::Open;
pub use outcome::DeliveryState;
pub use terminus::{Source, Target};
pub use transfer::Transfer;

use super::codec::{DecodeError, Decoder};

/// One performative. The large ones are boxed: flows, transfers and dispositions are what there is most of.
#[derive(Clone, Debug, PartialEq)]
pub enum Performative {
    /// Opens the connection.
    Open(Box<Open>),
    /// Begins a session.
    Begin(Box<Begin>),
    /// Attaches a link.
    Attach(Box<Attach>),
    /// Grants credit and windows.
    Flow(Flow),
    /// Carries a message or a part of one; the payload stands behind it.
    Transfer(Transfer),
    /// Tells the state of deliveries.
    Disposition(Disposition),
    /// Detaches a link.
    Detach(Detach),
    /// Ends a session.
    End(End),
    /// Closes the connection.
    Close(Close),
}

impl Performative {
    /// Reads the body of an AMQP frame; the second part is what stands behind the performative.
    pub fn decode(body: &Bytes) -> Result<(Self, Bytes), DecodeError> {
        let mut decoder = Decoder::new(body);
        let code = decoder.descriptor(code_of_name)?;
        let code = u8::try_from(code).map_err(|_| DecodeError::UnknownDescriptor)?;
        let performative = match code {
            open::CODE => Self::Open(Box::new(Open::decode(&mut decoder)?)),
            begin::CODE => Self::Begin(Box::new(Begin::decode(&mut decoder)?)),
            attach::CODE => Self::Attach(Box::new(Attach::decode(&mut decoder)?)),
            flow::CODE => Self::Flow(Flow::decode(&mut decoder)?),
            transfer::CODE => Self::Transfer(Transfer::decode(&mut decoder)?),
            disposition::CODE => Self::Disposition(Disposition::decode(&mut decoder)?),
            detach::CODE => Self::Detach(Detach::decode(&mut decoder)?),
            end::CODE => Self::End(End::decode(&mut decoder)?),
            close::CODE => Self::Close(Close::decode(&mut decoder)?),
            _ => return Err(DecodeError::UnknownDescriptor),
        };
        Ok((performative, decoder.rest()))
    }

    /// Appends the body of an AMQP frame, without payload.
    pub fn encode(&self, out: &mut BytesMut) {
        match self {
            Self::Open(open) => open.encode(out),
            Self::Begin(begin) => begin.encode(out),
            Self::Attach(attach) => attach.encode(out),
            Self::Flow(flow) => flow.encode(out),
            Self::Transfer(transfer) => transfer.encode(out),
            Self::Disposition(disposition) => disposition.encode(out),
            Self::Detach(detach) => detach.encode(out),
            Self::End(end) => end.encode(out),
            Self::Close(close) => close.encode(out),
        }
    }
}

fn code_of_name(name: &str) -> Option<u64> {
    let code = match name {
        "amqp:open:list" => open::CODE,
        "amqp:begin:list" => begin::CODE,
        "amqp:attach:list" => attach::CODE,
        "amqp:flow:list" => flow::CODE,
        "amqp:transfer:list" => transfer::CODE,
        "amqp:disposition:list" => disposition::CODE,
        "amqp:detach:list" => detach::CODE,
        "amqp:end:list" => end::CODE,
        "amqp:close:list" => close::CODE,
        _ => return None,
    };
    Some(code.into())
}
