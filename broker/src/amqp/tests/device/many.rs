//! Many identities on one connection (device-protocols.md 3.4).

use bytes::BytesMut;
use ironhub_domain::c2d::C2dMessage;
use ironhub_wire::amqp::frame::{FrameKind, put_frame};
use ironhub_wire::amqp::performative::{Attach, Begin, Flow, Performative, Transfer};
use ironhub_wire::amqp::{Role, Source, Target, Text};

use crate::amqp::tests::client::Client;
use crate::amqp::tests::hub::{HOST, Hub, run};

const DEVICES: u16 = 900;

/// Writes a frame on a channel into a buffer.
fn put(out: &mut BytesMut, channel: u16, performative: Performative) {
    put_frame(out, FrameKind::Amqp, channel, |out| performative.encode(out));
}

/// A session of its own for each device, with links of the same names everywhere.
fn device(out: &mut BytesMut, channel: u16) {
    let begin = Begin { incoming_window: 1_000, outgoing_window: 1_000, ..Begin::default() };
    put(out, channel, Performative::Begin(Box::new(begin)));
    let links = [
        ("TelemetrySenderLink", Role::Sender, "messages/events"),
        ("TelemetryReceiverLink", Role::Receiver, "messages/devicebound"),
        ("MethodsSenderLink", Role::Sender, "methods/devicebound"),
        ("MethodsReceiverLink", Role::Receiver, "methods/devicebound"),
        ("TwinSenderLink", Role::Sender, "twin"),
        ("TwinReceiverLink", Role::Receiver, "twin"),
    ];
    for (handle, (name, role, node)) in (0..).zip(links) {
        let address = Some(Text::from(format!("/devices/dev{channel}/{node}")));
        let attach = Attach {
            name: Text::from_static(name),
            handle,
            role,
            source: Some(Source { address: address.clone(), ..Source::default() }),
            target: Some(Target { address, ..Target::default() }),
            ..Attach::default()
        };
        put(out, channel, Performative::Attach(Box::new(attach)));
    }
    let credit = Flow {
        next_incoming_id: Some(0),
        incoming_window: 1_000,
        outgoing_window: 1_000,
        handle: Some(1),
        delivery_count: Some(0),
        link_credit: Some(10),
        ..Flow::default()
    };
    put(out, channel, Performative::Flow(credit));
}

async fn all_attached(client: &mut Client) {
    for _ in 0..usize::from(DEVICES) * 6 {
        client.expect(|p| matches!(p, Performative::Attach(_))).await;
    }
}

#[test]
fn every_device_has_its_own_session_under_one_token() {
    run(|| async {
        let hub = Hub::new(|_| {});
        let mut client = Client::new(hub.stream(16 << 20));
        client.open().await;
        client.open_cbs().await;
        assert_eq!(client.put_token(HOST, "device", 3600).await, 200);
        let mut out = BytesMut::new();
        // Channel 1 has `$cbs`.
        (2..DEVICES + 2).for_each(|channel| device(&mut out, channel));
        client.raw(&out).await;
        all_attached(&mut client).await;
        assert_eq!(hub.devices.state(|state| state.connects), usize::from(DEVICES));

        // Telemetry of each is its own.
        let mut out = BytesMut::new();
        for channel in 2..DEVICES + 2 {
            let transfer = Transfer {
                handle: 0,
                delivery_id: Some(0),
                settled: Some(true),
                ..Transfer::default()
            };
            put(&mut out, channel, Performative::Transfer(transfer));
        }
        client.raw(&out).await;
        for channel in 2..DEVICES + 2 {
            hub.devices.until(&format!("dev{channel}"), |device| device.stored.len() == 1).await;
        }

        // A message wakes its own device: the answer comes on its channel.
        hub.devices.send("dev77", C2dMessage::default());
        hub.devices.with("dev77", |device| device.credit = device.credit.max(1));
        hub.devices.until("dev77", |device| device.features.c2d).await;
        // Whatever closes one leaves the others alone.
        hub.devices.close("dev5", crate::router::request::CloseReason::Disabled);
        for _ in 0..6 {
            assert_eq!(client.fault().await, ("detach", "amqp:unauthorized-access".to_owned()));
        }
        let live = |id: u16| hub.devices.with(&format!("dev{id}"), |device| device.sink.is_some());
        assert_eq!((2..DEVICES + 2).filter(|id| live(*id)).count(), usize::from(DEVICES) - 1);
    });
}

#[test]
fn one_session_may_carry_all_devices() {
    run(|| async {
        let hub = Hub::new(|_| {});
        let mut client = Client::new(hub.stream(1 << 20));
        client.open().await;
        client.open_cbs().await;
        for n in 1..=9 {
            assert_eq!(client.put_own(&format!("devices/dev{n}")).await, 200);
        }
        for n in 1..=9u32 {
            let address = format!("/devices/dev{n}/messages/events");
            client.attached(10 + n, Role::Sender, &address).await;
            client.transfer_of(10 + n, 0, true, b"").await;
        }
        for n in 1..=9 {
            hub.devices.until(&format!("dev{n}"), |device| device.stored.len() == 1).await;
        }
    });
}
