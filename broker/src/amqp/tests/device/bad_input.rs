//! Violations end what they break, and nothing else.

use bytes::Bytes;
use ironhub_wire::amqp::performative::{Detach, Performative, Transfer};
use ironhub_wire::amqp::{DeliveryState, Role};

use crate::amqp::tests::client::{CHANNEL, Client};
use crate::amqp::tests::hub::{Hub, run};

const EVENTS: &str = "/devices/dev1/messages/events";

/// A neighbour on the same connection still gets its messages stored.
async fn neighbour_lives(client: &mut Client) {
    let delivery = client.transfer_of(9, 0, false, b"").await;
    let wanted = |p: &Performative| {
        matches!(p, Performative::Disposition(d)
            if d.last == Some(delivery) && d.state == Some(DeliveryState::Accepted))
    };
    client.expect(wanted).await;
}

async fn with_neighbour(hub: &Hub) -> Client {
    let mut client = hub.connect_device().await;
    assert_eq!(client.put_own("devices/dev2").await, 200);
    client.attached(9, Role::Sender, "/devices/dev2/messages/events").await;
    client.attached(2, Role::Sender, EVENTS).await;
    client
}

#[test]
fn transfers_beyond_credit_or_size_cost_their_link() {
    run(|| async {
        let hub = Hub::new(|_| {});
        let mut client = with_neighbour(&hub).await;
        // Far larger than any message that could count as small enough.
        client.transfer(2, &vec![0; 1_000_000]).await;
        let large = ("detach", "amqp:link:message-size-exceeded".to_owned());
        assert_eq!(client.fault().await, large);
        neighbour_lives(&mut client).await;

        let mut client = with_neighbour(&hub).await;
        hub.devices.state(|state| state.telemetry = super::owners::Telemetry::Held);
        let mut out = bytes::BytesMut::new();
        for n in 0..1_001u32 {
            let transfer = Transfer { handle: 2, delivery_id: Some(n), ..Transfer::default() };
            let frame = Performative::Transfer(transfer);
            let kind = ironhub_wire::amqp::frame::FrameKind::Amqp;
            ironhub_wire::amqp::frame::put_frame(&mut out, kind, CHANNEL, |out| frame.encode(out));
        }
        client.raw(&out).await;
        let beyond = ("detach", "amqp:link:transfer-limit-exceeded".to_owned());
        assert_eq!(client.fault().await, beyond);
        hub.devices.state(|state| state.telemetry = super::owners::Telemetry::Stored);
        hub.devices.store_held("dev1");
        neighbour_lives(&mut client).await;
    });
}

#[test]
fn transfers_on_links_that_go_the_other_way_or_do_not_exist_cost_their_session() {
    run(|| async {
        let hub = Hub::new(|_| {});
        for (handle, expected) in [(3, "amqp:not-allowed"), (77, "amqp:session:unattached-handle")]
        {
            let mut client = hub.connect_device().await;
            client.attached(3, Role::Receiver, "/devices/dev1/messages/devicebound").await;
            client.transfer(handle, b"").await;
            assert_eq!(client.fault().await, ("end", expected.to_owned()));
            hub.devices.until("dev1", |dev1| dev1.sink.is_none()).await;
        }
    });
}

#[test]
fn a_client_may_give_up_while_the_owner_is_asked() {
    run(|| async {
        let hub = Hub::new(|_| {});
        let mut client = hub.connect_device().await;
        for handle in 2..20 {
            client.attach(handle, Role::Sender, EVENTS).await;
            let detach = Detach { handle, closed: true, error: None };
            client.write(CHANNEL, Performative::Detach(detach), b"").await;
        }
        assert_eq!(client.put_own("devices/dev1").await, 200);
        hub.devices.until("dev1", |dev1| dev1.sink.is_none()).await;
        client.attached(30, Role::Sender, EVENTS).await;
    });
}

#[test]
fn a_connection_that_breaks_ends_its_sessions() {
    run(|| async {
        let hub = Hub::new(|_| {});
        for garbage in [&[0xff; 8][..], &[0, 0, 0, 12, 2, 0, 0, 0, 0xde, 0xad, 0xbe, 0xef]] {
            let mut client = with_neighbour(&hub).await;
            client.raw(garbage).await;
            assert_eq!(client.fault().await.0, "close");
            for id in ["dev1", "dev2"] {
                hub.devices.until(id, |device| device.sink.is_none()).await;
            }
        }
        let client = with_neighbour(&hub).await;
        drop(client);
        hub.devices.until("dev1", |device| device.sink.is_none()).await;
    });
}

#[test]
fn nobody_without_a_token_costs_more_than_a_refusal() {
    run(|| async {
        let hub = Hub::new(|options| {
            options.handshake_timeout = std::time::Duration::from_millis(500);
        });
        let mut client = hub.connect().await;
        client.attach(2, Role::Sender, EVENTS).await;
        assert_eq!(client.fault().await, ("detach", "amqp:unauthorized-access".to_owned()));
        // What is sent on a refused link is dropped.
        let transfer = Transfer {
            handle: 2,
            delivery_id: Some(0),
            delivery_tag: Some(Bytes::from_static(b"t")),
            ..Transfer::default()
        };
        client.write(CHANNEL, Performative::Transfer(transfer), b"x").await;
        assert_eq!(client.fault().await, ("close", "amqp:unauthorized-access".to_owned()));
        assert_eq!(hub.devices.state(|state| state.connects), 0);
    });
}
