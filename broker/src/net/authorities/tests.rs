use ironhub_domain::auth::{Authority, PeerCertificate};
use rcgen::{BasicConstraints, ExtendedKeyUsagePurpose, IsCa};

use super::*;
use crate::net::test_certificates::{
    DAY_MS, Made, NOW, at, authority, device, self_signed, signed,
};
use crate::net::x509::{UploadedAuthority, peer_certificate};

fn registered(made: &Made) -> Authority {
    let uploaded = UploadedAuthority::parse(&made.pem(), NOW).unwrap();
    Authority {
        name: "ca".into(),
        certificate: uploaded.certificate,
        subject: uploaded.subject,
        thumbprint: uploaded.thumbprint,
        expires: uploaded.expires,
        verified: true,
        etag: "e".into(),
        created: NOW,
        updated: NOW,
    }
}

fn shown(chain: &[&Made]) -> PeerCertificate {
    let chain: Vec<_> = chain.iter().map(|made| made.der.clone()).collect();
    peer_certificate(&chain).unwrap()
}

/// `why` is a part of the refusal; empty when there is none.
fn check(authorities: &[Authority], chain: &[&Made], now: UnixMs, why: &str) {
    let found = verify(authorities, &shown(chain), now);
    match (&found, why) {
        (Ok(()), "") => {}
        (Err(text), why) if !why.is_empty() && text.contains(why) => {}
        _ => panic!("{found:?}, expected {why:?}"),
    }
}

#[test]
fn a_device_is_certified_by_an_authority_or_by_one_that_it_certified() {
    let (root, other) = (self_signed(authority("root")), self_signed(authority("other")));
    let all = [registered(&other), registered(&root)];
    check(&all, &[&signed(device("dev1"), &root)], NOW, "");
    let mut plain = device("dev1");
    plain.extended_key_usages.clear();
    check(&all, &[&signed(plain, &root)], NOW, "");

    let middle = signed(authority("middle"), &root);
    let leaf = signed(device("dev1"), &middle);
    check(&all, &[&leaf, &middle], NOW, "");
    check(&all, &[&leaf, &other, &middle, &root], NOW, "");
    check(&all, &[&leaf], NOW, "UnknownIssuer");
    check(&[registered(&middle)], &[&leaf], NOW, "");
}

#[test]
fn what_nobody_registered_certified_is_refused() {
    let (root, other) = (self_signed(authority("root")), self_signed(authority("root")));
    let leaf = signed(device("dev1"), &root);
    // The same name with another key.
    check(&[registered(&other)], &[&leaf, &root], NOW, "Signature");
    let stranger = self_signed(authority("stranger"));
    check(&[registered(&stranger)], &[&leaf, &root], NOW, "UnknownIssuer");
    let alone = self_signed(device("dev1"));
    check(&[registered(&root)], &[&alone], NOW, "UnknownIssuer");
    check(&[], &[&leaf], NOW, "no verified certificate authority");
    let unverified = Authority { verified: false, ..registered(&root) };
    check(&[unverified], &[&leaf], NOW, "no verified certificate authority");
    let mut nothing = shown(&[&leaf]);
    nothing.chain.clear();
    assert!(verify(&[registered(&root)], &nothing, NOW).is_err());
}

#[test]
fn only_an_authority_certifies() {
    let root = self_signed(authority("root"));
    let all = [registered(&root)];
    let device_as_authority = signed(device("dev1"), &root);
    let leaf = signed(device("dev2"), &device_as_authority);
    check(&all, &[&leaf, &device_as_authority], NOW, "EndEntityUsedAsCa");
    let mut short = authority("short");
    short.is_ca = IsCa::Ca(BasicConstraints::Constrained(0));
    let short = signed(short, &root);
    let below = signed(authority("below"), &short);
    let leaf = signed(device("dev1"), &below);
    check(&all, &[&leaf, &below, &short], NOW, "PathLen");
    check(&all, &[&signed(authority("an authority"), &root)], NOW, "CaUsedAsEndEntity");
}

#[test]
fn a_servers_certificate_is_no_clients() {
    let root = self_signed(authority("root"));
    let mut server = device("dev1");
    server.extended_key_usages = vec![ExtendedKeyUsagePurpose::ServerAuth];
    check(&[registered(&root)], &[&signed(server, &root)], NOW, "Eku");
}

#[test]
fn all_of_the_chain_counts_now() {
    let root = self_signed(authority("root"));
    let all = [registered(&root)];
    let mut short = device("dev1");
    short.not_before = at(UnixMs(NOW.0 - DAY_MS / 2));
    short.not_after = at(UnixMs(NOW.0 + DAY_MS / 2));
    let leaf = signed(short, &root);
    check(&all, &[&leaf], NOW, "");
    check(&all, &[&leaf], UnixMs(NOW.0 + DAY_MS / 2 + 1000), "Expired");
    check(&all, &[&leaf], UnixMs(NOW.0 - DAY_MS / 2 - 1000), "NotValidYet");
    let mut long = device("dev2");
    long.not_after = at(UnixMs(NOW.0 + 9 * DAY_MS));
    let leaf = signed(long, &root);
    check(&all, &[&leaf], UnixMs(NOW.0 + DAY_MS - 1), "");
    check(&all, &[&leaf], UnixMs(NOW.0 + DAY_MS), "no verified certificate authority");
}
