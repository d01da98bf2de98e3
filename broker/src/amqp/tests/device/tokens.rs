//! `$cbs` for devices (device-protocols.md 3.3).

use std::time::Duration;

use ironhub_wire::amqp::performative::Performative;
use ironhub_wire::amqp::{MessageId, Role, Value};

use super::{FAR, own_token};
use crate::amqp::session::wall_clock;
use crate::amqp::tests::client::status;
use crate::amqp::tests::hub::{HOST, Hub, KEY, run};
use crate::client::sas::{KeyForm, token};

const EVENTS: &str = "/devices/dev1/messages/events";

/// The status of a put-token, and whether telemetry of `path` may then be sent.
fn check(audience: &str, token: String, path: &str, expected: i64) {
    run(|| async {
        let hub = Hub::new(|_| {});
        let mut client = hub.connect().await;
        client.open_cbs().await;
        assert_eq!(client.put(audience, token.clone()).await, expected, "{audience}");
        let address = format!("/{path}/messages/events");
        client.attach(2, Role::Sender, &address).await;
        if expected == 200 {
            client.answer_to_attach(2).await;
        } else {
            let refused = ("detach", "amqp:unauthorized-access".to_owned());
            assert_eq!(client.fault().await, refused, "{audience}");
        }
    });
}

fn policy(resource: &str, name: &str) -> String {
    token(resource, name, KEY, KeyForm::Decoded, FAR).unwrap()
}

#[test]
fn every_spelling_of_an_audience_is_taken() {
    let own = || own_token("devices/dev1", FAR);
    for audience in [
        format!("{HOST}/devices/dev1"),
        format!("{HOST}%2Fdevices%2Fdev1"),
        format!("{HOST}%2fdevices%2fdev1"),
        format!("amqps://{HOST}:5671/devices/dev1"),
        HOST.to_owned(),
    ] {
        check(&audience, own(), "devices/dev1", 200);
    }
    let module = "devices/dev1/modules/mod1";
    check(&format!("{HOST}/{module}"), own_token(module, FAR), module, 200);
    check(HOST, policy(HOST, "device"), "devices/dev1", 200);
    check(HOST, policy(HOST, "iothubowner"), module, 200);
    check(&format!("{HOST}/devices/dev1"), policy(HOST, "device"), "devices/dev1", 200);
    let narrow = format!("{HOST}/devices/dev1");
    check(&narrow, policy(&narrow, "device"), "devices/dev1", 200);
}

#[test]
fn a_modules_token_put_for_its_device_is_good_for_the_module_alone() {
    run(|| async {
        let hub = Hub::new(|_| {});
        let mut client = hub.connect().await;
        client.open_cbs().await;
        let token = own_token("devices/dev1/modules/mod1", FAR);
        assert_eq!(client.put(&format!("{HOST}/devices/dev1"), token).await, 200);
        client.attach(2, Role::Sender, EVENTS).await;
        let refused = ("detach", "amqp:unauthorized-access".to_owned());
        assert_eq!(client.fault().await, refused);
        client.attach(3, Role::Sender, "/devices/dev1/modules/mod1/messages/events").await;
        client.answer_to_attach(3).await;
    });
}

#[test]
fn what_is_not_good_for_the_device_is_refused() {
    let own = |path: &str| own_token(path, FAR);
    let audience = |path: &str| format!("{HOST}/{path}");
    let dev1 = "devices/dev1";
    check(&audience(dev1), own("devices/dev2"), dev1, 401);
    check(&audience(dev1), own_token(dev1, 1_000_000_000), dev1, 401);
    check(&audience("devices/nobody"), own("devices/nobody"), "devices/nobody", 401);
    check(&audience("devices/off"), own("devices/off"), "devices/off", 401);
    check(&audience("devices/dev1/modules/none"), own("devices/dev1/modules/none"), dev1, 401);
    check("other.example.test/devices/dev1", own(dev1), dev1, 404);
    check(&audience(dev1), "garbage".to_owned(), dev1, 401);
    let other_key = "YW5vdGhlcmFub3RoZXJhbm90aGVyYW5vdGhlcg==";
    let forged = token(&audience(dev1), "", other_key, KeyForm::Decoded, FAR).unwrap();
    check(&audience(dev1), forged, dev1, 401);
}

#[test]
fn malformed_requests_are_answered_with_400() {
    run(|| async {
        let hub = Hub::new(|_| {});
        let mut client = hub.connect_device().await;
        let body = Value::String(own_token("devices/dev1", FAR).into());
        let (kind, name) = (("type", "servicebus.windows.net:sastoken"), ("name", "x"));
        for (keys, body) in [
            (vec![kind, name], &body),
            (vec![("operation", "delete-token"), kind, name], &body),
            (vec![("operation", "put-token"), kind], &body),
            (vec![("operation", "put-token"), kind, name], &Value::Int(5)),
            (vec![("operation", "put-token"), kind, name], &Value::Null),
        ] {
            client.request(0, MessageId::Ulong(1), &keys, body).await;
            assert_eq!(status(&client.message(1).await), 400, "{keys:?}");
        }
        assert_eq!(client.put_own("devices/dev1").await, 200);
    });
}

#[test]
fn answers_keep_the_order_of_requests_and_the_type_of_their_ids() {
    run(|| async {
        let hub = Hub::new(|_| {});
        let mut client = hub.connect().await;
        client.open_cbs().await;
        let kind = "servicebus.windows.net:sastoken";
        let ids = [
            MessageId::Ulong(0),
            MessageId::Uuid([9; 16]),
            MessageId::String("cbs".into()),
            MessageId::Ulong(1),
        ];
        for (id, name) in ids.iter().zip(["devices/dev1", "", "devices/dev2", "devices/none"]) {
            let token = match name {
                "" => policy(HOST, "device"),
                name => own_token(name, FAR),
            };
            let name = format!("{HOST}/{name}");
            let keys = &[("operation", "put-token"), ("type", kind), ("name", name.as_str())];
            client.request(0, id.clone(), keys, &Value::String(token.into())).await;
        }
        for (id, expected) in ids.into_iter().zip([200, 200, 200, 401]) {
            let answer = client.message(1).await;
            assert_eq!(answer.properties().unwrap().correlation_id, Some(id));
            assert_eq!(status(&answer), expected);
        }
    });
}

#[test]
fn a_renewal_keeps_links_and_tells_the_owner() {
    run(|| async {
        let hub = Hub::new(|options| options.token_grace = Duration::ZERO);
        let mut client = hub.connect().await;
        client.open_cbs().await;
        let soon = |seconds| own_token("devices/dev1", wall_clock().0 / 1000 + seconds);
        let audience = format!("{HOST}/devices/dev1");
        assert_eq!(client.put(&audience, soon(2)).await, 200);
        client.attached(2, Role::Sender, EVENTS).await;
        assert_eq!(client.put(&audience, soon(3600)).await, 200);
        hub.devices.until("dev1", |dev1| dev1.renewals == 1).await;
        tokio::time::sleep(Duration::from_millis(2500)).await;
        // The old token has ended, the link lives.
        client.transfer(2, b"").await;
        client.expect(|p| matches!(p, Performative::Disposition(_))).await;
    });
}

#[test]
fn an_expired_token_takes_its_own_links_only() {
    run(|| async {
        let hub = Hub::new(|options| options.token_grace = Duration::ZERO);
        let mut client = hub.connect().await;
        client.open_cbs().await;
        let soon = own_token("devices/dev2", wall_clock().0 / 1000 + 2);
        assert_eq!(client.put_own("devices/dev1").await, 200);
        assert_eq!(client.put(&format!("{HOST}/devices/dev2"), soon).await, 200);
        client.attached(2, Role::Sender, EVENTS).await;
        client.attached(3, Role::Sender, "/devices/dev2/messages/events").await;
        assert_eq!(client.fault().await, ("detach", "amqp:unauthorized-access".to_owned()));
        hub.devices.until("dev2", |dev2| dev2.sink.is_none()).await;
        client.transfer(2, b"").await;
        client.expect(|p| matches!(p, Performative::Disposition(_))).await;
    });
}

#[test]
fn a_failed_put_token_disturbs_nobody() {
    run(|| async {
        let hub = Hub::new(|_| {});
        let mut client = hub.connect_device().await;
        client.attached(2, Role::Sender, EVENTS).await;
        assert_eq!(client.put(&format!("{HOST}/devices/dev1"), "garbage".into()).await, 401);
        assert_eq!(client.put_own("devices/dev2").await, 200);
        let expired = own_token("devices/dev2", 1_000_000_000);
        assert_eq!(client.put(&format!("{HOST}/devices/dev2"), expired).await, 401);
        client.attached(3, Role::Sender, "/devices/dev2/messages/events").await;
        client.transfer(2, b"").await;
        client.expect(|p| matches!(p, Performative::Disposition(_))).await;
    });
}

#[test]
fn the_tokens_of_a_connection_are_bounded() {
    run(|| async {
        let hub = Hub::new(|_| {});
        let mut client = hub.connect().await;
        client.open_cbs().await;
        client.grant(1, 0, 10_000).await;
        for n in 0..crate::amqp::grants::GRANTS_MAX {
            assert_eq!(client.put_own(&format!("devices/dev{n}")).await, 200);
        }
        assert_eq!(client.put_own("devices/dev999999").await, 403);
        // Renewal needs no room.
        assert_eq!(client.put_own("devices/dev7").await, 200);
    });
}
