//! Who is let in with what (device-protocols.md 1.5).

use std::sync::Arc;

use ironhub_domain::HubError;
use ironhub_domain::auth::{Authority, PeerCertificate};
use ironhub_domain::device::Thumbprints;
use ironhub_domain::event::{AuthMethod, AuthScope, AuthType};
use ironhub_domain::ids::IdentityId;
use ironhub_domain::registry::{AuthenticationRequest, IfMatch, PutMode};
use ironhub_domain::time::UnixMs;

use super::rig::*;
use crate::client::sas::{KeyForm, expiry_from_now, token};
use crate::router::request::{CloseReason, ConnectRequest, Credentials, SessionStart};

const SHA1: &str = "A94A8FE5CCB19BA61C4C0873D391E987982FBBD3";
const SHA256: &str = "9F86D081884C7D659A2FEAA0C55AD015A3BF4F1B2B0B822CD15D6C15B0F00A08";
const OTHER: &str = "0000000000000000000000000000000000000000";

/// Stands for the check of signatures, which has its own tests: the certificate behind the client's own must be that of an
/// authority.
pub fn verify(known: &[Authority], shown: &PeerCertificate, _: UnixMs) -> Result<(), String> {
    let issuer = shown.chain.last();
    let vouches =
        |authority: &Authority| authority.verified && issuer == Some(&authority.certificate);
    known.iter().any(vouches).then_some(()).ok_or_else(|| "no authority vouches for it".into())
}

fn certificate(name: &str) -> Credentials {
    let certificate = PeerCertificate {
        sha1: SHA1.into(),
        sha256: SHA256.into(),
        common_name: Some(name.into()),
        chain: vec!["ca".into()],
    };
    Credentials { token: None, certificate: Some(Arc::new(certificate)) }
}

fn policy_token(policy: &str) -> Credentials {
    Credentials::token(token(HOST, policy, KEY, KeyForm::Decoded, expiry_from_now()).unwrap())
}

fn both(identity: &IdentityId) -> Credentials {
    Credentials { token: key_token(identity, KEY).token, ..certificate("d") }
}

fn thumbprints(primary: Option<&str>, secondary: Option<&str>) -> AuthenticationRequest {
    let [primary, secondary] = [primary, secondary].map(|text| text.map(str::to_owned));
    AuthenticationRequest::SelfSigned(Thumbprints { primary, secondary })
}

async fn put_authority(hub: &Hub, verified: bool) {
    let authority = Authority {
        name: "ca".into(),
        certificate: "ca".into(),
        subject: "CN=ca".into(),
        thumbprint: OTHER.into(),
        expires: UnixMs(u64::MAX),
        verified,
        etag: String::new(),
        created: UnixMs(0),
        updated: UnixMs(0),
    };
    hub.router.put_authority(authority, None).await.unwrap();
}

#[test]
fn the_registration_decides_what_is_good() {
    run(|| async {
        let hub = Hub::new().await;
        put_authority(&hub, true).await;
        let sas = || AuthenticationRequest::Sas(keys(KEY));
        let (ca, none) = (AuthenticationRequest::CertificateAuthority, AuthenticationRequest::None);
        let method = |scope, kind| Some(AuthMethod { scope, kind });
        let by_key = method(AuthScope::Device, AuthType::SymmetricKey);
        let by_policy = method(AuthScope::Hub, AuthType::Sas);
        let by_certificate = method(AuthScope::Device, AuthType::X509);
        let nothing = Credentials::default();
        for (registered, shown, expected) in [
            (sas(), key_token(device(), KEY), by_key),
            (sas(), key_token(device(), OTHER_KEY), None),
            (sas(), key_token(module(), KEY), None),
            (sas(), policy_token("device"), by_policy),
            (sas(), policy_token("service"), None),
            (sas(), certificate("d"), None),
            (sas(), both(device()), by_key),
            (sas(), nothing.clone(), None),
            (none.clone(), policy_token("device"), by_policy),
            (none.clone(), certificate("d"), None),
            (none, key_token(device(), KEY), None),
            (thumbprints(Some(SHA1), None), certificate("other name"), by_certificate),
            (thumbprints(None, Some(&SHA256.to_lowercase())), certificate("d"), by_certificate),
            (thumbprints(Some(OTHER), Some(OTHER)), certificate("d"), None),
            (thumbprints(Some(SHA1), None), key_token(device(), KEY), None),
            (thumbprints(Some(SHA1), None), policy_token("device"), None),
            (thumbprints(Some(SHA1), None), both(device()), by_certificate),
            (thumbprints(Some(SHA1), None), nothing.clone(), None),
            (ca.clone(), certificate("d"), by_certificate),
            (ca.clone(), certificate("D"), None),
            (ca.clone(), certificate("d/m"), None),
            (ca.clone(), key_token(device(), KEY), None),
            (ca, nothing, None),
        ] {
            hub.update_device(|device| device.authentication = registered.clone()).await;
            let result = hub.router.authenticate(device(), &shown).await;
            let what = format!("{registered:?} {:?} {:?}", shown.token, shown.certificate);
            match result {
                Ok(connected) => assert_eq!(Some(connected.auth), expected, "{what}"),
                Err(HubError::Unauthorized(_)) => assert_eq!(None, expected, "{what}"),
                Err(other) => panic!("{what}: {other}"),
            }
        }
    });
}

#[test]
fn a_module_proves_itself_by_what_is_registered_for_it() {
    run(|| async {
        let hub = Hub::new().await;
        put_authority(&hub, true).await;
        let auth = async |shown| hub.router.authenticate(module(), &shown).await.map(|c| c.auth);
        let of_key = AuthMethod { scope: AuthScope::Module, kind: AuthType::SymmetricKey };
        assert_eq!(auth(key_token(module(), KEY)).await, Ok(of_key));
        hub.update_device(|device| {
            device.authentication = AuthenticationRequest::Sas(keys(OTHER_KEY));
        })
        .await;
        assert_eq!(auth(key_token(module(), KEY)).await, Ok(of_key));
        assert!(auth(key_token(module(), OTHER_KEY)).await.is_err(), "its device's key");
        let mode = PutMode::Update(IfMatch::Any);
        hub.put_module(mode, AuthenticationRequest::CertificateAuthority).await;
        let of_certificate = AuthMethod { scope: AuthScope::Module, kind: AuthType::X509 };
        assert_eq!(auth(certificate("d/m")).await, Ok(of_certificate));
        assert!(auth(certificate("d")).await.is_err());
    });
}

#[test]
fn an_authority_counts_while_it_is_registered_and_verified() {
    run(|| async {
        let hub = Hub::new().await;
        hub.update_device(|device| {
            device.authentication = AuthenticationRequest::CertificateAuthority;
        })
        .await;
        let auth = async || hub.router.authenticate(device(), &certificate("d")).await.is_ok();
        assert!(!auth().await);
        put_authority(&hub, false).await;
        assert!(!auth().await);
        put_authority(&hub, true).await;
        assert!(auth().await);
        assert_eq!(hub.router.authorities().len(), 1);
        let client = connect(&hub, certificate("d")).await;
        hub.router.delete_authority("ca", None).await.unwrap();
        assert!(!auth().await);
        assert_eq!(client.sink.close_reason(), None, "who is in stays in");
        let unknown = hub.router.delete_authority("ca", None).await;
        assert_eq!(unknown, Err(HubError::CertificateNotFound("ca".into())));
    });
}

async fn connect(hub: &Hub, credentials: Credentials) -> Client {
    let sink = Arc::new(Sink::default());
    let request = ConnectRequest {
        identity: device().clone(),
        credentials,
        start: SessionStart::None,
        model_id: None,
        protocol: "test",
        sink: sink.clone(),
    };
    Client { session: hub.router.connect(request).await.unwrap(), sink }
}

#[test]
fn another_thumbprint_or_another_kind_of_proof_ends_the_session() {
    run(|| async {
        let hub = Hub::new().await;
        put_authority(&hub, true).await;
        let register = |authentication: AuthenticationRequest| {
            hub.update_device(move |device| device.authentication = authentication)
        };
        let sas = || AuthenticationRequest::Sas(keys(KEY));
        let ca = || AuthenticationRequest::CertificateAuthority;
        let by_certificate = || certificate("d");
        let by_policy = || policy_token("device");
        let by_key = || key_token(device(), KEY);
        for (before, shown, after, stays) in [
            (
                thumbprints(Some(SHA1), None),
                by_certificate(),
                thumbprints(None, Some(SHA256)),
                true,
            ),
            (
                thumbprints(Some(SHA1), None),
                by_certificate(),
                thumbprints(Some(OTHER), None),
                false,
            ),
            (thumbprints(Some(SHA1), None), by_certificate(), ca(), false),
            (ca(), by_certificate(), ca(), true),
            (ca(), by_certificate(), sas(), false),
            (sas(), by_policy(), AuthenticationRequest::Sas(keys(OTHER_KEY)), true),
            (sas(), by_policy(), ca(), false),
            (sas(), by_key(), AuthenticationRequest::None, false),
        ] {
            let what = format!("{before:?} to {after:?}");
            register(before).await;
            let client = connect(&hub, shown).await;
            register(after).await;
            let expected = (!stays).then_some(CloseReason::Rekeyed);
            assert_eq!(client.sink.close_reason(), expected, "{what}");
        }
    });
}
