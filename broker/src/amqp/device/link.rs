//! What the links of an identity are for, and how they are granted (device-protocols.md 3.1, 3.5, 3.7).

use ironhub_domain::ids::IdentityId;
use ironhub_domain::limits::{D2C_MESSAGE_BYTES_MAX, METHODS_IN_FLIGHT_MAX, TWIN_JSON_BYTES_MAX};
use ironhub_wire::amqp::performative::{ReceiverSettleMode, SenderSettleMode};
use ironhub_wire::amqp::{Attach, AttachReply, Error, LinkId, Role, condition};

use super::address::Node;
use super::c2d::C2dLink;

/// Messages that a telemetry link may have under way.
const TELEMETRY_CREDIT: u32 = 1_000;
/// Twin requests that a link may have under way.
const TWIN_CREDIT: u32 = 20;
/// Answers to methods that a link may have under way.
const METHODS_CREDIT: u32 = METHODS_IN_FLIGHT_MAX as u32;
/// What a message's encoding may add to what counts of it. A message that is too large by count is refused; the link
/// goes only for one that no count would let in.
const ENCODING_BYTES_MAX: u64 = 256 * 1024;

/// What a link is for; "requests" and "answers" as the one who is asked sees them.
pub(super) enum Purpose {
    /// The device sends telemetry.
    Telemetry,
    /// A module receives from other modules: nothing routes there yet.
    Inputs,
    /// The device receives cloud-to-device messages.
    C2d(Box<C2dLink>),
    /// The device receives calls.
    MethodRequests,
    /// The device answers calls.
    MethodAnswers,
    /// The device asks for its twin.
    TwinRequests,
    /// The device receives answers, and changes of the desired properties if it subscribed.
    TwinAnswers { subscribed: bool },
}

/// One link.
pub(super) struct DeviceLink {
    pub(super) id: LinkId,
    pub(super) purpose: Purpose,
    /// `com.microsoft:channel-correlation-id`: the same on both links of a pair.
    pub(super) pair: Option<Box<str>>,
}

/// What a link on this node is for; an error if links there go the other way only.
pub(super) fn purpose(
    identity: &IdentityId,
    node: Node,
    link: LinkId,
    attach: &Attach,
) -> Result<Purpose, Error> {
    match (node, attach.role) {
        (Node::Events, Role::Sender) => Ok(Purpose::Telemetry),
        (Node::Events, Role::Receiver) if identity.module.is_some() => Ok(Purpose::Inputs),
        (Node::Events, Role::Receiver) => Err(not_allowed("telemetry can only be sent here")),
        (Node::C2d, Role::Receiver) => Ok(Purpose::C2d(Box::new(C2dLink::new(link, attach)))),
        (Node::C2d, Role::Sender) => Err(not_allowed("this address can only be received from")),
        (Node::Methods, Role::Receiver) => Ok(Purpose::MethodRequests),
        (Node::Methods, Role::Sender) => Ok(Purpose::MethodAnswers),
        (Node::Twin, Role::Sender) => Ok(Purpose::TwinRequests),
        (Node::Twin, Role::Receiver) => Ok(Purpose::TwinAnswers { subscribed: false }),
    }
}

fn not_allowed(text: &'static str) -> Error {
    Error::new(condition::NOT_ALLOWED, text)
}

/// How the attach is answered.
pub(super) fn reply(purpose: &Purpose, attach: &Attach) -> AttachReply {
    let largest = D2C_MESSAGE_BYTES_MAX as u64;
    let receives = |credit, announced: u64| AttachReply {
        rcv_settle_mode: Some(ReceiverSettleMode::First),
        max_message_size: announced,
        message_bytes_max: Some(announced + ENCODING_BYTES_MAX),
        credit,
        ..AttachReply::default()
    };
    let sends = |settle| AttachReply {
        snd_settle_mode: Some(settle),
        max_message_size: largest,
        ..AttachReply::default()
    };
    match purpose {
        Purpose::Telemetry => receives(TELEMETRY_CREDIT, largest),
        Purpose::TwinRequests => receives(TWIN_CREDIT, TWIN_JSON_BYTES_MAX as u64),
        Purpose::MethodAnswers => receives(METHODS_CREDIT, largest),
        Purpose::C2d(_) => sends(match attach.snd_settle_mode {
            Some(SenderSettleMode::Settled) => SenderSettleMode::Settled,
            Some(SenderSettleMode::Unsettled | SenderSettleMode::Mixed) | None => {
                SenderSettleMode::Unsettled
            }
        }),
        Purpose::Inputs | Purpose::MethodRequests | Purpose::TwinAnswers { .. } => {
            sends(SenderSettleMode::Settled)
        }
    }
}

impl DeviceLink {
    pub(super) fn new(id: LinkId, purpose: Purpose, attach: &Attach) -> Self {
        let pair = attach.properties.as_ref();
        let pair = pair.and_then(|map| map.text("com.microsoft:channel-correlation-id"));
        Self { id, purpose, pair: pair.map(Into::into) }
    }

    /// Whether two links are one pair: by their correlation id, or without one by their session
    /// (device-protocols.md 3.6).
    pub(super) fn pairs_with(&self, other: &Self) -> bool {
        match (&self.pair, &other.pair) {
            (Some(one), Some(two)) => one == two,
            (None, None) => self.id.channel() == other.id.channel(),
            (Some(_), None) | (None, Some(_)) => false,
        }
    }
}
