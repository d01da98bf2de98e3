//! Why a WebSocket connection ends, as close frames say it.

/// The number in a close frame (RFC 6455 7.4).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct CloseCode(u16);

impl CloseCode {
    /// The purpose of the connection is fulfilled.
    pub const NORMAL: Self = Self(1000);
    /// The client broke the protocol.
    pub const PROTOCOL_ERROR: Self = Self(1002);
    /// The client sent a kind of data that is not taken: text.
    pub const UNSUPPORTED: Self = Self(1003);

    /// A code that may stand in a frame: one of the RFC's or the registry's, or one of an application
    /// (RFC 6455 7.4.1 and 7.4.2). 1004 to 1006 and 1015 never travel.
    pub fn received(code: u16) -> Option<Self> {
        let known = matches!(code, 1000..=1003 | 1007..=1014 | 3000..=4999);
        known.then_some(Self(code))
    }

    /// As a number.
    pub fn get(self) -> u16 {
        self.0
    }
}

/// What the other side may not send; the connection must be closed with [`Violation::code`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Violation {
    /// Clients mask every frame (RFC 6455 5.1).
    #[error("a frame is not masked")]
    Unmasked,
    /// Servers mask none (RFC 6455 5.1).
    #[error("a frame of a server is masked")]
    Masked,
    /// Reserved bits belong to extensions, and none was agreed on (RFC 6455 5.2).
    #[error("a frame has reserved bits")]
    ReservedBits,
    /// An opcode that RFC 6455 5.2 reserves.
    #[error("reserved opcode {0:#x}")]
    Opcode(u8),
    /// MQTT and AMQP travel in binary messages only (MQTT 3.1.1 6.0-1).
    #[error("a text message")]
    Text,
    /// A control frame over 125 bytes, or in parts (RFC 6455 5.5).
    #[error("a control frame that is too long or in parts")]
    Control,
    /// A continuation of nothing, or a new message inside another (RFC 6455 5.4).
    #[error("a message's parts are out of order")]
    Order,
    /// The highest bit of a 64-bit length is set (RFC 6455 5.2).
    #[error("a frame of more than 2^63 bytes")]
    Length,
    /// One byte where a code has two, or a code that may not be sent (RFC 6455 5.5.1, 7.4).
    #[error("a close frame with a bad code")]
    CloseCode,
}

impl Violation {
    /// What the close frame says.
    pub fn code(self) -> CloseCode {
        match self {
            Self::Text => CloseCode::UNSUPPORTED,
            Self::Unmasked
            | Self::Masked
            | Self::ReservedBits
            | Self::Opcode(_)
            | Self::Control
            | Self::Order
            | Self::Length
            | Self::CloseCode => CloseCode::PROTOCOL_ERROR,
        }
    }
}
