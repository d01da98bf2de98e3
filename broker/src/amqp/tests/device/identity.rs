//! Who may attach where, and what ends an identity's links (device-protocols.md 3.4, 3.5, 3.12).

use ironhub_wire::amqp::performative::{Detach, End, Performative};
use ironhub_wire::amqp::{Attach, Map, Role, Value};

use super::modes;
use crate::amqp::tests::client::{CHANNEL, Client};
use crate::amqp::tests::hub::{HOST, Hub, run};
use crate::router::request::CloseReason;

/// What becomes of a link that a client with the tokens of `dev1` and of its module `mod1` asks for.
fn check(role: Role, address: &str, expected: Option<&str>) {
    run(|| async {
        let hub = Hub::new(|_| {});
        let mut client = hub.connect_device().await;
        assert_eq!(client.put_own("devices/dev1/modules/mod1").await, 200);
        client.attach(2, role, address).await;
        match expected {
            None => drop(client.answer_to_attach(2).await),
            Some(condition) => {
                assert_eq!(client.fault().await, ("detach", condition.to_owned()), "{address}");
                // Nobody is connected for it.
                assert_eq!(hub.devices.state(|state| state.connects), 0);
            }
        }
    });
}

#[test]
fn links_are_granted_by_address_and_direction() {
    use Role::{Receiver, Sender};
    for address in [
        "/devices/dev1/messages/events".to_owned(),
        "devices/dev1/messages/events/".to_owned(),
        format!("amqps://{HOST}/devices/dev1/messages/events"),
        format!("amqps://{HOST}:5671/Devices/d%65v1/Messages/Events?x=y"),
    ] {
        check(Sender, &address, None);
    }
    check(Receiver, "/devices/dev1/messages/deviceBound", None);
    for role in [Sender, Receiver] {
        check(role, "/devices/dev1/methods/devicebound", None);
        check(role, "/devices/dev1/twin", None);
        check(role, "/devices/dev1/modules/mod1/twin", None);
        // Telemetry one way, inputs the other.
        check(role, "/devices/dev1/modules/mod1/messages/events", None);
    }
    check(Receiver, "/devices/dev1/modules/mod1/messages/devicebound", None);
    let not_allowed = Some("amqp:not-allowed");
    check(Receiver, "/devices/dev1/messages/events", not_allowed);
    check(Sender, "/devices/dev1/messages/devicebound", not_allowed);
    let unauthorized = Some("amqp:unauthorized-access");
    check(Sender, "/devices/dev2/messages/events", unauthorized);
    check(Sender, "/devices/dev1/modules/mod2/messages/events", unauthorized);
    check(Sender, "/devices/DEV1/messages/events", unauthorized);
    let not_found = Some("amqp:not-found");
    check(Sender, "/devices/dev1/messages", not_found);
    check(Sender, "/devices/dev1/nowhere", not_found);
}

#[test]
fn a_policy_reaches_every_device_that_exists() {
    run(|| async {
        let hub = Hub::new(|_| {});
        let mut client = hub.connect().await;
        client.open_cbs().await;
        assert_eq!(client.put_token(HOST, "device", 3600).await, 200);
        client.attached(2, Role::Sender, "/devices/dev1/messages/events").await;
        client.attached(3, Role::Sender, "/devices/dev2/modules/mod1/messages/events").await;
        for (handle, address, expected) in [
            (4, "/devices/nobody/twin", "amqp:not-found"),
            (5, "/devices/dev1/modules/none/twin", "amqp:not-found"),
            (6, "/devices/off/twin", "amqp:unauthorized-access"),
        ] {
            client.attach(handle, Role::Sender, address).await;
            assert_eq!(client.fault().await, ("detach", expected.to_owned()), "{address}");
        }
    });
}

#[test]
fn a_policy_without_device_connect_and_a_narrow_token_reach_no_device() {
    run(|| async {
        let hub = Hub::new(|_| {});
        let other = format!("{HOST}/devices/dev2");
        for (resource, policy) in [(HOST, "service"), (other.as_str(), "device")] {
            let mut client = hub.connect().await;
            client.open_cbs().await;
            assert_eq!(client.put_token(resource, policy, 3600).await, 200);
            client.attach(2, Role::Sender, "/devices/dev1/messages/events").await;
            let refused = ("detach", "amqp:unauthorized-access".to_owned());
            assert_eq!(client.fault().await, refused, "{policy}");
        }
    });
}

#[test]
fn without_an_identity_only_cbs_is_open() {
    run(|| async {
        let hub = Hub::new(|_| {});
        let mut client = hub.connect().await;
        for (handle, address) in
            (2..).zip(["/devices/dev1/messages/events", "/devices/nobody/twin", "/devices/dev1/x"])
        {
            client.attach(handle, Role::Sender, address).await;
            let refused = ("detach", "amqp:unauthorized-access".to_owned());
            assert_eq!(client.fault().await, refused, "{address}");
        }
        client.open_cbs().await;
        assert_eq!(client.put_own("devices/dev1").await, 200);
    });
}

#[test]
fn an_identity_is_connected_from_its_first_link_to_its_last() {
    run(|| async {
        let hub = Hub::new(|_| {});
        let mut client = hub.connect_device().await;
        let model = Map::default().with("com.microsoft:model-id", Value::string("dtmi:x;1"));
        let (snd, rcv) = (
            ironhub_wire::amqp::performative::SenderSettleMode::Mixed,
            ironhub_wire::amqp::performative::ReceiverSettleMode::First,
        );
        let attach = modes(2, Role::Sender, "/devices/dev1/messages/events", snd, rcv);
        client.attach_with(Attach { properties: Some(model), ..attach }).await;
        client.answer_to_attach(2).await;
        client.attached(3, Role::Receiver, "/devices/dev1/messages/devicebound").await;
        let (live, model) = hub.devices.with("dev1", |d| (d.sink.is_some(), d.model_id.clone()));
        assert_eq!((live, model.as_deref()), (true, Some("dtmi:x;1")));
        assert_eq!(hub.devices.state(|state| state.connects), 1);
        detach(&mut client, 2).await;
        detach(&mut client, 3).await;
        hub.devices.until("dev1", |dev1| dev1.sink.is_none()).await;
        client.attached(4, Role::Sender, "/devices/dev1/messages/events").await;
        assert_eq!(hub.devices.state(|state| state.connects), 2);
        // The session's end is the end of its links.
        client.write(CHANNEL, Performative::End(End::default()), b"").await;
        hub.devices.until("dev1", |dev1| dev1.sink.is_none()).await;
    });
}

async fn detach(client: &mut Client, handle: u32) {
    let detach = Detach { handle, closed: true, error: None };
    client.write(CHANNEL, Performative::Detach(detach), b"").await;
    client.expect(|p| matches!(p, Performative::Detach(d) if d.handle == handle)).await;
}

#[test]
fn a_newer_connection_takes_over() {
    run(|| async {
        let hub = Hub::new(|_| {});
        let events = "/devices/dev1/messages/events";
        let mut alone = hub.connect_device().await;
        alone.attached(2, Role::Sender, events).await;
        let mut shared = hub.connect_device().await;
        assert_eq!(shared.put_own("devices/dev2").await, 200);
        shared.attached(2, Role::Sender, "/devices/dev2/messages/events").await;
        shared.attached(3, Role::Sender, events).await;
        // A connection that was its alone ends.
        assert_eq!(alone.fault().await, ("detach", "amqp:link:stolen".to_owned()));
        assert_eq!(alone.fault().await, ("close", "amqp:link:stolen".to_owned()));
        // One that it shares goes on.
        let mut newest = hub.connect_device().await;
        newest.attached(2, Role::Sender, events).await;
        assert_eq!(shared.fault().await, ("detach", "amqp:link:stolen".to_owned()));
        shared.transfer(2, b"").await;
        shared.expect(|p| matches!(p, Performative::Disposition(_))).await;
        newest.transfer(2, b"").await;
        newest.expect(|p| matches!(p, Performative::Disposition(_))).await;
    });
}

#[test]
fn what_the_owner_closes_is_detached_with_the_reason() {
    run(|| async {
        let hub = Hub::new(|_| {});
        for (reason, expected) in [
            (CloseReason::Disabled, "amqp:unauthorized-access"),
            (CloseReason::Rekeyed, "amqp:unauthorized-access"),
            (CloseReason::Deleted, "amqp:not-found"),
        ] {
            let mut client = hub.connect_device().await;
            client.attached(2, Role::Sender, "/devices/dev1/messages/events").await;
            client.attached(3, Role::Receiver, "/devices/dev1/messages/devicebound").await;
            hub.devices.close("dev1", reason);
            for _ in 0..2 {
                assert_eq!(client.fault().await, ("detach", expected.to_owned()), "{reason:?}");
            }
        }
    });
}

#[test]
fn links_of_one_identity_are_bounded() {
    run(|| async {
        let hub = Hub::new(|_| {});
        let mut client = hub.connect_device().await;
        for handle in 2..18 {
            client.attached(handle, Role::Sender, "/devices/dev1/messages/events").await;
        }
        client.attach(18, Role::Sender, "/devices/dev1/messages/events").await;
        assert_eq!(client.fault().await, ("detach", "amqp:resource-limit-exceeded".to_owned()));
    });
}
