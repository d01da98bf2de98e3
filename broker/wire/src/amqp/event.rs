//! What the engine tells its owner, and what the owner answers with.

use bytes::Bytes;

use super::codec::{Map, Symbol, Text};
use super::performative::{
    Attach, DeliveryState, Error, Open, ReceiverSettleMode, SenderSettleMode, Source, Target,
};

/// A link of a connection. Stays distinct from later links on the same handle; a command about a link that is gone does
/// nothing.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct LinkId {
    pub(super) channel: u16,
    pub(super) handle: u16,
    pub(super) serial: u32,
}

impl LinkId {
    /// The channel of the link's session: links with equal channels at one time share a session.
    pub fn channel(self) -> u16 {
        self.channel
    }
}

/// What happened. Texts and bytes are slices of the input: copy what is kept for long.
#[derive(Clone, Debug, PartialEq)]
pub enum Event {
    /// The client offers a name and a password. Nothing more is read before
    /// [`super::Connection::sasl_outcome`] answers.
    SaslPlain {
        /// The name.
        user: Text,
        /// The password; a SAS token here.
        password: Text,
    },
    /// The connection is open.
    Opened(Box<Open>),
    /// The client wants a link; [`super::Connection::accept`] or [`super::Connection::refuse`] answers.
    Attach {
        /// The link.
        link: LinkId,
        /// What it asks for.
        attach: Box<Attach>,
    },
    /// A whole message came. [`super::Connection::settle`] answers, or [`super::Connection::consumed`] if it is settled
    /// already; until then it holds a part of the link's credit.
    Transfer {
        /// The link.
        link: LinkId,
        /// Number of the delivery.
        delivery: u32,
        /// Its tag.
        tag: Bytes,
        /// The client has settled; it wants no answer.
        settled: bool,
        /// Message format.
        format: u32,
        /// The message, encoded.
        message: Bytes,
    },
    /// A link may have become able to send ([`super::Connection::can_send`] says).
    Sendable {
        /// The link.
        link: LinkId,
        /// The client wants what there is and the rest of its credit back: send, then
        /// [`super::Connection::drained`].
        drain: bool,
    },
    /// The client tells the state of a delivery that was sent unsettled.
    Disposition {
        /// The link.
        link: LinkId,
        /// Number of the delivery, as [`super::Connection::send`] returned it.
        delivery: u32,
        /// The client has settled: this is over. Otherwise [`super::Connection::settle_sent`] ends it.
        settled: bool,
        /// The state, if it told one.
        state: Option<DeliveryState>,
    },
    /// A link is gone: the client detached it or ended its session, or the engine did because of a violation.
    Detached {
        /// The link.
        link: LinkId,
        /// Why, if not in peace.
        error: Option<Box<Error>>,
    },
    /// The connection is over, all links with it. What is left to write should still be written.
    Closed {
        /// Why, if not in peace.
        error: Option<Box<Error>>,
    },
}

/// How a link is answered. What is `None` is echoed from the client's attach.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct AttachReply {
    /// Where messages come from.
    pub source: Option<Source>,
    /// Where messages go.
    pub target: Option<Target>,
    /// Settlement at the sending end.
    pub snd_settle_mode: Option<SenderSettleMode>,
    /// Settlement at the receiving end.
    pub rcv_settle_mode: Option<ReceiverSettleMode>,
    /// Largest message, in bytes; what the client sends beyond it detaches the link.
    pub max_message_size: u64,
    /// Larger messages than announced are taken up to this, in bytes: for owners that count a message otherwise than
    /// by its encoding, and want to refuse the message and not the link.
    pub message_bytes_max: Option<u64>,
    /// Extensions that are granted.
    pub offered_capabilities: Vec<Symbol>,
    /// Anything else.
    pub properties: Map,
    /// On links from the client: how many messages it may have sent that were not settled or consumed.
    pub credit: u32,
}

/// A message was not taken for sending.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum SendError {
    /// The link is gone, not answered yet, or goes the other way.
    #[error("link cannot send")]
    Gone,
    /// The client granted no credit.
    #[error("link has no credit")]
    NoCredit,
    /// Too much waits for the client's window or for its settlement.
    #[error("session has too much outstanding")]
    Busy,
}
