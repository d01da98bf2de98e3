//! How a bearer of credentials proves to be an identity, and whether an old proof still counts
//! (device-protocols.md 1.2, 1.5).

use std::hash::{DefaultHasher, Hash, Hasher};

use ironhub_domain::HubError;
use ironhub_domain::auth::{PeerCertificate, SasToken, SymmetricKeys, authenticate_device};
use ironhub_domain::device::{Authentication, Thumbprints};
use ironhub_domain::event::{AuthMethod, AuthScope, AuthType};
use ironhub_domain::ids::IdentityId;
use ironhub_domain::time::UnixMs;

use super::facts::NodeFacts;
use crate::router::request::Credentials;

/// What was proved with; keys and certificates as hashes, so that none is kept.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Proof {
    /// A token of a shared access policy.
    Policy,
    /// A token signed with this key of the identity.
    Key(u64),
    /// A certificate with one of these thumbprints was registered.
    Thumbprint { sha1: u64, sha256: u64 },
    /// A certificate of a registered authority.
    Authority,
}

/// Credentials that are good.
#[derive(Clone, Copy, Debug)]
pub(super) struct Proven {
    pub(super) proof: Proof,
    /// As it is stamped on messages.
    pub(super) auth: AuthMethod,
    /// When the token ends, if there is one.
    pub(super) expires: Option<UnixMs>,
}

/// Whether the credentials prove that their bearer is this identity, which is to prove itself as `registered` says.
///
/// A certificate counts only for identities registered for certificates, a token only for the others: for a client that
/// shows both, the registration decides.
pub(super) fn prove(
    facts: &NodeFacts,
    identity: &IdentityId,
    registered: &Authentication,
    credentials: &Credentials,
    now: UnixMs,
) -> Result<Proven, HubError> {
    match registered {
        Authentication::Sas(keys) => by_token(facts, identity, keys, credentials, now),
        // It has no keys of its own, but policies speak for every identity.
        Authentication::None => {
            by_token(facts, identity, &SymmetricKeys::default(), credentials, now)
        }
        Authentication::SelfSigned(thumbprints) => {
            let certificate = certificate(credentials)?;
            if !registers(thumbprints, certificate) {
                return unauthorized(format!(
                    "the certificate's thumbprints, {} and {}, are not registered for {identity}",
                    certificate.sha1, certificate.sha256
                ));
            }
            let sha1 = hash(&certificate.sha1.to_ascii_uppercase());
            let sha256 = hash(&certificate.sha256.to_ascii_uppercase());
            Ok(by_certificate(identity, Proof::Thumbprint { sha1, sha256 }))
        }
        Authentication::CertificateAuthority => {
            let certificate = certificate(credentials)?;
            // A module's certificate names the device and the module. [choice: a device's certificate is not good for its
            // modules, which are identities of their own]
            if certificate.common_name.as_deref() != Some(&*identity.to_string()) {
                return unauthorized(format!(
                    "the certificate's common name is {:?} instead of {identity}",
                    certificate.common_name.as_deref().unwrap_or_default()
                ));
            }
            match (facts.verify_chain)(&facts.authorities.load(), certificate, now) {
                Ok(()) => Ok(by_certificate(identity, Proof::Authority)),
                Err(why) => unauthorized(why),
            }
        }
    }
}

/// Whether who proved itself so may stay, now that the identity is to prove itself as `registered` says.
pub(super) fn still_counts(proof: Proof, registered: &Authentication) -> bool {
    match (proof, registered) {
        (Proof::Policy, Authentication::Sas(_) | Authentication::None)
        | (Proof::Authority, Authentication::CertificateAuthority) => true,
        (Proof::Key(key), Authentication::Sas(keys)) => {
            [&keys.primary, &keys.secondary].into_iter().any(|registered| hash(registered) == key)
        }
        (Proof::Thumbprint { sha1, sha256 }, Authentication::SelfSigned(thumbprints)) => {
            let registered = [&thumbprints.primary, &thumbprints.secondary].into_iter().flatten();
            registered
                .map(|thumbprint| hash(&thumbprint.to_ascii_uppercase()))
                .any(|thumbprint| thumbprint == sha1 || thumbprint == sha256)
        }
        (Proof::Policy | Proof::Key(_) | Proof::Thumbprint { .. } | Proof::Authority, _) => false,
    }
}

fn by_token(
    facts: &NodeFacts,
    identity: &IdentityId,
    keys: &SymmetricKeys,
    credentials: &Credentials,
    now: UnixMs,
) -> Result<Proven, HubError> {
    let Some(token) = &credentials.token else {
        return unauthorized(format!("{identity} is registered for tokens, and there is none"));
    };
    let token = SasToken::parse(token)?;
    let policies = facts.policies.load();
    let verify = |keys: &SymmetricKeys| {
        let IdentityId { device, module } = identity;
        authenticate_device(&token, &facts.hub_host, device, module.as_ref(), keys, &policies, now)
    };
    let (auth, expires) = verify(keys)?;
    let proof = if auth.kind == AuthType::SymmetricKey {
        let primary =
            SymmetricKeys { primary: keys.primary.clone(), secondary: keys.primary.clone() };
        Proof::Key(hash(if verify(&primary).is_ok() { &keys.primary } else { &keys.secondary }))
    } else {
        Proof::Policy
    };
    Ok(Proven { proof, auth, expires: Some(expires) })
}

fn certificate(credentials: &Credentials) -> Result<&PeerCertificate, HubError> {
    credentials.certificate.as_deref().ok_or_else(|| {
        let why = "the identity is registered for certificates, and the client showed none";
        HubError::Unauthorized(why.into())
    })
}

fn registers(thumbprints: &Thumbprints, certificate: &PeerCertificate) -> bool {
    let registered = [&thumbprints.primary, &thumbprints.secondary].into_iter().flatten();
    registered.into_iter().any(|thumbprint| {
        [&certificate.sha1, &certificate.sha256]
            .into_iter()
            .any(|shown| thumbprint.eq_ignore_ascii_case(shown))
    })
}

fn by_certificate(identity: &IdentityId, proof: Proof) -> Proven {
    let scope = if identity.module.is_some() { AuthScope::Module } else { AuthScope::Device };
    Proven { proof, auth: AuthMethod { scope, kind: AuthType::X509 }, expires: None }
}

fn unauthorized<T>(why: String) -> Result<T, HubError> {
    Err(HubError::Unauthorized(why))
}

/// Tells secrets apart without keeping another copy of one.
fn hash(text: &str) -> u64 {
    let mut hasher = DefaultHasher::new();
    text.hash(&mut hasher);
    hasher.finish()
}
