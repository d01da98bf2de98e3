//! Twin links (device-protocols.md 3.10).

use bytes::Bytes;
use ironhub_domain::twin::DesiredNotice;
use ironhub_wire::amqp::message::MessageBuilder;
use ironhub_wire::amqp::performative::{
    Detach, Performative, ReceiverSettleMode, SenderSettleMode,
};
use ironhub_wire::amqp::{DeliveryState, Message, MessageId, Properties, Role, Value};

use super::{modes, paired};
use crate::amqp::tests::client::{CHANNEL, Client};
use crate::amqp::tests::hub::{Hub, run};
use crate::router::request::Push;

const TWIN: &str = "/devices/dev1/twin";
const REPORTED: (&str, Value) = ("resource", Value::string("/properties/reported"));
const DESIRED: (&str, Value) =
    ("resource", Value::string("/notifications/twin/properties/desired"));

fn operation(name: &'static str) -> (&'static str, Value) {
    ("operation", Value::string(name))
}

fn request(id: Option<MessageId>, annotations: &[(&str, Value)], body: &[u8]) -> Bytes {
    let properties = Properties { correlation_id: id, ..Properties::default() };
    let builder = MessageBuilder::default().message_annotations(|map| {
        for (key, value) in annotations {
            map.symbol(key).value(value);
        }
    });
    builder.properties(&properties).data(body).finish()
}

/// Attaches a pair of twin links: `requests` and the next handle.
async fn attach_pair(client: &mut Client, requests: u32, pair: Option<&str>) {
    let (snd, rcv) = (SenderSettleMode::Settled, ReceiverSettleMode::First);
    for (handle, role) in [(requests, Role::Sender), (requests + 1, Role::Receiver)] {
        let attach = modes(handle, role, TWIN, snd, rcv);
        let attach = match pair {
            Some(id) => paired(attach, id),
            None => attach,
        };
        client.attach_with(attach).await;
        client.answer_to_attach(handle).await;
    }
    client.grant(requests + 1, 0, 100).await;
}

fn answer(message: &Message) -> (Value, Option<Value>, Vec<u8>) {
    let annotations = message.message_annotations().unwrap();
    let status = annotations.get("status").cloned().expect("a status");
    let version = annotations.get("version").cloned();
    (status, version, message.body().bytes().unwrap().to_vec())
}

/// One request and its answer, for every type of id that clients use.
fn check(
    annotations: &[(&str, Value)],
    body: &[u8],
    status: i32,
    version: Option<i64>,
    answered: impl Fn(&[u8]) -> bool,
) {
    run(|| async {
        let hub = Hub::new(|_| {});
        let mut client = hub.connect_device().await;
        attach_pair(&mut client, 2, Some("twin:1")).await;
        for id in [
            Some(MessageId::String("Get1".into())),
            Some(MessageId::Uuid([5; 16])),
            Some(MessageId::Ulong(5)),
            None,
        ] {
            client.transfer_of(2, 0, true, &request(id.clone(), annotations, body)).await;
            let message = client.message(3).await;
            assert_eq!(message.properties().unwrap().correlation_id, id);
            let (got, _, body) = answer(&message);
            assert_eq!(got, Value::Int(status), "{annotations:?}");
            assert!(answered(&body), "{annotations:?}: {}", String::from_utf8_lossy(&body));
        }
        if let Some(first) = version {
            let versions = hub.devices.with("dev1", |dev1| dev1.patches.len() as i64);
            assert_eq!(versions, first + 3);
        }
    });
}

#[test]
fn every_operation_is_answered() {
    let empty = |body: &[u8]| body.is_empty();
    let twin = |body: &[u8]| body.starts_with(br#"{"desired":{"$version":3}"#);
    for body in [b"".as_slice(), b" "] {
        check(&[operation("GET")], body, 200, None, twin);
        check(&[operation("PUT"), DESIRED], body, 200, None, empty);
        check(&[operation("DELETE"), DESIRED], body, 200, None, empty);
    }
    check(&[operation("PATCH"), REPORTED], b"{}", 204, Some(1), empty);
    let null = ("version", Value::Null);
    check(&[operation("PATCH"), REPORTED, null], b"{}", 204, Some(1), empty);
}

#[test]
fn what_fails_is_answered_with_json() {
    let code = |number: u64| {
        move |body: &[u8]| {
            let body: serde_json::Value = serde_json::from_slice(body).expect("JSON");
            body["errorCode"] == number && body["message"].is_string()
        }
    };
    check(&[operation("POST"), REPORTED], b"{}", 400, None, code(400_004));
    check(&[], b"{}", 400, None, code(400_004));
    check(&[operation("PATCH"), REPORTED], b"[]", 400, None, code(400_004));
    let bad = ("version", Value::string("x"));
    check(&[operation("PATCH"), REPORTED, bad], b"{}", 400, None, code(400_004));
    let stale = ("version", Value::Int(99));
    check(&[operation("PATCH"), REPORTED, stale], b"{}", 412, None, code(412_001));
}

#[test]
fn unsettled_requests_are_accepted_before_they_are_answered() {
    run(|| async {
        let hub = Hub::new(|_| {});
        let mut client = hub.connect_device().await;
        attach_pair(&mut client, 2, None).await;
        let delivery = client.transfer(2, &request(None, &[operation("GET")], b"")).await;
        let either = |p: &Performative| {
            matches!(p, Performative::Disposition(_) | Performative::Transfer(_))
        };
        let (first, _) = client.expect(either).await;
        assert!(matches!(first, Performative::Disposition(d)
            if d.first == delivery && d.settled && d.state == Some(DeliveryState::Accepted)));
        let (second, payload) = client.expect(either).await;
        assert!(matches!(second, Performative::Transfer(t) if t.settled == Some(true)));
        assert_eq!(answer(&Message::split(&payload).unwrap()).0, Value::Int(200));
    });
}

fn notice(version: u64) -> Push {
    let body = format!("{{\"$version\":{version}}}").into();
    Push::Desired(DesiredNotice { version, body })
}

#[test]
fn changes_of_desired_properties_come_only_between_put_and_delete() {
    run(|| async {
        let hub = Hub::new(|_| {});
        let mut client = hub.connect_device().await;
        attach_pair(&mut client, 2, Some("twin:1")).await;
        assert!(!hub.devices.with("dev1", |dev1| dev1.features.desired));
        client.transfer_of(2, 0, true, &request(None, &[operation("PUT"), DESIRED], b"")).await;
        client.message(3).await;
        hub.devices.until("dev1", |dev1| dev1.features.desired).await;
        (4..7).for_each(|version| assert!(hub.devices.push("dev1", notice(version))));
        for version in 4..7 {
            let message = client.message(3).await;
            assert_eq!(message.properties().unwrap().correlation_id, None);
            let annotations = message.message_annotations().unwrap();
            assert_eq!(annotations.text("resource"), Some("/properties/desired"));
            assert_eq!(annotations.get("version"), Some(&Value::Long(version)));
        }
        hub.devices.until("dev1", |dev1| dev1.seen.last() == Some(&6)).await;
        client.transfer_of(2, 0, true, &request(None, &[operation("DELETE"), DESIRED], b"")).await;
        client.message(3).await;
        hub.devices.until("dev1", |dev1| !dev1.features.desired).await;
        hub.devices.push("dev1", notice(7));
        client.transfer_of(2, 0, true, &request(None, &[operation("GET")], b"")).await;
        assert_eq!(answer(&client.message(3).await).0, Value::Int(200), "no notice before it");
    });
}

#[test]
fn notices_wait_for_credit_in_order() {
    run(|| async {
        let hub = Hub::new(|_| {});
        let mut client = hub.connect_device().await;
        attach_pair(&mut client, 2, None).await;
        client.transfer_of(2, 0, true, &request(None, &[operation("PUT"), DESIRED], b"")).await;
        client.message(3).await;
        hub.devices.until("dev1", |dev1| dev1.features.desired).await;
        client.grant(3, 1, 0).await;
        assert_eq!(client.put_own("devices/dev1").await, 200);
        (1..=3).for_each(|version| assert!(hub.devices.push("dev1", notice(version))));
        assert_eq!(client.put_own("devices/dev1").await, 200);
        client.grant(3, 1, 10).await;
        for version in 1..=3 {
            let annotations = client.message(3).await.message_annotations().unwrap();
            assert_eq!(annotations.get("version"), Some(&Value::Long(version)));
        }
    });
}

#[test]
fn pairs_answer_each_their_own_requests_and_end_with_their_links() {
    run(|| async {
        let hub = Hub::new(|_| {});
        let mut client = hub.connect_device().await;
        attach_pair(&mut client, 2, Some("twin:a")).await;
        attach_pair(&mut client, 4, Some("twin:b")).await;
        for requests in [4, 2] {
            let put = request(None, &[operation("PUT"), DESIRED], b"");
            client.transfer_of(requests, 0, true, &put).await;
            let (found, _) = client.expect(|p| matches!(p, Performative::Transfer(_))).await;
            assert!(matches!(found, Performative::Transfer(t) if t.handle == requests + 1));
        }
        for (handle, desired) in [(5, true), (3, false)] {
            let detach = Detach { handle, closed: true, error: None };
            client.write(CHANNEL, Performative::Detach(detach), b"").await;
            client.expect(|p| matches!(p, Performative::Detach(d) if d.handle == handle)).await;
            hub.devices.until("dev1", |dev1| dev1.features.desired == desired).await;
        }
    });
}
