//! The openings of device-protocols.md 3.2.

use bytes::Bytes;
use ironhub_domain::auth::PeerCertificate;
use ironhub_wire::amqp::frame::{AMQP_HEADER, FrameKind, SASL_HEADER, put_frame};
use ironhub_wire::amqp::sasl::{SaslCode, SaslFrame};
use ironhub_wire::amqp::{Role, Symbol};

use super::{FAR, own_token};
use crate::amqp::tests::client::Client;
use crate::amqp::tests::hub::{HOST, Hub, KEY, run};
use crate::client::sas::{KeyForm, token};

const EVENTS: &str = "/devices/dev1/messages/events";

fn certificate(common_name: &str) -> PeerCertificate {
    PeerCertificate {
        sha1: "A".repeat(40),
        sha256: "B".repeat(64),
        common_name: Some(common_name.to_owned()),
        chain: Vec::new(),
    }
}

/// Offers a mechanism and reads the outcome.
async fn sasl(client: &mut Client, mechanism: &str, response: Option<&[u8]>) -> SaslCode {
    client.raw(&SASL_HEADER).await;
    let init = SaslFrame::Init {
        mechanism: Symbol::lossy(mechanism),
        initial_response: response.map(Bytes::copy_from_slice),
        hostname: None,
    };
    let mut out = bytes::BytesMut::new();
    put_frame(&mut out, FrameKind::Sasl, 0, |out| init.encode(out));
    client.raw(&out).await;
    assert_eq!(client.header().await, SASL_HEADER);
    let SaslFrame::Mechanisms(offered) = SaslFrame::decode(&client.frame().await).unwrap() else {
        panic!("mechanisms");
    };
    for name in ["MSSBCBS", "ANONYMOUS", "PLAIN", "EXTERNAL"] {
        assert!(offered.iter().any(|offered| *offered == name), "{name}");
    }
    match SaslFrame::decode(&client.frame().await).unwrap() {
        SaslFrame::Outcome { code, .. } => code,
        other => panic!("an outcome, not {other:?}"),
    }
}

async fn opened(client: &mut Client) {
    client.raw(&AMQP_HEADER).await;
    client.open_frames().await;
}

#[test]
fn every_mechanism_without_a_proof_leads_to_cbs() {
    run(|| async {
        let hub = Hub::new(|_| {});
        let responses: [Option<&[u8]>; 3] = [None, Some(b""), Some(b"\0service")];
        for mechanism in ["MSSBCBS", "ANONYMOUS", "EXTERNAL"] {
            for response in responses {
                let mut client = Client::new(hub.stream(1 << 20));
                assert_eq!(sasl(&mut client, mechanism, response).await, SaslCode::Ok);
                opened(&mut client).await;
                client.open_cbs().await;
                assert_eq!(client.put_own("devices/dev1").await, 200);
                client.attached(2, Role::Sender, EVENTS).await;
            }
        }
    });
}

#[test]
fn plain_brings_an_identity_or_a_policy() {
    run(|| async {
        let hub = Hub::new(|_| {});
        let own = own_token("devices/dev1", FAR);
        let module = own_token("devices/dev1/modules/mod1", FAR);
        let policy = |name| token(HOST, name, KEY, KeyForm::Decoded, FAR).unwrap();
        let module_events = "/devices/dev1/modules/mod1/messages/events";
        for (user, token, address) in [
            ("dev1@sas.hub1", own.clone(), EVENTS),
            ("dev1@sas.hub1.example.test", own, EVENTS),
            ("dev1/mod1@sas.hub1", module, module_events),
            ("device@sas.root.hub1", policy("device"), EVENTS),
            ("iothubowner@sas.root.hub1", policy("iothubowner"), module_events),
        ] {
            let mut client = Client::new(hub.stream(1 << 20));
            let response = format!("\0{user}\0{token}");
            let code = sasl(&mut client, "PLAIN", Some(response.as_bytes())).await;
            assert_eq!(code, SaslCode::Ok, "{user}");
            opened(&mut client).await;
            client.attached(2, Role::Sender, address).await;
        }
    });
}

#[test]
fn plain_with_anything_else_is_refused_and_the_connection_ends() {
    run(|| async {
        let hub = Hub::new(|_| {});
        let own = own_token("devices/dev1", FAR);
        let service = token(HOST, "service", KEY, KeyForm::Decoded, FAR).unwrap();
        for (user, token) in [
            ("dev2@sas.hub1", own.as_str()),
            ("dev1@sas.other", &own),
            ("dev1", &own),
            ("nobody@sas.hub1", &own),
            ("d d@sas.hub1", &own),
            ("off@sas.hub1", &own_token("devices/off", FAR)),
            ("dev1@sas.hub1", "no token"),
            ("dev1@sas.hub1", &own_token("devices/dev1", 1_000_000_000)),
            ("device@sas.root.hub1", &service),
        ] {
            let mut client = Client::new(hub.stream(1 << 20));
            let response = format!("\0{user}\0{token}");
            let code = sasl(&mut client, "PLAIN", Some(response.as_bytes())).await;
            assert_eq!(code, SaslCode::Auth, "{user}");
            client.ended().await;
        }
    });
}

#[test]
fn a_certificate_lets_its_own_device_in_without_a_token() {
    run(|| async {
        let hub = Hub::new(|_| {});
        let events = "/devices/cert/messages/events";
        let mut client = Client::new(hub.stream_of(1 << 20, Some(certificate("cert"))));
        client.open().await;
        client.attached(2, Role::Sender, events).await;
        for (shown, address, expected) in [
            (Some("other"), events, "amqp:unauthorized-access"),
            (Some("cert"), EVENTS, "amqp:unauthorized-access"),
            (Some("cert"), "/devices/nobody/twin", "amqp:not-found"),
            (None, events, "amqp:unauthorized-access"),
        ] {
            let mut client = Client::new(hub.stream_of(1 << 20, shown.map(certificate)));
            client.open().await;
            client.attach(2, Role::Sender, address).await;
            assert_eq!(client.fault().await, ("detach", expected.to_owned()), "{address}");
        }
    });
}
