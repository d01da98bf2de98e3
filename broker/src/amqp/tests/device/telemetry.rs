//! Telemetry (device-protocols.md 3.7, 3.8).

use bytes::Bytes;
use ironhub_domain::HubError;
use ironhub_wire::amqp::frame::{FrameKind, put_frame};
use ironhub_wire::amqp::message::{BATCH_FORMAT, MessageBuilder};
use ironhub_wire::amqp::performative::{Close, Detach, End, Performative, Transfer};
use ironhub_wire::amqp::{DeliveryState, Role};

use super::owners::Telemetry;
use crate::amqp::tests::client::{CHANNEL, Client};
use crate::amqp::tests::hub::{Hub, run};

const EVENTS: &str = "/devices/dev1/messages/events";

fn message(body: &[u8]) -> Bytes {
    MessageBuilder::default().data(body).finish()
}

/// Disposition of the next deliveries: numbers and state.
async fn outcome(client: &mut Client) -> (u32, u32, DeliveryState) {
    let (found, _) = client.expect(|p| matches!(p, Performative::Disposition(_))).await;
    let Performative::Disposition(found) = found else { panic!("a disposition") };
    assert!(found.settled && found.role == Role::Receiver);
    (found.first, found.last.unwrap_or(found.first), found.state.expect("a state"))
}

fn condition(state: &DeliveryState) -> &str {
    match state {
        DeliveryState::Accepted => "accepted",
        DeliveryState::Released => "released",
        DeliveryState::Rejected(Some(error)) => error.condition.as_str(),
        other => panic!("an outcome, not {other:?}"),
    }
}

/// What a device with this telemetry hears of one message.
fn check(telemetry: Telemetry, format: u32, message: &[u8], expected: &str) {
    run(|| async {
        let hub = Hub::new(|_| {});
        let mut client = hub.connect_device().await;
        client.attached(2, Role::Sender, EVENTS).await;
        hub.devices.state(|state| state.telemetry = telemetry.clone());
        let delivery = client.transfer_of(2, format, false, message).await;
        let (first, last, state) = outcome(&mut client).await;
        assert_eq!((first, last, condition(&state)), (delivery, delivery, expected));
        // The link lives on.
        hub.devices.state(|state| state.telemetry = Telemetry::Stored);
        client.transfer(2, b"").await;
        assert_eq!(outcome(&mut client).await.2, DeliveryState::Accepted);
    });
}

#[test]
fn the_attach_is_answered_with_size_and_credit() {
    run(|| async {
        let hub = Hub::new(|_| {});
        let mut client = hub.connect_device().await;
        client.attach(2, Role::Sender, EVENTS).await;
        let answer = client.answer_to_attach(2).await;
        assert_eq!(answer.max_message_size, Some(262_144));
        let flow = |p: &Performative| matches!(p, Performative::Flow(f) if f.handle == Some(2));
        let (Performative::Flow(flow), _) = client.expect(flow).await else { panic!("a flow") };
        assert_eq!(flow.link_credit, Some(1000));
    });
}

#[test]
fn what_is_stored_is_accepted_and_what_is_not_says_why() {
    let of_size = |size| message(&vec![7; size]);
    let refused = |error| Telemetry::Refused(error);
    check(Telemetry::Stored, 0, &message(b"x"), "accepted");
    check(Telemetry::Stored, 0, &of_size(262_144), "accepted");
    check(Telemetry::Stored, 0, &of_size(262_145), "amqp:link:message-size-exceeded");
    check(Telemetry::Stored, 0, b"\xde\xad\xbe\xef", "amqp:decode-error");
    check(Telemetry::Stored, BATCH_FORMAT, &message(b"garbage"), "amqp:decode-error");
    check(Telemetry::Busy(3), 0, &message(b"x"), "accepted");
    for error in [
        HubError::NoLeader { partition: 1 },
        HubError::OutcomeUnknown,
        HubError::StorageFull,
        HubError::ShuttingDown,
    ] {
        check(refused(error), 0, &message(b"x"), "released");
    }
    let argument = HubError::InvalidArgument("x".into());
    check(refused(argument), 0, &message(b"x"), "com.microsoft:argument-error");
}

#[test]
fn a_batch_is_stored_whole_and_settled_once() {
    run(|| async {
        let hub = Hub::new(|_| {});
        let mut client = hub.connect_device().await;
        client.attached(2, Role::Sender, EVENTS).await;
        let parts = [message(b"a"), message(b""), message(b"c")];
        let batch = parts.iter().fold(MessageBuilder::default(), |all, part| all.data(part));
        let delivery = client.transfer_of(2, BATCH_FORMAT, false, &batch.finish()).await;
        assert_eq!(outcome(&mut client).await, (delivery, delivery, DeliveryState::Accepted));
        let bodies = |id: &str| {
            hub.devices.with(id, |d| d.stored.iter().map(|m| m.body.clone()).collect::<Vec<_>>())
        };
        assert_eq!(bodies("dev1"), [&b"a"[..], b"", b"c"]);
        // One message too large: none is stored.
        let parts = [message(b"a"), message(&vec![0; 262_144])];
        let batch = parts.iter().fold(MessageBuilder::default(), |all, part| all.data(part));
        client.transfer_of(2, BATCH_FORMAT, false, &batch.finish()).await;
        let state = outcome(&mut client).await.2;
        assert_eq!(condition(&state), "amqp:link:message-size-exceeded");
        assert_eq!(bodies("dev1").len(), 3);
    });
}

#[test]
fn messages_in_many_frames_come_whole() {
    run(|| async {
        let hub = Hub::new(|_| {});
        let mut client = hub.connect_device().await;
        client.attached(2, Role::Sender, EVENTS).await;
        let body: Vec<u8> = (0..200_000u32).map(|n| n as u8).collect();
        let bytes = message(&body);
        let frames = bytes.chunks(4000).count();
        for (n, part) in bytes.chunks(4000).enumerate() {
            let transfer = Transfer {
                handle: 2,
                delivery_id: Some(900),
                delivery_tag: Some(Bytes::from_static(b"t")),
                more: n + 1 < frames,
                ..Transfer::default()
            };
            client.write(CHANNEL, Performative::Transfer(transfer), part).await;
        }
        assert_eq!(outcome(&mut client).await, (900, 900, DeliveryState::Accepted));
        assert_eq!(hub.devices.with("dev1", |dev1| dev1.stored[0].body.clone()), body);
    });
}

#[test]
fn nothing_is_accepted_before_it_is_durable_and_neighbours_share_a_disposition() {
    run(|| async {
        let hub = Hub::new(|_| {});
        let mut client = hub.connect_device().await;
        client.attached(2, Role::Sender, EVENTS).await;
        hub.devices.state(|state| state.telemetry = Telemetry::Held);
        let first = client.transfer(2, &message(b"0")).await;
        for n in 1..50 {
            client.transfer(2, &message(n.to_string().as_bytes())).await;
        }
        // The answer of `$cbs` overtakes what waits.
        assert_eq!(client.put_own("devices/dev1").await, 200);
        assert_eq!(hub.devices.with("dev1", |dev1| dev1.stored.len()), 0);
        hub.devices.state(|state| state.telemetry = Telemetry::Stored);
        hub.devices.store_held("dev1");
        let mut next = first;
        while next < first + 50 {
            let (from, to, state) = outcome(&mut client).await;
            assert_eq!((from, state), (next, DeliveryState::Accepted));
            next = to + 1;
        }
        let stored = hub.devices.with("dev1", |dev1| std::mem::take(&mut dev1.stored));
        let bodies: Vec<String> =
            stored.iter().map(|m| String::from_utf8(m.body.to_vec()).unwrap()).collect();
        assert_eq!(bodies, (0..50).map(|n| n.to_string()).collect::<Vec<_>>());
    });
}

#[test]
fn settled_messages_are_stored_and_give_their_credit_back() {
    run(|| async {
        let hub = Hub::new(|_| {});
        let mut client = hub.connect_device().await;
        client.attached(2, Role::Sender, EVENTS).await;
        // More than the credit: it is topped up without a disposition.
        for n in 0..2_500u32 {
            client.transfer_of(2, 0, true, &message(&n.to_be_bytes())).await;
            if n % 400 == 399 {
                hub.devices.until("dev1", |dev1| dev1.stored.len() == n as usize + 1).await;
            }
        }
        hub.devices.until("dev1", |dev1| dev1.stored.len() == 2_500).await;
        let batches = hub.devices.with("dev1", |dev1| dev1.batches);
        assert!(batches < 2_500, "{batches} batches");
    });
}

#[test]
fn what_came_before_the_end_is_stored() {
    run(|| async {
        let hub = Hub::new(|_| {});
        let detach = || Performative::Detach(Detach { handle: 2, closed: true, error: None });
        let (end, close) = (End::default(), Close::default());
        let endings = [detach(), Performative::End(end), Performative::Close(close)];
        for (n, ending) in endings.into_iter().enumerate() {
            let mut client = hub.connect_device().await;
            client.attached(2, Role::Sender, EVENTS).await;
            // In one write, so that the hub reads it at once.
            let mut out = bytes::BytesMut::new();
            for delivery in 0..10 {
                let transfer = Transfer {
                    handle: 2,
                    delivery_id: Some(delivery),
                    settled: Some(true),
                    ..Transfer::default()
                };
                put_frame(&mut out, FrameKind::Amqp, CHANNEL, |out| {
                    Performative::Transfer(transfer).encode(out);
                });
            }
            let channel = if matches!(ending, Performative::Close(_)) { 0 } else { CHANNEL };
            put_frame(&mut out, FrameKind::Amqp, channel, |out| ending.encode(out));
            client.raw(&out).await;
            hub.devices.until("dev1", |dev1| dev1.stored.len() == 10 * (n + 1)).await;
        }
    });
}

#[test]
fn what_is_under_way_is_bounded_by_bytes() {
    run(|| async {
        let hub = Hub::new(|_| {});
        let mut client = Client::new(hub.stream(64 * 1024));
        client.open().await;
        client.open_cbs().await;
        assert_eq!(client.put_own("devices/dev1").await, 200);
        client.attached(2, Role::Sender, EVENTS).await;
        hub.devices.state(|state| state.telemetry = Telemetry::Held);
        let large = message(&vec![0; 60_000]);
        let mut sent = 0;
        // The stream fills up, so the client has to wait: that is the back-pressure.
        while tokio::time::timeout(
            std::time::Duration::from_millis(300),
            client.transfer_of(2, 0, true, &large),
        )
        .await
        .is_ok()
        {
            sent += 1;
            assert!(sent < 100, "the hub takes whatever comes");
        }
        assert!(sent > 10, "{sent}");
    });
}
