//! The five SASL frames (OASIS AMQP 1.0 5.3.3).

use bytes::{Bytes, BytesMut};

use super::codec::{DecodeError, Decoder, Symbol, Text, performative};

const MECHANISMS: u8 = 0x40;
const INIT: u8 = 0x41;
const CHALLENGE: u8 = 0x42;
const RESPONSE: u8 = 0x43;
const OUTCOME: u8 = 0x44;

/// How the exchange ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SaslCode {
    /// Authenticated, or authentication is left to a later step.
    Ok,
    /// Wrong credentials.
    Auth,
    /// A fault that has nothing to do with the credentials.
    System,
    /// A fault that will not go away.
    SystemPermanent,
    /// A fault that may go away.
    SystemTemporary,
}

impl SaslCode {
    fn byte(self) -> u8 {
        match self {
            Self::Ok => 0,
            Self::Auth => 1,
            Self::System => 2,
            Self::SystemPermanent => 3,
            Self::SystemTemporary => 4,
        }
    }

    fn from_byte(byte: u8) -> Result<Self, DecodeError> {
        Ok(match byte {
            0 => Self::Ok,
            1 => Self::Auth,
            2 => Self::System,
            3 => Self::SystemPermanent,
            4 => Self::SystemTemporary,
            _ => return Err(DecodeError::Expected("a sasl code")),
        })
    }
}

/// One SASL frame.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum SaslFrame {
    /// What the server offers.
    Mechanisms(Vec<Symbol>),
    /// What the client takes.
    Init {
        /// One of the offered.
        mechanism: Symbol,
        /// Credentials, for mechanisms whose client speaks first.
        initial_response: Option<Bytes>,
        /// The host the client means; some put a path in it.
        hostname: Option<Text>,
    },
    /// The server asks.
    Challenge(Bytes),
    /// The client answers.
    Response(Bytes),
    /// The end.
    Outcome {
        /// How it ended.
        code: SaslCode,
        /// Data of the mechanism.
        additional_data: Option<Bytes>,
    },
}

impl SaslFrame {
    /// Reads the body of a SASL frame.
    pub fn decode(body: &Bytes) -> Result<Self, DecodeError> {
        let mut decoder = Decoder::new(body);
        let code = decoder.descriptor(code_of_name)?;
        let code = u8::try_from(code).map_err(|_| DecodeError::UnknownDescriptor)?;
        decoder.list(|fields| {
            Ok(match code {
                MECHANISMS => Self::Mechanisms(fields.symbols()?),
                INIT => Self::Init {
                    mechanism: fields.symbol()?.ok_or(DecodeError::Missing("mechanism"))?,
                    initial_response: fields.binary()?,
                    hostname: fields.text()?,
                },
                CHALLENGE => {
                    Self::Challenge(fields.binary()?.ok_or(DecodeError::Missing("challenge"))?)
                }
                RESPONSE => {
                    Self::Response(fields.binary()?.ok_or(DecodeError::Missing("response"))?)
                }
                OUTCOME => Self::Outcome {
                    code: SaslCode::from_byte(
                        fields.unsigned()?.ok_or(DecodeError::Missing("code"))?,
                    )?,
                    additional_data: fields.binary()?,
                },
                _ => return Err(DecodeError::UnknownDescriptor),
            })
        })
    }

    /// Appends the body of a SASL frame.
    pub fn encode(&self, out: &mut BytesMut) {
        match self {
            Self::Mechanisms(symbols) => performative(out, MECHANISMS, |list| {
                list.symbols(symbols);
            }),
            Self::Init { mechanism, initial_response, hostname } => {
                performative(out, INIT, |list| {
                    list.symbol(mechanism.as_str());
                    match initial_response {
                        Some(bytes) => list.binary(bytes),
                        None => list.null(),
                    };
                    list.text_or_null(hostname.as_ref().map(Text::as_str));
                });
            }
            Self::Challenge(bytes) => performative(out, CHALLENGE, |list| {
                list.binary(bytes);
            }),
            Self::Response(bytes) => performative(out, RESPONSE, |list| {
                list.binary(bytes);
            }),
            Self::Outcome { code, additional_data } => performative(out, OUTCOME, |list| {
                list.ubyte(code.byte());
                match additional_data {
                    Some(bytes) => list.binary(bytes),
                    None => list.null(),
                };
            }),
        }
    }
}

fn code_of_name(name: &str) -> Option<u64> {
    let code = match name {
        "amqp:sasl-mechanisms:list" => MECHANISMS,
        "amqp:sasl-init:list" => INIT,
        "amqp:sasl-challenge:list" => CHALLENGE,
        "amqp:sasl-response:list" => RESPONSE,
        "amqp:sasl-outcome:list" => OUTCOME,
        _ => return None,
    };
    Some(code.into())
}
