//! The certificate authorities that devices may be certified by, and whether one of them certified a device
//! (device-protocols.md 1.5).

use std::time::Duration;

use ironhub_domain::auth::{Authority, PeerCertificate};
use ironhub_domain::time::UnixMs;
use rustls::crypto::ring;
use rustls::pki_types::{CertificateDer, TrustAnchor, UnixTime};
use webpki::{EndEntityCert, KeyUsage, anchor_from_trusted_cert};

/// Whether a chain leads from the client's certificate, over others that it sent along, to a verified one of the
/// `authorities`, and all of it counts at `now` and for clients. The text of a refusal is for logs and for the device's
/// owner. Whose the certificate is, its common name says; that is not looked at here.
pub fn verify(
    authorities: &[Authority],
    peer: &PeerCertificate,
    now: UnixMs,
) -> Result<(), String> {
    let chain: Vec<CertificateDer<'_>> =
        peer.chain.iter().map(|certificate| certificate.as_ref().into()).collect();
    let Some((own, others)) = chain.split_first() else {
        return Err("there is no client certificate".into());
    };
    let usable = |authority: &&Authority| authority.verified && now < authority.expires;
    let certificates: Vec<CertificateDer<'_>> = authorities
        .iter()
        .filter(usable)
        .map(|authority| authority.certificate.as_ref().into())
        .collect();
    // One that cannot be read, which no upload lets in, certifies nobody.
    let anchors: Vec<TrustAnchor<'_>> =
        certificates.iter().filter_map(|der| anchor_from_trusted_cert(der).ok()).collect();
    if anchors.is_empty() {
        return Err("the hub has no verified certificate authority whose time is not over".into());
    }
    let own = EndEntityCert::try_from(own).map_err(refusal)?;
    let algorithms = ring::default_provider().signature_verification_algorithms.all;
    let now = UnixTime::since_unix_epoch(Duration::from_millis(now.0));
    own.verify_for_usage(algorithms, &anchors, others, now, KeyUsage::client_auth(), None, None)
        .map(|_| ())
        .map_err(refusal)
}

fn refusal(error: webpki::Error) -> String {
    format!("the client certificate is not certified by an authority of the hub: {error}")
}

#[cfg(test)]
mod tests;
