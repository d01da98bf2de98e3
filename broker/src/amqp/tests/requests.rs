use bytes::Bytes;
use ironhub_wire::amqp::performative::Performative;
use ironhub_wire::amqp::{DeliveryState, Map, MessageId, Role, Value};

use super::client::{Client, Keys, status};
use super::hub::{HOST, Hub, run};

const EVENT_HUB: (&str, &str) = ("type", "com.microsoft:eventhub");
const PARTITION: (&str, &str) = ("type", "com.microsoft:partition");
const READ: (&str, &str) = ("operation", "READ");
const NAME: (&str, &str) = ("name", "hub1");

async fn managed(hub: &Hub) -> Client {
    let mut client = hub.connect_owner().await;
    client.attach(2, Role::Sender, "$management").await;
    client.attach(3, Role::Receiver, "$management").await;
    client.grant(3, 0, 100).await;
    client
}

fn check(keys: Keys<'static>, expected: i64) -> Option<Map> {
    let mut body = None;
    run(|| async {
        let hub = Hub::new(|_| {});
        hub.events.push(1, b"x");
        hub.events.push(1, b"y");
        let mut client = managed(&hub).await;
        client.request(2, MessageId::String("q".into()), keys, &Value::Null).await;
        let answer = client.message(3).await;
        assert_eq!(status(&answer), expected, "{keys:?}");
        if let Ok(Value::Map(map)) = answer.body().value() {
            body = Some(map);
        }
    });
    body
}

#[test]
fn the_event_hub_tells_its_partitions() {
    for name in ["hub1", "HUB1", "messages/events", "/messages/events"] {
        let keys = vec![READ, EVENT_HUB, ("name", name)].leak();
        let map = check(keys, 200).expect("a map");
        assert!(map.0.iter().all(|(key, _)| matches!(key, Value::String(_))));
        assert_eq!(map.text("name"), Some("hub1"));
        assert_eq!(map.get("created_at"), Some(&Value::Timestamp(5)));
        assert_eq!(map.get("partition_count"), Some(&Value::Int(2)));
        let Some(Value::Array(ids)) = map.get("partition_ids") else { panic!("an array") };
        assert_eq!(ids.values(), [Value::string("0"), Value::string("1")]);
    }
}

#[test]
fn a_partition_tells_its_ends() {
    let map = check(&[READ, PARTITION, NAME, ("partition", "1")], 200).expect("a map");
    for (key, value) in [
        ("partition", Value::string("1")),
        ("begin_sequence_number", Value::Long(0)),
        ("last_enqueued_sequence_number", Value::Long(1)),
        ("last_enqueued_offset", Value::string("10")),
        ("last_enqueued_time_utc", Value::Timestamp(1001)),
        ("is_partition_empty", Value::Bool(false)),
    ] {
        assert_eq!(map.get(key), Some(&value), "{key}");
    }
    let map = check(&[READ, PARTITION, NAME, ("partition", "0")], 200).expect("a map");
    assert_eq!(map.get("last_enqueued_sequence_number"), Some(&Value::Long(-1)));
    assert_eq!(map.get("last_enqueued_offset"), Some(&Value::string("-1")));
    assert_eq!(map.get("is_partition_empty"), Some(&Value::Bool(true)));
}

#[test]
fn bad_questions_get_their_status() {
    check(&[READ, PARTITION, NAME, ("partition", "2")], 404);
    check(&[READ, PARTITION, NAME, ("partition", "01")], 404);
    check(&[READ, PARTITION, NAME], 404);
    check(&[READ, EVENT_HUB, ("name", "elsewhere")], 404);
    check(&[READ, ("type", "com.microsoft:queue"), NAME], 400);
    check(&[("operation", "DELETE"), EVENT_HUB, NAME], 400);
    check(&[], 400);
}

#[test]
fn ids_come_back_with_their_type_and_requests_are_settled_first() {
    run(|| async {
        let hub = Hub::new(|_| {});
        let mut client = managed(&hub).await;
        for id in [
            MessageId::Ulong(0),
            MessageId::Uuid([7; 16]),
            MessageId::String("s".into()),
            MessageId::Binary(Bytes::from_static(b"b")),
        ] {
            let keys = &[READ, EVENT_HUB, NAME];
            let delivery = client.request(2, id.clone(), keys, &Value::Null).await;
            let (first, _) = client
                .expect(|p| matches!(p, Performative::Disposition(_) | Performative::Transfer(_)))
                .await;
            let Performative::Disposition(told) = first else { panic!("the outcome comes first") };
            assert_eq!((told.first, told.settled), (delivery, true));
            assert_eq!(told.state, Some(DeliveryState::Accepted));
            let answer = client.message(3).await;
            assert_eq!(answer.properties().expect("properties").correlation_id, Some(id));
        }
    });
}

#[test]
fn answers_wait_for_credit() {
    run(|| async {
        let hub = Hub::new(|_| {});
        let mut client = hub.connect_owner().await;
        client.attach(2, Role::Sender, "$management").await;
        client.attach(3, Role::Receiver, "$management").await;
        for n in 0..3 {
            client.request(2, MessageId::Ulong(n), &[READ, EVENT_HUB, NAME], &Value::Null).await;
        }
        // Other links are served meanwhile.
        assert_eq!(client.put_token(HOST, "service", 60).await, 200);
        client.grant(3, 0, 3).await;
        for n in 0..3 {
            let answer = client.message(3).await;
            let id = answer.properties().expect("properties").correlation_id;
            assert_eq!(id, Some(MessageId::Ulong(n)));
        }
    });
}

#[test]
fn a_client_that_asks_and_never_takes_answers_is_closed() {
    run(|| async {
        let hub = Hub::new(|_| {});
        let mut client = hub.connect_owner().await;
        client.attach(2, Role::Sender, "$management").await;
        client.attach(3, Role::Receiver, "$management").await;
        for n in 0..150 {
            client.request(2, MessageId::Ulong(n), &[READ, EVENT_HUB, NAME], &Value::Null).await;
        }
        let closed = ("close", "amqp:resource-limit-exceeded".to_owned());
        assert_eq!(client.fault().await, closed);
    });
}

#[test]
fn a_message_that_is_none_is_rejected_and_the_link_lives() {
    run(|| async {
        let hub = Hub::new(|_| {});
        let mut client = managed(&hub).await;
        client.transfer(2, b"\x00\x53\x99\x40").await;
        let (told, _) = client.expect(|p| matches!(p, Performative::Disposition(_))).await;
        let Performative::Disposition(told) = told else { panic!("a disposition") };
        assert!(matches!(told.state, Some(DeliveryState::Rejected(Some(_)))), "{told:?}");
        client.request(2, MessageId::Ulong(1), &[READ, EVENT_HUB, NAME], &Value::Null).await;
        assert_eq!(status(&client.message(3).await), 200);
    });
}
