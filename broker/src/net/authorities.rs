//! The certificate authorities that devices may be certified by, and whether one of them certified a device
//! (device-protocols.md 1.5).

use std::time::Duration;

use ironhub_domain::auth::{Authority, PeerCertificate};
use ironhub_domain::time::UnixMs;
use rustls::crypto::ring;
use rustls::pki_types::{CertificateDer, TrustAnchor, UnixTime};
use webpki::{EndEntityCert, KeyUsage, anchor_from_trusted_cert};

/// What [`Authorities::verify`] needs of each authority.
#[derive(Debug)]
struct Anchor {
    anchor: TrustAnchor<'static>,
    expires: UnixMs,
}

/// The authorities that count. Made anew when they change.
#[derive(Debug, Default)]
pub struct Authorities {
    anchors: Vec<Anchor>,
}

impl Authorities {
    /// Those of `authorities` that are verified. One that cannot be read, which no upload lets in, certifies nobody.
    pub fn new<'a>(authorities: impl IntoIterator<Item = &'a Authority>) -> Self {
        let verified = authorities.into_iter().filter(|authority| authority.verified);
        let anchor = |authority: &Authority| {
            let certificate = CertificateDer::from(authority.certificate.as_ref());
            match anchor_from_trusted_cert(&certificate) {
                Ok(anchor) => {
                    Some(Anchor { anchor: anchor.to_owned(), expires: authority.expires })
                }
                Err(error) => {
                    tracing::warn!(name = authority.name, %error, "certificate authority left out");
                    None
                }
            }
        };
        Self { anchors: verified.filter_map(anchor).collect() }
    }

    /// Whether a chain leads from the client's certificate, over others that it sent along, to an authority, and all of
    /// it counts at `now` and for clients. The text of a refusal is for logs and for the device's owner.
    pub fn verify(&self, peer: &PeerCertificate, now: UnixMs) -> Result<(), String> {
        let chain: Vec<CertificateDer<'_>> =
            peer.chain.iter().map(|certificate| certificate.as_ref().into()).collect();
        let Some((own, others)) = chain.split_first() else {
            return Err("there is no client certificate".into());
        };
        let current = self.anchors.iter().filter(|anchor| now < anchor.expires);
        let anchors: Vec<_> = current.map(|anchor| anchor.anchor.clone()).collect();
        if anchors.is_empty() {
            return Err("the hub has no verified certificate authority".into());
        }
        let own = EndEntityCert::try_from(own).map_err(refusal)?;
        let algorithms = ring::default_provider().signature_verification_algorithms.all;
        let now = UnixTime::since_unix_epoch(Duration::from_millis(now.0));
        own.verify_for_usage(algorithms, &anchors, others, now, KeyUsage::client_auth(), None, None)
            .map(|_| ())
            .map_err(refusal)
    }
}

fn refusal(error: webpki::Error) -> String {
    format!("the client certificate is not certified by an authority of the hub: {error}")
}

#[cfg(test)]
mod tests;
