use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use rcgen::{DnType, IsCa, KeyUsagePurpose};

use super::*;
use crate::net::test_certificates::{DAY_MS, NOW, authority, device, self_signed};

#[test]
fn thumbprints_are_upper_case_hex_of_the_der_form() {
    // The published hashes of three bytes; nothing here asks what they mean.
    let shown = peer_certificate(&[CertificateDer::from(b"abc".as_slice())]).unwrap();
    assert_eq!(shown.sha1, "A9993E364706816ABA3E25717850C26C9CD0D89D");
    let sha256 = "BA7816BF8F01CFEA414140DE5DAE2223B00361A396177A9CB410FF61F20015AD";
    assert_eq!(shown.sha256, sha256);
    assert_eq!((shown.common_name, shown.chain), (None, vec![Bytes::from_static(b"abc")]));
    assert_eq!(peer_certificate(&[]), None);
}

#[test]
fn the_common_name_is_the_clients_own() {
    for name in ["dev1", "dev-1.a:b", "gr\u{fc}n"] {
        let (own, other) = (self_signed(device(name)), self_signed(authority("CA")));
        let shown = peer_certificate(&[own.der.clone(), other.der.clone()]).unwrap();
        assert_eq!(shown.common_name.as_deref(), Some(name));
        assert_eq!(shown.chain, [own.der.to_vec(), other.der.to_vec()]);
    }
    let mut nameless = device("x");
    nameless.distinguished_name = rcgen::DistinguishedName::new();
    let shown = peer_certificate(&[self_signed(nameless).der]).unwrap();
    assert_eq!(shown.common_name, None);
}

#[test]
fn an_authority_is_read_in_every_form_that_tools_send() {
    let mut params = authority("Plant CA");
    params.distinguished_name.push(DnType::OrganizationName, "Example");
    let made = self_signed(params);
    let pem = made.pem();
    let wrapped: Vec<_> = BASE64_STANDARD.encode(&pem).into_bytes();
    let wrapped: Vec<_> = wrapped.chunks(64).map(|line| str::from_utf8(line).unwrap()).collect();
    for text in [
        pem.clone(),
        format!("\n  {}", pem.replace('\n', "\r\n")),
        BASE64_STANDARD.encode(&pem),
        wrapped.join("\n"),
        BASE64_STANDARD.encode(&made.der),
    ] {
        let read = UploadedAuthority::parse(&text, NOW).unwrap();
        assert_eq!(read.certificate, made.der.to_vec());
        assert!(read.subject.contains("CN=Plant CA") && read.subject.contains("O=Example"));
        assert_eq!(
            read.thumbprint,
            peer_certificate(std::slice::from_ref(&made.der)).unwrap().sha1
        );
        assert_eq!(read.expires, UnixMs(NOW.0 + DAY_MS));
    }
}

fn refused(text: &str, why: UploadError) {
    assert_eq!(UploadedAuthority::parse(text, NOW), Err(why), "{}", &text[..text.len().min(80)]);
}

#[test]
fn what_is_no_authority_is_refused() {
    let good = self_signed(authority("CA"));
    refused("", UploadError::NotX509);
    refused("not base64!", UploadError::Encoding);
    refused(&BASE64_STANDARD.encode("text"), UploadError::NotX509);
    refused(&"A".repeat(UPLOAD_BYTES_MAX + 4), UploadError::TooLarge);
    refused(&"A".repeat(AUTHORITY_BYTES_MAX * 3 / 2), UploadError::TooLarge);
    refused(&format!("{}{}", good.pem(), good.pem()), UploadError::Count(2));
    refused(&good.key.serialize_pem(), UploadError::Count(0));
    refused(&good.pem().replace("END", "NED"), UploadError::Encoding);
    let longer = [&good.der[..], b"x"].concat();
    refused(&BASE64_STANDARD.encode(longer), UploadError::NotX509);
    refused(&BASE64_STANDARD.encode(&good.der[..good.der.len() - 1]), UploadError::NotX509);

    refused(&self_signed(device("dev1")).pem(), UploadError::NotAuthority);
    let mut explicit = device("dev1");
    explicit.is_ca = IsCa::ExplicitNoCa;
    refused(&self_signed(explicit).pem(), UploadError::NotAuthority);
    let mut may_not_sign = authority("CA");
    may_not_sign.key_usages = vec![KeyUsagePurpose::DigitalSignature];
    refused(&self_signed(may_not_sign).pem(), UploadError::NotAuthority);

    assert_eq!(
        UploadedAuthority::parse(&good.pem(), UnixMs(NOW.0 + DAY_MS)),
        Err(UploadError::Expired)
    );
    let mut without_usage = authority("CA");
    without_usage.key_usages.clear();
    assert!(UploadedAuthority::parse(&self_signed(without_usage).pem(), NOW).is_ok());
}
