//! Cloud-to-device messages (device-protocols.md 3.7, 3.9).

use bytes::Bytes;
use ironhub_domain::c2d::{C2dMessage, LockToken, Settlement};
use ironhub_wire::amqp::frame::{FrameKind, put_frame};
use ironhub_wire::amqp::performative::{
    Close, Detach, Disposition, Performative, ReceiverSettleMode, SenderSettleMode, Transfer,
};
use ironhub_wire::amqp::{DeliveryState, Message, Role};

use super::modes;
use crate::amqp::tests::client::{CHANNEL, Client};
use crate::amqp::tests::hub::{Hub, run};

const C2D: &str = "/devices/dev1/messages/deviceBound";

fn text(body: &str) -> C2dMessage {
    C2dMessage { body: Bytes::copy_from_slice(body.as_bytes()), ..C2dMessage::default() }
}

async fn transfer(client: &mut Client) -> (Transfer, Message) {
    let (found, payload) = client.expect(|p| matches!(p, Performative::Transfer(_))).await;
    let Performative::Transfer(transfer) = found else { panic!("a transfer") };
    (transfer, Message::split(&payload).expect("a message"))
}

async fn tell(client: &mut Client, delivery: u32, settled: bool, state: Option<DeliveryState>) {
    let disposition = Disposition {
        role: Role::Receiver,
        first: delivery,
        last: None,
        settled,
        state,
        batchable: false,
    };
    client.write(CHANNEL, Performative::Disposition(disposition), b"").await;
}

/// The state that the hub settles a delivery with.
async fn confirmed(client: &mut Client, delivery: u32) -> DeliveryState {
    let (found, _) = client.expect(|p| matches!(p, Performative::Disposition(_))).await;
    let Performative::Disposition(found) = found else { panic!("a disposition") };
    assert_eq!((found.role, found.first, found.settled), (Role::Sender, delivery, true));
    found.state.expect("a state")
}

async fn receiver(hub: &Hub, rcv: ReceiverSettleMode) -> Client {
    let mut client = hub.connect_device().await;
    client.attach_with(modes(2, Role::Receiver, C2D, SenderSettleMode::Mixed, rcv)).await;
    let answer = client.answer_to_attach(2).await;
    assert_eq!(answer.rcv_settle_mode, Some(rcv));
    assert_eq!(answer.snd_settle_mode, Some(SenderSettleMode::Unsettled));
    client
}

#[test]
fn messages_go_as_far_as_credit_and_carry_their_lock_as_tag() {
    run(|| async {
        let hub = Hub::new(|_| {});
        (1..=10).for_each(|n| _ = hub.devices.send("dev1", text(&n.to_string())));
        let mut client = receiver(&hub, ReceiverSettleMode::First).await;
        client.grant(2, 0, 7).await;
        for n in 1..=7 {
            let (transfer, message) = transfer(&mut client).await;
            assert_eq!(&message.body().bytes().unwrap()[..], n.to_string().as_bytes());
            assert_eq!(transfer.settled, Some(false));
            let tag: [u8; 16] = transfer.delivery_tag.as_deref().unwrap().try_into().unwrap();
            let lock = LockToken(tag).to_string();
            let annotations = message.message_annotations().unwrap();
            assert_eq!(annotations.text("x-opt-lock-token"), Some(lock.as_str()));
        }
        // No more without credit: the next thing that comes is the answer of `$cbs`.
        assert_eq!(client.put_own("devices/dev1").await, 200);
        assert_eq!(hub.devices.with("dev1", |dev1| dev1.locked.len()), 7);
        client.grant(2, 7, 1).await;
        let (_, message) = transfer(&mut client).await;
        assert_eq!(&message.body().bytes().unwrap()[..], b"8");
    });
}

#[test]
fn credit_that_comes_before_the_answer_counts() {
    run(|| async {
        let hub = Hub::new(|_| {});
        hub.devices.send("dev1", text("x"));
        let mut client = hub.connect_device().await;
        client.attach(2, Role::Receiver, C2D).await;
        client.grant(2, 0, 50).await;
        transfer(&mut client).await;
    });
}

/// What an outcome does, settled by the client or confirmed by the hub.
fn check(state: DeliveryState, expected: Settlement) {
    run(|| async {
        let hub = Hub::new(|_| {});
        for (settled, rcv) in
            [(true, ReceiverSettleMode::First), (false, ReceiverSettleMode::Second)]
        {
            let number = hub.devices.send("dev1", text("x"));
            let mut client = receiver(&hub, rcv).await;
            client.grant(2, 0, 1).await;
            let delivery = transfer(&mut client).await.0.delivery_id.unwrap();
            tell(&mut client, delivery, settled, Some(state.clone())).await;
            let done = (number, expected);
            hub.devices.until("dev1", |dev1| dev1.settled.last() == Some(&done)).await;
            if !settled {
                assert_eq!(confirmed(&mut client, delivery).await, state);
            }
        }
    });
}

#[test]
fn every_outcome_reaches_the_owner() {
    let modified = |undeliverable_here| DeliveryState::Modified {
        delivery_failed: false,
        undeliverable_here,
        annotations: None,
    };
    check(DeliveryState::Accepted, Settlement::Complete);
    check(DeliveryState::Rejected(None), Settlement::Reject);
    check(DeliveryState::Released, Settlement::Abandon);
    check(modified(false), Settlement::Abandon);
    check(modified(true), Settlement::Reject);
}

#[test]
fn outcomes_that_come_before_the_end_are_honoured() {
    run(|| async {
        let hub = Hub::new(|_| {});
        let detach = Performative::Detach(Detach { handle: 2, closed: true, error: None });
        let close = Performative::Close(Close::default());
        for (n, (channel, ending)) in [(CHANNEL, detach), (0, close)].into_iter().enumerate() {
            let number = hub.devices.send("dev1", text("x"));
            let mut client = receiver(&hub, ReceiverSettleMode::First).await;
            client.grant(2, 0, 1).await;
            let first = transfer(&mut client).await.0.delivery_id.unwrap();
            let disposition = Disposition {
                role: Role::Receiver,
                first,
                last: None,
                settled: true,
                state: Some(DeliveryState::Accepted),
                batchable: false,
            };
            // In one write, so that the hub reads it at once.
            let mut out = bytes::BytesMut::new();
            for (channel, frame) in
                [(CHANNEL, Performative::Disposition(disposition)), (channel, ending)]
            {
                put_frame(&mut out, FrameKind::Amqp, channel, |out| frame.encode(out));
            }
            client.raw(&out).await;
            hub.devices.until("dev1", |dev1| dev1.settled.len() == n + 1).await;
            let settled = hub.devices.with("dev1", |dev1| dev1.settled.last().copied());
            assert_eq!(settled, Some((number, Settlement::Complete)));
        }
    });
}

#[test]
fn settling_a_lost_lock_is_told_to_those_who_wait_for_it() {
    run(|| async {
        let hub = Hub::new(|_| {});
        hub.devices.send("dev1", text("x"));
        let mut client = receiver(&hub, ReceiverSettleMode::Second).await;
        client.grant(2, 0, 1).await;
        let delivery = transfer(&mut client).await.0.delivery_id.unwrap();
        hub.devices.lapse("dev1");
        tell(&mut client, delivery, false, Some(DeliveryState::Accepted)).await;
        let DeliveryState::Rejected(Some(error)) = confirmed(&mut client, delivery).await else {
            panic!("rejected");
        };
        assert_eq!(error.condition, "com.microsoft:message-lock-lost");
        // Nothing happens to deliveries that never were.
        tell(&mut client, 999, false, Some(DeliveryState::Accepted)).await;
        assert_eq!(client.put_own("devices/dev1").await, 200);
    });
}

#[test]
fn without_its_link_a_message_returns_to_the_queue() {
    run(|| async {
        let hub = Hub::new(|_| {});
        hub.devices.send("dev1", text("x"));
        let mut client = receiver(&hub, ReceiverSettleMode::First).await;
        client.attached(3, Role::Sender, "/devices/dev1/messages/events").await;
        client.grant(2, 0, 5).await;
        let first = transfer(&mut client).await.0.delivery_tag;
        let detach =
            ironhub_wire::amqp::performative::Detach { handle: 2, closed: true, error: None };
        client.write(CHANNEL, Performative::Detach(detach), b"").await;
        hub.devices.until("dev1", |dev1| dev1.queue.len() == 1 && !dev1.features.c2d).await;
        assert_eq!(hub.devices.with("dev1", |dev1| dev1.credit), 0);
        client.attached(4, Role::Receiver, C2D).await;
        client.grant(4, 0, 5).await;
        let (again, message) = transfer(&mut client).await;
        assert_eq!(&message.body().bytes().unwrap()[..], b"x");
        assert_ne!(again.delivery_tag, first, "every delivery has its own lock");
    });
}

#[test]
fn a_link_that_wants_messages_settled_completes_them_when_they_are_sent() {
    run(|| async {
        let hub = Hub::new(|_| {});
        let number = hub.devices.send("dev1", text("x"));
        let mut client = hub.connect_device().await;
        let (settled, first) = (SenderSettleMode::Settled, ReceiverSettleMode::First);
        client.attach_with(modes(2, Role::Receiver, C2D, settled, first)).await;
        client.answer_to_attach(2).await;
        client.grant(2, 0, 1).await;
        assert_eq!(transfer(&mut client).await.0.settled, Some(true));
        let done = (number, Settlement::Complete);
        hub.devices.until("dev1", |dev1| dev1.settled == [done]).await;
    });
}

#[test]
fn a_second_link_takes_the_place_of_the_first() {
    run(|| async {
        let hub = Hub::new(|_| {});
        let mut client = receiver(&hub, ReceiverSettleMode::First).await;
        client.attach(3, Role::Receiver, C2D).await;
        assert_eq!(client.fault().await, ("detach", "amqp:link:stolen".to_owned()));
        client.answer_to_attach(3).await;
        client.grant(3, 0, 1).await;
        hub.devices.send("dev1", text("x"));
        let wanted = |p: &Performative| matches!(p, Performative::Transfer(t) if t.handle == 3);
        client.expect(wanted).await;
    });
}

#[test]
fn large_messages_respect_the_frames_of_the_peer() {
    run(|| async {
        let hub = Hub::new(|_| {});
        let body = "x".repeat(60_000);
        hub.devices.send("dev1", text(&body));
        let mut client = Client::new(hub.stream(1 << 20));
        client.open_with_frames(4_096).await;
        client.open_cbs().await;
        assert_eq!(client.put_own("devices/dev1").await, 200);
        client.attached(2, Role::Receiver, C2D).await;
        client.grant(2, 0, 1).await;
        let mut message = Vec::new();
        loop {
            let (found, payload) = client.read().await;
            assert!(payload.len() < 4_096);
            let Performative::Transfer(transfer) = found else { continue };
            message.extend_from_slice(&payload);
            if !transfer.more {
                break;
            }
        }
        let message = Message::split(&message.into()).unwrap();
        assert_eq!(&message.body().bytes().unwrap()[..], body.as_bytes());
    });
}
