use std::time::Duration;

use ironhub_wire::amqp::frame::{AMQP_HEADER, FrameKind, SASL_HEADER, put_frame};
use ironhub_wire::amqp::performative::Performative;
use ironhub_wire::amqp::sasl::{SaslCode, SaslFrame};
use ironhub_wire::amqp::{MessageId, Role, Symbol, Value};

use super::client::{Client, status};
use super::hub::{HOST, Hub, KEY, run};
use crate::client::sas::{KeyForm, token};

const PARTITION: &str = "hub1/ConsumerGroups/$Default/Partitions/0";
const FAR: u64 = 4_000_000_000;

#[test]
fn tokens_of_both_families_are_taken() {
    run(|| async {
        let hub = Hub::new(|_| {});
        for (resource, form) in [
            (HOST.to_owned(), KeyForm::Decoded),
            (format!("sb://{HOST}/hub1"), KeyForm::Text),
            (format!("sb://{HOST}:5671/HUB1/consumergroups/$default"), KeyForm::Text),
            (format!("{HOST}/messages/events"), KeyForm::Decoded),
        ] {
            let mut client = hub.connect().await;
            client.open_cbs().await;
            let token = token(&resource, "service", KEY, form, FAR).expect("a token");
            assert_eq!(client.put(&resource, token).await, 200, "{resource}");
            client.attach(2, Role::Receiver, PARTITION).await;
            client.expect(|p| matches!(p, Performative::Attach(a) if a.handle == 2)).await;
            client.grant(2, 0, 1).await;
            hub.events.push(0, b"x");
            client.message(2).await;
        }
    });
}

#[test]
fn bad_tokens_are_answered_and_the_connection_lives() {
    run(|| async {
        let hub = Hub::new(|_| {});
        let mut client = hub.connect().await;
        client.open_cbs().await;
        let of = |host: &str, policy, key: &str, expiry| {
            token(host, policy, key, KeyForm::Decoded, expiry).expect("a token")
        };
        for bad in [
            of(HOST, "service", "YW5vdGhlcmFub3RoZXJhbm90aGVyYW5vdGhlcg==", FAR),
            of(HOST, "nobody", KEY, FAR),
            of(HOST, "service", KEY, 1_000_000_000),
            of("other.example.test", "service", KEY, FAR),
            "Bearer x".to_owned(),
            "SharedAccessSignature ".to_owned(),
            "x".repeat(20_000),
        ] {
            assert_eq!(client.put("a", bad.clone()).await, 401, "{bad:.80}");
        }
        assert_eq!(client.put_token(HOST, "service", 3600).await, 200);
    });
}

#[test]
fn policies_without_service_connect_and_narrow_scopes_read_nothing() {
    run(|| async {
        let hub = Hub::new(|_| {});
        let other = format!("{HOST}/devices/dev1");
        for (resource, policy) in
            [(HOST, "device"), (HOST, "registryReadWrite"), (other.as_str(), "iothubowner")]
        {
            let mut client = hub.connect().await;
            client.open_cbs().await;
            assert_eq!(client.put_token(resource, policy, 3600).await, 200);
            client.attach(2, Role::Receiver, PARTITION).await;
            let refused = ("detach", "amqp:unauthorized-access".to_owned());
            assert_eq!(client.fault().await, refused, "{policy}");
            manage(&mut client).await;
            assert_eq!(ask(&mut client, "hub1", None).await, 401, "{policy}");
        }
    });
}

async fn manage(client: &mut Client) {
    client.attach(3, Role::Sender, "$management").await;
    client.attach(4, Role::Receiver, "$management").await;
    client.grant(4, 0, 100).await;
}

/// The status of a question about an event hub that brings this token.
async fn ask(client: &mut Client, name: &str, token: Option<&str>) -> i64 {
    let mut keys = vec![("operation", "READ"), ("type", "com.microsoft:eventhub"), ("name", name)];
    keys.extend(token.map(|token| ("security_token", token)));
    client.request(3, MessageId::Ulong(1), &keys, &Value::Null).await;
    status(&client.message(4).await)
}

#[test]
fn a_question_may_bring_its_own_token() {
    run(|| async {
        let hub = Hub::new(|options| options.handshake_timeout = Duration::from_millis(500));
        let mut client = hub.connect().await;
        manage(&mut client).await;
        let of = |resource: &str, policy: &str, end| {
            token(resource, policy, KEY, KeyForm::Text, end).expect("a token")
        };
        let entity = format!("sb://{HOST}/hub1");
        for bad in [
            of(&entity, "device", FAR),
            of(&entity, "service", 1_000_000_000),
            of(&format!("{entity}/ConsumerGroups/g"), "service", FAR),
            of(&format!("{HOST}/devices/dev1"), "iothubowner", FAR),
            "Bearer x".to_owned(),
        ] {
            assert_eq!(ask(&mut client, "hub1", Some(&bad)).await, 401, "{bad}");
            // Nor is one who may ask about nothing told what there is.
            assert_eq!(ask(&mut client, "elsewhere", Some(&bad)).await, 401, "{bad}");
        }
        assert_eq!(ask(&mut client, "hub1", None).await, 401);
        let good = of(&entity, "service", FAR);
        assert_eq!(ask(&mut client, "hub1", Some(&good)).await, 200);
        // It counts like one that was put: for what comes later, and in time.
        assert_eq!(ask(&mut client, "elsewhere", None).await, 404);
        client.attach(2, Role::Receiver, PARTITION).await;
        client.expect(|p| matches!(p, Performative::Attach(a) if a.handle == 2)).await;
    });
}

#[test]
fn a_connection_without_token_is_closed_in_time() {
    run(|| async {
        let hub = Hub::new(|options| options.handshake_timeout = Duration::from_millis(500));
        let mut client = hub.connect().await;
        assert_eq!(client.fault().await, ("close", "amqp:unauthorized-access".to_owned()));
    });
}

#[test]
fn a_client_that_never_opens_is_dropped() {
    run(|| async {
        let hub = Hub::new(|options| options.handshake_timeout = Duration::from_millis(50));
        let mut client = Client::new(hub.stream(1024));
        client.raw(&SASL_HEADER).await;
        client.ended().await;
    });
}

#[test]
fn an_expired_token_detaches_its_links_and_a_renewed_one_keeps_them() {
    run(|| async {
        // Its grace is for tokens that come late, not for those that were in force.
        let hub = Hub::new(|options| assert!(!options.token_grace.is_zero()));
        let mut renewed = hub.connect().await;
        let mut expiring = hub.connect().await;
        for client in [&mut renewed, &mut expiring] {
            client.open_cbs().await;
            assert_eq!(client.put_token(HOST, "service", 3).await, 200);
            client.attach(2, Role::Receiver, PARTITION).await;
            client.expect(|p| matches!(p, Performative::Attach(a) if a.handle == 2)).await;
            client.grant(2, 0, 10).await;
        }
        assert_eq!(renewed.put_token(HOST, "service", 3600).await, 200);
        let gone = ("detach", "amqp:unauthorized-access".to_owned());
        assert_eq!(expiring.fault().await, gone);
        hub.events.push(0, b"x");
        renewed.message(2).await;
        // The token's end took the link, not the connection: a new token opens it again.
        assert_eq!(expiring.put_token(HOST, "service", 3600).await, 200);
    });
}

async fn plain(client: &mut Client, user: &str, password: &str) -> SaslCode {
    client.raw(&SASL_HEADER).await;
    let init = SaslFrame::Init {
        mechanism: Symbol::from_static("PLAIN"),
        initial_response: Some(format!("\0{user}\0{password}").into_bytes().into()),
        hostname: None,
    };
    let mut out = bytes::BytesMut::new();
    put_frame(&mut out, FrameKind::Sasl, 0, |out| init.encode(out));
    client.raw(&out).await;
    assert_eq!(client.header().await, SASL_HEADER);
    client.frame().await;
    match SaslFrame::decode(&client.frame().await).expect("decodes") {
        SaslFrame::Outcome { code, .. } => code,
        other => panic!("an outcome, not {other:?}"),
    }
}

#[test]
fn plain_needs_a_policy_and_its_token() {
    run(|| async {
        let hub = Hub::new(|_| {});
        let good = token(HOST, "service", KEY, KeyForm::Decoded, FAR).expect("a token");
        for (user, password, expected) in [
            ("service@sas.root.hub1", good.as_str(), SaslCode::Ok),
            ("iothubowner@sas.root.hub1", good.as_str(), SaslCode::Auth),
            ("service", good.as_str(), SaslCode::Auth),
            ("dev1@sas.hub1", good.as_str(), SaslCode::Auth),
            ("service@sas.root.hub1", KEY, SaslCode::Auth),
        ] {
            let mut client = Client::new(hub.stream(65536));
            assert_eq!(plain(&mut client, user, password).await, expected, "{user}");
        }
    });
}

#[test]
fn plain_reads_at_once_and_is_redirected_from_the_hubs_own_path() {
    run(|| async {
        let hub = Hub::new(|_| {});
        let mut client = Client::new(hub.stream(65536));
        let good = token(HOST, "service", KEY, KeyForm::Decoded, FAR).expect("a token");
        assert_eq!(plain(&mut client, "service@sas.root.hub1", &good).await, SaslCode::Ok);
        client.raw(&AMQP_HEADER).await;
        client.open_frames().await;
        client.attach(0, Role::Receiver, PARTITION).await;
        client.expect(|p| matches!(p, Performative::Attach(a) if a.handle == 0)).await;
        client.grant(0, 0, 1).await;
        hub.events.push(0, b"x");
        client.message(0).await;
        for (handle, suffix) in [(1, "$management"), (2, "ConsumerGroups/g/Partitions/3")] {
            let address = format!("amqps://{HOST}/messages/events/{suffix}");
            client.attach(handle, Role::Receiver, &address).await;
            // Some clients do not see what comes with the attach: not before they answered it.
            client.attach(handle + 10, Role::Sender, "$management").await;
            let later = |p: &Performative| match p {
                Performative::Attach(attach) => attach.handle == handle + 10,
                other => matches!(other, Performative::Detach(_)),
            };
            let read = client.expect(later).await;
            assert!(matches!(read.0, Performative::Attach(_)), "{read:?}");
            if handle == 1 {
                client.grant(handle, 0, 1).await;
            }
            let read = client.expect(|p| matches!(p, Performative::Detach(_))).await;
            let Performative::Detach(detach) = read.0 else { panic!("a detach") };
            let error = detach.error.expect("an error");
            assert_eq!(error.condition, "amqp:link:redirect");
            let info = error.info.expect("info");
            assert_eq!(info.text("hostname"), Some(HOST));
            assert_eq!(info.text("network-host"), Some(HOST));
            assert_eq!(info.get("port"), Some(&ironhub_wire::amqp::Value::Int(5671)));
            let expected = format!("amqps://{HOST}:5671/hub1/{suffix}");
            assert_eq!(info.text("address"), Some(expected.as_str()));
        }
    });
}
