//! Cloud-to-device messages on a link: credit, locks and outcomes (device-protocols.md 3.7, 3.9).

use std::collections::VecDeque;

use bytes::Bytes;
use ironhub_domain::c2d::{C2dMessage, Delivery, LockToken, Settlement};
use ironhub_domain::ids::IdentityId;
use ironhub_domain::limits::C2D_QUEUE_MAX;
use ironhub_wire::amqp::message::MessageBuilder;
use ironhub_wire::amqp::performative::SenderSettleMode;
use ironhub_wire::amqp::{
    Attach, Connection, DeliveryState, LinkId, MessageId, Properties, SendError, Symbol, Text,
};

use super::OUTPUT_BYTES_MAX;
use super::bell::Bell;
use super::owner::LiveSession;
use crate::router::request::Push;

/// Messages that the owner may send ahead of what the link has written: each is locked and in memory.
const AHEAD_MAX: u32 = 4;
/// Deliveries that wait for their outcome. Older ones have lost their locks: a queue holds fewer messages.
const UNSETTLED_MAX: usize = 2 * C2D_QUEUE_MAX;

/// State of one link.
pub(super) struct C2dLink {
    link: LinkId,
    /// The client wants messages settled: they are complete when they are sent.
    settled: bool,
    /// What the owner may still send, and what it sent and is not written.
    ahead: u32,
    unsettled: VecDeque<(u32, LockToken)>,
}

impl C2dLink {
    pub(super) fn new(link: LinkId, attach: &Attach) -> Self {
        let settled = attach.snd_settle_mode == Some(SenderSettleMode::Settled);
        Self { link, settled, ahead: 0, unsettled: VecDeque::new() }
    }

    /// Writes what waits, as far as credit and output go, and lets the owner send more. True if something waits for
    /// anything but credit.
    pub(super) fn work(
        &mut self,
        identity: &IdentityId,
        bell: &Bell,
        session: &dyn LiveSession,
        connection: &mut Connection,
    ) -> bool {
        let stuck = self.write(identity, bell, session, connection);
        let wanted = connection.credit(self.link).min(AHEAD_MAX);
        if wanted < self.ahead {
            session.clear_c2d_credit();
            self.ahead = 0;
        }
        if self.ahead < wanted {
            session.add_c2d_credit(wanted - self.ahead);
            self.ahead = wanted;
        }
        stuck
    }

    fn write(
        &mut self,
        identity: &IdentityId,
        bell: &Bell,
        session: &dyn LiveSession,
        connection: &mut Connection,
    ) -> bool {
        while connection.can_send(self.link) {
            if connection.output_len() >= OUTPUT_BYTES_MAX {
                return true;
            }
            let Some(delivery) = bell.next_c2d() else { return false };
            // Exactly sixteen bytes: one SDK makes the lock token of them.
            let tag = Bytes::copy_from_slice(&delivery.lock.0);
            let message = render(&delivery, identity);
            match connection.send(self.link, tag, self.settled, message) {
                Ok(number) => {
                    self.ahead = self.ahead.saturating_sub(1);
                    self.sent(number, delivery.lock, session, connection);
                }
                Err(SendError::Busy) => {
                    bell.put_back(Push::C2d(vec![delivery]));
                    return true;
                }
                Err(SendError::Gone | SendError::NoCredit) => {
                    bell.put_back(Push::C2d(vec![delivery]));
                    return false;
                }
            }
        }
        false
    }

    fn sent(
        &mut self,
        number: u32,
        lock: LockToken,
        session: &dyn LiveSession,
        connection: &mut Connection,
    ) {
        if self.settled {
            // If the owner is too busy the lock lapses and the message comes again.
            if let Err(error) = session.settle_c2d(lock, Settlement::Complete) {
                tracing::debug!(%error, "a message that was sent settled is not completed");
            }
            return;
        }
        if self.unsettled.len() >= UNSETTLED_MAX
            && let Some((oldest, _)) = self.unsettled.pop_front()
        {
            connection.settle_sent(self.link, oldest, None);
        }
        self.unsettled.push_back((number, lock));
    }

    /// The lock of a delivery whose outcome has come; it is asked for once.
    pub(super) fn take_lock(&mut self, delivery: u32) -> Option<LockToken> {
        let at = self.unsettled.iter().position(|(number, _)| *number == delivery)?;
        let (_, lock) = self.unsettled.remove(at)?;
        if self.unsettled.is_empty() {
            self.unsettled = VecDeque::new();
        }
        Some(lock)
    }
}

/// What an outcome means for the message. A delivery that is settled without one was not taken.
pub(super) fn settlement(state: Option<&DeliveryState>) -> Settlement {
    match state {
        Some(DeliveryState::Accepted) => Settlement::Complete,
        Some(
            DeliveryState::Rejected(_) | DeliveryState::Modified { undeliverable_here: true, .. },
        ) => Settlement::Reject,
        Some(
            DeliveryState::Released
            | DeliveryState::Modified { undeliverable_here: false, .. }
            | DeliveryState::Received { .. }
            | DeliveryState::Other(_),
        )
        | None => Settlement::Abandon,
    }
}

fn render(delivery: &Delivery, identity: &IdentityId) -> Bytes {
    let message = &delivery.message;
    let builder = MessageBuilder::with_capacity(512 + message.body.len())
        .header(true, delivery.delivery_count)
        .message_annotations(|map| {
            map.symbol("iothub-enqueuedtime").timestamp(long(delivery.enqueued.0));
            let count = u8::try_from(delivery.delivery_count).unwrap_or(u8::MAX);
            map.symbol("iothub-deliverycount").ubyte(count);
            map.symbol("x-opt-sequence-number").ulong(delivery.sequence);
            map.symbol("x-opt-lock-token").text(&delivery.lock.to_string());
        })
        .properties(&standard(message, identity));
    let ack = message.ack.shown();
    let builder = if ack.is_none() && message.properties.is_empty() {
        builder
    } else {
        builder.application_properties(|map| {
            if let Some(ack) = ack {
                map.text("iothub-ack").text(ack);
            }
            for property in &message.properties {
                // Values are strings only: an SDK drops or trips over anything else.
                map.text(&property.name).text(property.value.as_deref().unwrap_or_default());
            }
        })
    };
    builder.data(&message.body).finish()
}

fn standard(message: &C2dMessage, identity: &IdentityId) -> Properties {
    let system = &message.system;
    let id = |id: &Option<String>| id.as_deref().map(|id| MessageId::String(Text::from(id)));
    let symbol = |text: &Option<String>| text.as_deref().map(Symbol::lossy);
    let to = format!("/{}/messages/devicebound", identity.path());
    Properties {
        message_id: id(&system.message_id),
        user_id: system.user_id.as_deref().map(|id| Bytes::copy_from_slice(id.as_bytes())),
        to: Some(Text::from(to)),
        correlation_id: id(&system.correlation_id),
        content_type: symbol(&system.content_type),
        content_encoding: symbol(&system.content_encoding),
        absolute_expiry_time: system.absolute_expiry.map(|time| long(time.0)),
        creation_time: system.creation_time.map(|time| long(time.0)),
        ..Properties::default()
    }
}

/// Times and counts are far below the limit of a long.
fn long(n: u64) -> i64 {
    i64::try_from(n).unwrap_or(i64::MAX)
}

#[cfg(test)]
mod tests {
    use ironhub_domain::c2d::{AckMode, C2dProperties};
    use ironhub_domain::event::AppProperty;
    use ironhub_domain::ids::{DeviceId, ModuleId};
    use ironhub_domain::time::UnixMs;
    use ironhub_wire::amqp::{Message, Value};

    use super::*;

    fn delivery() -> Delivery {
        let text = |text: &str| Some(text.to_owned());
        Delivery {
            sequence: 7,
            lock: LockToken([0xab; 16]),
            locked_until: UnixMs(60_000),
            delivery_count: 300,
            sent_before: false,
            enqueued: UnixMs(1_767_323_045_678),
            expires: UnixMs(2_000_000_000_000),
            message: C2dMessage {
                system: C2dProperties {
                    message_id: text("m"),
                    correlation_id: text("c"),
                    user_id: text("u"),
                    content_type: text("text/plain"),
                    content_encoding: text("utf-8"),
                    creation_time: Some(UnixMs(5)),
                    absolute_expiry: Some(UnixMs(6)),
                },
                ack: AckMode::Full,
                properties: vec![
                    AppProperty { name: "k".into(), value: text("v") },
                    AppProperty { name: "n".into(), value: None },
                ],
                body: Bytes::from_static(b"body"),
            },
        }
    }

    #[test]
    fn every_part_of_a_message_has_its_type() {
        let identity = IdentityId::device(DeviceId::new("a#b").unwrap());
        let message = Message::split(&render(&delivery(), &identity)).unwrap();
        let annotations = message.message_annotations().unwrap();
        for (key, value) in [
            ("iothub-enqueuedtime", Value::Timestamp(1_767_323_045_678)),
            ("iothub-deliverycount", Value::Ubyte(255)),
            ("x-opt-sequence-number", Value::Ulong(7)),
            ("x-opt-lock-token", Value::string("abababab-abab-abab-abab-abababababab")),
        ] {
            assert_eq!(annotations.get(key), Some(&value), "{key}");
        }
        let expected = Properties {
            message_id: Some(MessageId::String("m".into())),
            user_id: Some(Bytes::from_static(b"u")),
            to: Some("/devices/a#b/messages/devicebound".into()),
            correlation_id: Some(MessageId::String("c".into())),
            content_type: Some(Symbol::from_static("text/plain")),
            content_encoding: Some(Symbol::from_static("utf-8")),
            absolute_expiry_time: Some(6),
            creation_time: Some(5),
            ..Properties::default()
        };
        assert_eq!(message.properties().unwrap(), expected);
        let keys = message.application_properties().unwrap();
        for (key, value) in [("iothub-ack", "full"), ("k", "v"), ("n", "")] {
            assert_eq!(keys.get(key), Some(&Value::String(value.into())), "{key}");
        }
        assert_eq!(&message.body().bytes().unwrap()[..], b"body");
    }

    #[test]
    fn only_what_is_set_is_written() {
        let identity = IdentityId::module(DeviceId::new("d").unwrap(), ModuleId::new("m").unwrap());
        let bare = Delivery { message: C2dMessage::default(), ..delivery() };
        let message = Message::split(&render(&bare, &identity)).unwrap();
        let to = Some("/devices/d/modules/m/messages/devicebound".into());
        assert_eq!(message.properties().unwrap(), Properties { to, ..Properties::default() });
        assert!(message.application_properties().unwrap().0.is_empty());
        assert!(message.body().bytes().unwrap().is_empty());
    }

    #[test]
    fn outcomes_have_their_meaning() {
        let modified = |undeliverable_here| DeliveryState::Modified {
            delivery_failed: true,
            undeliverable_here,
            annotations: None,
        };
        for (state, expected) in [
            (Some(DeliveryState::Accepted), Settlement::Complete),
            (Some(DeliveryState::Rejected(None)), Settlement::Reject),
            (Some(DeliveryState::Released), Settlement::Abandon),
            (Some(modified(false)), Settlement::Abandon),
            (Some(modified(true)), Settlement::Reject),
            (None, Settlement::Abandon),
        ] {
            assert_eq!(settlement(state.as_ref()), expected, "{state:?}");
        }
    }
}
