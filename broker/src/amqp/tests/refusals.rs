use ironhub_wire::amqp::performative::{Begin, Detach, End, Performative};
use ironhub_wire::amqp::{Attach, Map, Role, Value};

use super::client::{CHANNEL, Client};
use super::hub::{Hub, run};

const EARLIEST: Option<&str> = Some("amqp.annotation.x-opt-offset > '-1'");

/// What becomes of a link that an owner asks for.
fn check(attach: Attach, expected: &str) {
    run(|| async {
        let hub = Hub::new(|_| {});
        let mut client = hub.connect_owner().await;
        let shown = format!("{:?}", attach.source);
        client.attach_with(Attach { handle: 2, ..attach }).await;
        let (answer, _) =
            client.expect(|p| matches!(p, Performative::Attach(a) if a.handle == 2)).await;
        let Performative::Attach(answer) = answer else { panic!("an attach") };
        assert!(answer.source.is_some(), "an answer without source would be taken for a dead link");
        assert_eq!(client.fault().await, ("detach", expected.to_owned()), "{shown}");
        // The connection lives on.
        let detach = Detach { handle: 2, closed: true, error: None };
        client.write(CHANNEL, Performative::Detach(detach), b"").await;
        assert_eq!(client.put_token(super::hub::HOST, "service", 3600).await, 200);
    });
}

fn partition(text: &str) -> String {
    format!("hub1/ConsumerGroups/{text}")
}

#[test]
fn what_does_not_exist_is_refused() {
    let ask = |address: &str| Client::receiver(0, address, EARLIEST);
    check(ask(&partition("nobody/Partitions/0")), "amqp:not-found");
    check(ask("other/ConsumerGroups/$Default/Partitions/0"), "amqp:not-found");
    check(ask("/messages/nowhere"), "amqp:not-found");
    check(ask(""), "amqp:not-found");
    for id in ["2", "99", "-1", "00", "x", "4294967296"] {
        check(
            ask(&partition(&format!("$Default/Partitions/{id}"))),
            "com.microsoft:argument-error",
        );
    }
}

#[test]
fn bad_filters_and_epochs_are_refused() {
    let address = partition("$Default/Partitions/0");
    let ask = |selector| Client::receiver(0, &address, Some(selector));
    check(ask("color = 'red'"), "com.microsoft:argument-error");
    check(ask("amqp.annotation.x-opt-sequence-number > '5'"), "com.microsoft:argument-error");
    let mut number = ask("x");
    let filter = Map::default().with("apache.org:selector-filter:string", Value::Int(5));
    number.source.as_mut().expect("a source").filter = Some(filter);
    check(number, "amqp:not-allowed");
    let epoch = |value| Attach {
        properties: Some(Map::default().with("com.microsoft:epoch", value)),
        ..Client::receiver(0, &address, EARLIEST)
    };
    check(epoch(Value::string("high")), "com.microsoft:argument-error");
    check(epoch(Value::Long(-1)), "com.microsoft:argument-error");
}

#[test]
fn events_cannot_be_sent() {
    run(|| async {
        let hub = Hub::new(|_| {});
        let mut client = hub.connect_owner().await;
        client.attach(2, Role::Sender, &partition("$Default/Partitions/0")).await;
        assert_eq!(client.fault().await, ("detach", "amqp:not-allowed".to_owned()));
    });
}

#[test]
fn without_a_token_only_cbs_is_open() {
    run(|| async {
        let hub = Hub::new(|_| {});
        let mut client = hub.connect().await;
        let refused = ("detach", "amqp:unauthorized-access".to_owned());
        for (handle, address) in
            (2..).zip([partition("$Default/Partitions/0").as_str(), "/messages/nowhere"])
        {
            client.attach(handle, Role::Receiver, address).await;
            assert_eq!(client.fault().await, refused, "{address}");
        }
    });
}

#[test]
fn bad_bytes_end_their_own_connection_only() {
    run(|| async {
        let hub = Hub::new(|_| {});
        let mut bystander = hub.connect_owner().await;
        bystander
            .attach_with(Client::receiver(2, &partition("$Default/Partitions/0"), EARLIEST))
            .await;
        bystander.grant(2, 0, 100).await;
        let oversize = [0, 1, 0, 1, 2, 0, 0, 0];
        let huge = [0xff, 0xff, 0xff, 0xff, 2, 0, 0, 0];
        let short = [0, 0, 0, 4, 2, 0, 0, 0];
        let garbage = [0, 0, 0, 12, 2, 0, 0, 0, 0xde, 0xad, 0xbe, 0xef];
        for (bytes, condition) in [
            (oversize.as_slice(), "amqp:connection:framing-error"),
            (&huge, "amqp:connection:framing-error"),
            (&short, "amqp:connection:framing-error"),
            (&garbage, "amqp:decode-error"),
        ] {
            let mut client = hub.connect_owner().await;
            client.raw(bytes).await;
            assert_eq!(client.fault().await, ("close", condition.to_owned()), "{bytes:02x?}");
            client.ended().await;
            hub.events.push(0, b"x");
            bystander.message(2).await;
        }
    });
}

#[test]
fn frames_out_of_state_end_what_they_break() {
    run(|| async {
        let hub = Hub::new(|_| {});
        let begin = || Performative::Begin(Box::<Begin>::default());
        for (channel, frame, expected) in [
            (CHANNEL, begin(), ("close", "amqp:not-allowed")),
            (5000, begin(), ("close", "amqp:connection:framing-error")),
            (9, Performative::End(End::default()), ("close", "amqp:not-allowed")),
            (0, Performative::Open(Box::default()), ("close", "amqp:not-allowed")),
            (
                CHANNEL,
                Performative::Detach(Detach { handle: 77, ..Detach::default() }),
                ("end", "amqp:session:unattached-handle"),
            ),
        ] {
            let mut client = hub.connect().await;
            client.write(channel, frame, b"").await;
            let (kind, condition) = client.fault().await;
            assert_eq!((kind, condition.as_str()), expected);
        }
    });
}
