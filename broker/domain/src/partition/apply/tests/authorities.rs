use bytes::Bytes;

use super::*;
use crate::auth::Authority;
use crate::limits::{AUTHORITIES_MAX, AUTHORITY_BYTES_MAX};

fn authority(name: &str, n: u64) -> Authority {
    Authority {
        name: name.into(),
        certificate: Bytes::from_static(b"der"),
        subject: "CN=test".into(),
        thumbprint: "AB".repeat(20),
        expires: UnixMs(1_000_000),
        verified: n > 1,
        etag: format!("etag{n}"),
        created: UnixMs(n),
        updated: UnixMs(n),
    }
}

fn put(name: &str, n: u64, if_match: &str) -> Command {
    let precondition = IfMatch::parse(if_match);
    Command::PutAuthority { authority: Box::new(authority(name, n)), precondition }
}

fn delete(name: &str, if_match: &str) -> Command {
    Command::DeleteAuthority { name: name.into(), precondition: IfMatch::parse(if_match) }
}

#[test]
fn every_etag_case_of_put_and_delete() {
    let stale = Outcome::Refused(HubError::PreconditionFailed { current: "etag1".into() });
    let missing = Outcome::Refused(HubError::CertificateNotFound("Root".into()));
    for (if_match, exists, put_refused, delete_refused) in [
        ("*", true, None, None),
        ("\"etag1\"", true, None, None),
        ("\"etag9\"", true, Some(&stale), Some(&stale)),
        ("", true, Some(&stale), Some(&stale)),
        ("*", false, None, Some(&missing)),
        ("", false, None, Some(&missing)),
        ("\"etag1\"", false, Some(&missing), Some(&missing)),
    ] {
        let records = || {
            let mut records = Memory::default();
            if exists {
                run(put("Root", 1, "*"), &mut records);
            }
            records
        };
        let mut changed = records();
        let outcome = run(put("Root", 2, if_match), &mut changed);
        match put_refused {
            Some(refused) => {
                assert_eq!(&outcome, refused, "{if_match:?} {exists}");
                assert_eq!(changed.authorities, records().authorities);
            }
            None => {
                let created = if exists { UnixMs(1) } else { UnixMs(2) };
                let expected = Authority { created, ..authority("Root", 2) };
                assert_eq!(outcome, Outcome::Authority(Box::new(expected.clone())), "{if_match:?}");
                assert_eq!(changed.authorities, [expected]);
            }
        }
        let mut changed = records();
        let outcome = run(delete("Root", if_match), &mut changed);
        assert_eq!(&outcome, delete_refused.unwrap_or(&Outcome::Deleted), "{if_match:?} {exists}");
        assert_eq!(changed.authorities.is_empty(), delete_refused.is_none() || !exists);
    }
}

#[test]
fn a_name_is_one_in_any_letter_case() {
    let mut records = Memory::default();
    run(put("Root", 1, "*"), &mut records);
    run(put("Other", 2, "*"), &mut records);
    let expected = Authority { created: UnixMs(1), ..authority("Root", 3) };
    let outcome = run(put("ROOT", 3, "*"), &mut records);
    assert_eq!(outcome, Outcome::Authority(Box::new(expected.clone())));
    assert_eq!(records.authorities, [expected, authority("Other", 2)]);
    assert_eq!(run(delete("root", "etag3"), &mut records), Outcome::Deleted);
    assert_eq!(records.authorities, [authority("Other", 2)]);
}

#[test]
fn authorities_are_few_and_small() {
    let mut records = Memory::default();
    let is_refused = |command, records: &mut Memory| {
        matches!(run(command, records), Outcome::Refused(HubError::InvalidArgument(_)))
    };
    let sized = |certificate: usize, subject: usize| Command::PutAuthority {
        authority: Box::new(Authority {
            certificate: vec![0; certificate].into(),
            subject: "s".repeat(subject),
            ..authority("sized", 1)
        }),
        precondition: IfMatch::Any,
    };
    let max = AUTHORITY_BYTES_MAX;
    for (command, refused) in [
        (put("", 1, "*"), true),
        (put(&"n".repeat(257), 1, "*"), true),
        (sized(max + 1, 1), true),
        (sized(1, max + 1), true),
        (sized(max, max), false),
    ] {
        assert_eq!(is_refused(command, &mut records), refused);
    }
    for n in records.authorities.len()..AUTHORITIES_MAX {
        assert!(!is_refused(put(&format!("ca{n}"), 1, "*"), &mut records), "{n}");
    }
    assert!(is_refused(put("one-more", 1, "*"), &mut records));
    assert!(!is_refused(put("sized", 2, "*"), &mut records), "changing one adds none");
}
