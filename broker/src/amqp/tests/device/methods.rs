//! Direct methods (device-protocols.md 3.11).

use bytes::Bytes;
use ironhub_domain::method::MethodAnswer;
use ironhub_wire::amqp::message::MessageBuilder;
use ironhub_wire::amqp::performative::{
    Detach, Performative, ReceiverSettleMode, SenderSettleMode,
};
use ironhub_wire::amqp::{DeliveryState, MessageId, Properties, Role, Value};

use super::{modes, paired};
use crate::amqp::tests::client::{CHANNEL, Client};
use crate::amqp::tests::hub::{Hub, run};
use crate::router::request::{MethodRequest, Push};

const METHODS: &str = "/devices/dev1/methods/devicebound";

async fn attach(client: &mut Client, handle: u32, role: Role, pair: &str) {
    let (snd, rcv) = (SenderSettleMode::Unsettled, ReceiverSettleMode::First);
    client.attach_with(paired(modes(handle, role, METHODS, snd, rcv), pair)).await;
    client.answer_to_attach(handle).await;
}

/// Links 2 (answers) and 3 (requests).
async fn online(hub: &Hub) -> Client {
    let mut client = hub.connect_device().await;
    attach(&mut client, 2, Role::Sender, "methods:1").await;
    attach(&mut client, 3, Role::Receiver, "methods:1").await;
    client.grant(3, 0, 100).await;
    hub.devices.until("dev1", |dev1| dev1.features.methods).await;
    client
}

fn call(id: u32) -> Push {
    let payload = Bytes::from_static(b"{\"x\":1}");
    Push::Method(MethodRequest { id, name: format!("method{id}"), payload })
}

fn answer(id: Option<MessageId>, status: Value) -> Bytes {
    let properties = Properties { correlation_id: id, ..Properties::default() };
    let builder = MessageBuilder::default().properties(&properties);
    let builder = builder.application_properties(|map| {
        map.text("IoThub-status").value(&status);
    });
    builder.data(b"\"done\"").finish()
}

/// The state that an unsettled answer is settled with.
async fn told(client: &mut Client, answer: &Bytes) -> DeliveryState {
    let delivery = client.transfer(2, answer).await;
    let wanted =
        |p: &Performative| matches!(p, Performative::Disposition(d) if d.first == delivery);
    let (found, _) = client.expect(wanted).await;
    let Performative::Disposition(found) = found else { panic!("a disposition") };
    found.state.expect("a state")
}

#[test]
fn both_links_of_a_pair_make_a_device_online() {
    run(|| async {
        let hub = Hub::new(|_| {});
        let mut client = hub.connect_device().await;
        attach(&mut client, 2, Role::Sender, "methods:1").await;
        attach(&mut client, 3, Role::Receiver, "methods:2").await;
        assert_eq!(client.put_own("devices/dev1").await, 200);
        assert!(!hub.devices.with("dev1", |dev1| dev1.features.methods));
        attach(&mut client, 4, Role::Receiver, "methods:1").await;
        hub.devices.until("dev1", |dev1| dev1.features.methods).await;
        let detach = Detach { handle: 2, closed: true, error: None };
        client.write(CHANNEL, Performative::Detach(detach), b"").await;
        hub.devices.until("dev1", |dev1| !dev1.features.methods).await;
    });
}

#[test]
fn calls_are_answered_in_any_order() {
    run(|| async {
        let hub = Hub::new(|_| {});
        let mut client = online(&hub).await;
        (0..20).for_each(|id| assert!(hub.devices.push("dev1", call(id))));
        let mut ids = Vec::new();
        for n in 0..20 {
            let message = client.message(3).await;
            let name = message.application_properties().unwrap();
            assert_eq!(name.text("IoThub-methodname"), Some(format!("method{n}").as_str()));
            assert_eq!(&message.body().bytes().unwrap()[..], b"{\"x\":1}");
            let id = message.properties().unwrap().correlation_id;
            assert!(matches!(id, Some(MessageId::Uuid(_))), "{id:?}");
            ids.push(id);
        }
        for (n, id) in ids.into_iter().enumerate().rev() {
            let state = told(&mut client, &answer(id, Value::Int(n as i32))).await;
            assert_eq!(state, DeliveryState::Accepted);
        }
        let answers = hub.devices.with("dev1", |dev1| std::mem::take(&mut dev1.answers));
        let payload = Bytes::from_static(b"\"done\"");
        let expected: Vec<_> = (0..20)
            .rev()
            .map(|n| (n, MethodAnswer { status: n as i32, payload: payload.clone() }))
            .collect();
        assert_eq!(answers, expected);
    });
}

#[test]
fn answers_that_nobody_waits_for_are_accepted_and_malformed_ones_rejected() {
    run(|| async {
        let hub = Hub::new(|_| {});
        let mut client = online(&hub).await;
        let foreign = Some(MessageId::Uuid([1; 16]));
        let state = told(&mut client, &answer(foreign.clone(), Value::Int(200))).await;
        assert_eq!(state, DeliveryState::Accepted);
        for (id, status) in [
            (None, Value::Int(200)),
            (Some(MessageId::Ulong(1)), Value::Int(200)),
            (foreign.clone(), Value::string("200")),
            (foreign, Value::Long(1 << 40)),
        ] {
            let state = told(&mut client, &answer(id.clone(), status)).await;
            assert!(matches!(state, DeliveryState::Rejected(Some(_))), "{id:?}");
        }
        let state = told(&mut client, &Bytes::from_static(b"\xff")).await;
        assert!(matches!(state, DeliveryState::Rejected(Some(_))));
        assert!(hub.devices.with("dev1", |dev1| dev1.answers.is_empty()));
    });
}

#[test]
fn calls_wait_for_credit() {
    run(|| async {
        let hub = Hub::new(|_| {});
        let mut client = online(&hub).await;
        client.grant(3, 0, 1).await;
        assert_eq!(client.put_own("devices/dev1").await, 200);
        (0..2).for_each(|id| assert!(hub.devices.push("dev1", call(id))));
        client.message(3).await;
        assert_eq!(client.put_own("devices/dev1").await, 200);
        client.grant(3, 1, 1).await;
        let keys = client.message(3).await.application_properties().unwrap();
        assert_eq!(keys.text("IoThub-methodname"), Some("method1"));
    });
}
