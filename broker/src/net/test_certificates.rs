//! Certificates for the tests of this module: authorities and what they sign.

use ironhub_domain::time::UnixMs;
use rcgen::{
    BasicConstraints, CertificateParams, DnType, ExtendedKeyUsagePurpose, IsCa, Issuer, KeyPair,
    KeyUsagePurpose,
};
use rustls::pki_types::CertificateDer;
use time::OffsetDateTime;

/// 2031-01-01; certificates count from a day before to a day after unless told otherwise.
pub const NOW: UnixMs = UnixMs(1_924_992_000_000);
pub const DAY_MS: u64 = 86_400_000;

pub struct Made {
    pub key: KeyPair,
    pub params: CertificateParams,
    pub der: CertificateDer<'static>,
}

impl Made {
    pub fn pem(&self) -> String {
        use base64::Engine as _;
        let text = base64::prelude::BASE64_STANDARD.encode(&self.der);
        format!("-----BEGIN CERTIFICATE-----\n{text}\n-----END CERTIFICATE-----\n")
    }

    fn issuer(&self) -> Issuer<'_, &KeyPair> {
        Issuer::from_params(&self.params, &self.key)
    }
}

pub fn at(moment: UnixMs) -> OffsetDateTime {
    OffsetDateTime::from_unix_timestamp((moment.0 / 1000) as i64).unwrap()
}

/// A device's certificate as it should be, before it is signed.
pub fn device(name: &str) -> CertificateParams {
    let mut params = CertificateParams::new(Vec::<String>::new()).unwrap();
    params.distinguished_name.push(DnType::CommonName, name);
    params.not_before = at(UnixMs(NOW.0 - DAY_MS));
    params.not_after = at(UnixMs(NOW.0 + DAY_MS));
    params.extended_key_usages.push(ExtendedKeyUsagePurpose::ClientAuth);
    params
}

/// The same of an authority.
pub fn authority(name: &str) -> CertificateParams {
    let mut params = device(name);
    params.extended_key_usages.clear();
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    params.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign];
    params
}

pub fn self_signed(params: CertificateParams) -> Made {
    let key = KeyPair::generate().unwrap();
    let der = params.self_signed(&key).unwrap().der().clone();
    Made { key, params, der }
}

pub fn signed(params: CertificateParams, by: &Made) -> Made {
    let key = KeyPair::generate().unwrap();
    let der = params.signed_by(&key, &by.issuer()).unwrap().der().clone();
    Made { key, params, der }
}
