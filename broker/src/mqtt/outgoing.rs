//! Cloud-to-device messages on their way to the client (device-protocols.md 2.10).

use ironhub_domain::c2d::{Delivery as Locked, LockToken};
use ironhub_domain::limits::C2D_SHORT_NUMBERS;
use ironhub_domain::time::UnixMs;
use ironhub_wire::mqtt::device_topic::DeviceBound;
use ironhub_wire::mqtt::encode;
use ironhub_wire::mqtt::packet::{Delivery, PacketId, QoS};

use super::d2c::Identity;
use super::outbox::Outbox;

/// Messages that a client may have unacknowledged (device-protocols.md 2.3).
pub(super) const WINDOW: u32 = 16;
struct Sent {
    id: PacketId,
    sequence: u64,
    lock: LockToken,
    /// Credit it took: one for each time it was sent.
    credit: u32,
}

/// Sent at QoS 1 and not acknowledged. Empty, and without memory, while nothing is.
#[derive(Default)]
pub(super) struct Outgoing {
    sent: Vec<Sent>,
    /// The owner was given credit once; from then on every acknowledgement gives it back.
    pub(super) opened: bool,
}

/// What a message that was written leaves to do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Written {
    /// Wait for its PUBACK.
    Waits,
    /// It counts as taken: QoS 0.
    Taken,
    /// MQTT cannot carry it: its properties do not fit a topic.
    Unfit,
}

/// A PUBACK that was waited for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Acknowledged {
    pub(super) lock: LockToken,
    pub(super) credit: u32,
}

impl Outgoing {
    /// Writes a message. A message has one packet identifier for its life, so one that is sent again has its own again,
    /// on this connection, because its lock lapsed, or on the next one of its session (MQTT 3.1.1 4.4).
    pub(super) fn write(
        &mut self,
        message: &Locked,
        identity: &Identity,
        qos: QoS,
        outbox: &mut Outbox,
    ) -> Written {
        let topic = topic(message, identity);
        let again = self.sent.iter().position(|sent| sent.sequence == message.sequence);
        let delivery = match qos {
            QoS::AtMostOnce => Delivery::AtMostOnce,
            QoS::AtLeastOnce | QoS::ExactlyOnce => match packet_id(message.sequence) {
                Some(id) => Delivery::AtLeastOnce(id),
                None => return Written::Unfit,
            },
        };
        let (body, out) = (&message.message.body, outbox.end());
        let repeated = message.sent_before || again.is_some();
        let dup = repeated && delivery != Delivery::AtMostOnce;
        if let Err(error) = encode::publish_header(out, &topic, delivery, dup, false, body.len()) {
            tracing::debug!(%error, "a cloud-to-device message does not fit MQTT");
            return Written::Unfit;
        }
        out.extend_from_slice(body);
        match (delivery, again) {
            (Delivery::AtLeastOnce(_), Some(at)) => {
                self.sent[at].lock = message.lock;
                self.sent[at].credit += 1;
                Written::Waits
            }
            (Delivery::AtLeastOnce(id), None) => {
                let (sequence, lock) = (message.sequence, message.lock);
                self.sent.push(Sent { id, sequence, lock, credit: 1 });
                Written::Waits
            }
            (Delivery::AtMostOnce | Delivery::ExactlyOnce(_), _) => Written::Taken,
        }
    }

    /// A PUBACK, in any order; one that nobody waits for is ignored.
    pub(super) fn acknowledge(&mut self, id: PacketId) -> Option<Acknowledged> {
        let at = self.sent.iter().position(|sent| sent.id == id)?;
        let Sent { lock, credit, .. } = self.sent.remove(at);
        if self.sent.is_empty() {
            self.sent = Vec::new();
        }
        Some(Acknowledged { lock, credit })
    }
}

/// The identifier of a message: 1 to 0x7fff, another one for each live message of its queue.
fn packet_id(sequence: u64) -> Option<PacketId> {
    let short = sequence.wrapping_sub(1) % C2D_SHORT_NUMBERS + 1;
    PacketId::new(u16::try_from(short).ok()?)
}

fn topic(delivery: &Locked, identity: &Identity) -> String {
    let (message, system) = (&delivery.message, &delivery.message.system);
    let mut topic = DeviceBound::new(identity.device.as_str(), identity.module());
    let expires = UnixMs::iso8601(delivery.expires);
    let created = system.creation_time.map(UnixMs::iso8601);
    topic
        .system("$.mid", system.message_id.as_deref())
        .system("$.cid", system.correlation_id.as_deref())
        .system("$.uid", system.user_id.as_deref())
        .system("$.exp", system.absolute_expiry.map(|_| &*expires))
        .system("$.ct", system.content_type.as_deref())
        .system("$.ce", system.content_encoding.as_deref())
        .system("$.ctime", created.as_deref());
    topic.system("iothub-ack", message.ack.shown());
    for property in &message.properties {
        topic.pair(&property.name, property.value.as_deref());
    }
    topic.finish()
}

#[cfg(test)]
mod tests {
    use ironhub_domain::c2d::{AckMode, C2dMessage, C2dProperties};
    use ironhub_domain::event::AppProperty;
    use ironhub_domain::ids::DeviceId;

    use super::*;

    fn identity() -> Identity {
        Identity { device: DeviceId::new("d").unwrap(), module: None }
    }

    fn locked(sequence: u64, lock: u8) -> Locked {
        Locked {
            sequence,
            lock: LockToken([lock; 16]),
            locked_until: UnixMs(9),
            delivery_count: 0,
            sent_before: false,
            enqueued: UnixMs(1),
            expires: UnixMs(1_767_323_045_678),
            message: C2dMessage { body: "hi".into(), ..C2dMessage::default() },
        }
    }

    /// Packet identifier and DUP of what was written.
    fn sent(outgoing: &mut Outgoing, message: &Locked) -> (u16, bool) {
        let mut outbox = Outbox::default();
        assert_eq!(
            outgoing.write(message, &identity(), QoS::AtLeastOnce, &mut outbox),
            Written::Waits
        );
        let packet = outbox.end().clone();
        let id = u16::from_be_bytes([packet[packet.len() - 4], packet[packet.len() - 3]]);
        outbox.end().clear();
        (id, packet[0] & 8 != 0)
    }

    #[test]
    fn identifiers_are_the_messages_and_acknowledged_in_any_order() {
        let mut outgoing = Outgoing::default();
        let ids: Vec<_> = (1..=3).map(|n| sent(&mut outgoing, &locked(n, n as u8)).0).collect();
        assert_eq!(ids, [1, 2, 3]);
        let ack = |outgoing: &mut Outgoing, id| {
            outgoing.acknowledge(PacketId::new(id).unwrap()).map(|ack| (ack.lock.0[0], ack.credit))
        };
        assert_eq!(ack(&mut outgoing, 2), Some((2, 1)));
        assert_eq!(ack(&mut outgoing, 2), None, "once");
        assert_eq!(ack(&mut outgoing, 1), Some((1, 1)));
        for (sequence, id) in [(0x7fff, 0x7fff), (0x8000, 1), (0x7fff * 9 + 2, 2)] {
            assert_eq!(sent(&mut outgoing, &locked(sequence, 4)), (id, false));
        }
    }

    #[test]
    fn what_the_session_was_sent_on_an_earlier_connection_says_so_and_has_its_identifier() {
        let first = locked(7, 1);
        assert_eq!(sent(&mut Outgoing::default(), &first), (7, false));
        let again = Locked { sent_before: true, ..locked(7, 2) };
        assert_eq!(sent(&mut Outgoing::default(), &again), (7, true));
        let mut outbox = Outbox::default();
        Outgoing::default().write(&again, &identity(), QoS::AtMostOnce, &mut outbox);
        assert_eq!(outbox.end()[0], 0x30, "DUP is 0 at QoS 0 (MQTT 3.1.1 3.3.1.1)");
    }

    #[test]
    fn a_message_whose_lock_lapsed_is_sent_again_under_its_identifier() {
        let mut outgoing = Outgoing::default();
        assert_eq!(sent(&mut outgoing, &locked(7, 1)), (7, false));
        assert_eq!(sent(&mut outgoing, &locked(7, 2)), (7, true));
        let ack = outgoing.acknowledge(PacketId::new(7).unwrap());
        assert_eq!(ack, Some(Acknowledged { lock: LockToken([2; 16]), credit: 2 }));
        assert_eq!(outgoing.sent.capacity(), 0, "an idle connection holds no memory for it");
    }

    #[test]
    fn the_bag_has_what_is_set_in_the_order_that_sdks_need() {
        let mut message = locked(1, 1);
        message.message = C2dMessage {
            system: C2dProperties {
                message_id: Some("m1".into()),
                content_type: Some("application/json".into()),
                absolute_expiry: Some(UnixMs(1_767_323_045_678)),
                ..C2dProperties::default()
            },
            ack: AckMode::Full,
            properties: vec![AppProperty { name: "k".into(), value: Some("v=1".into()) }],
            body: "x".into(),
        };
        assert_eq!(
            topic(&message, &identity()),
            "devices/d/messages/devicebound/%24.to=%2Fdevices%2Fd%2Fmessages%2Fdevicebound&%24.mid=m1\
             &%24.exp=2026-01-02T03%3A04%3A05.678Z&%24.ct=application%2Fjson&iothub-ack=full&k=v%3D1"
        );
    }

    #[test]
    fn at_most_once_waits_for_nothing_and_too_long_a_topic_is_unfit() {
        let (mut outgoing, mut outbox) = (Outgoing::default(), Outbox::default());
        let mut message = locked(1, 1);
        let mut write =
            |message: &Locked, qos| outgoing.write(message, &identity(), qos, &mut outbox);
        assert_eq!(write(&message, QoS::AtMostOnce), Written::Taken);
        let value = Some("/".repeat(30_000));
        message.message.properties = vec![AppProperty { name: "k".into(), value }];
        assert_eq!(write(&message, QoS::AtLeastOnce), Written::Unfit);
        assert!(outgoing.sent.is_empty());
    }
}
