use super::check::check;
use super::size::{check_growth, counted};
use super::*;
use crate::limits::{TWIN_JSON_BYTES_MAX, TWIN_KEY_BYTES_MAX, TWIN_STRING_BYTES_MAX};

fn nested(levels: usize, open: &str, close: &str, inner: &str) -> String {
    format!("{{\"a\":{}{inner}{}}}", open.repeat(levels), close.repeat(levels))
}

#[test]
fn what_a_member_may_be() {
    let text = |count| format!(r#"{{"t":"{}"}}"#, "x".repeat(count));
    let key = |count| format!(r#"{{"{}":1}}"#, "k".repeat(count));
    for (json, path) in [
        ("{}".to_owned(), None),
        (r#"{"":1,"a-b_c":null,"\u00e4\ud83d\ude00":true}"#.into(), None),
        (r#"{"a":4503599627370495,"b":-4503599627370496}"#.into(), None),
        (r#"{"a":4503599627370496}"#.into(), Some("s.a: 4503599627370496 is outside")),
        (r#"{"a":{"b":[1,-4503599627370497]}}"#.into(), Some("s.a.b: ")),
        (r#"{"a":18446744073709551615}"#.into(), Some("s.a: ")),
        (r#"{"a":1e300,"b":-0.5,"c":4503599627370496.5}"#.into(), None),
        (r#"{"a.b":1}"#.into(), Some("s.a.b: the key has the character '.'")),
        (r#"{"a":{"$b":1}}"#.into(), Some("s.a.$b: the key has the character '$'")),
        (r#"{"$version":1}"#.into(), Some("s.$version: ")),
        (r#"{"a":[{"b c":1}]}"#.into(), Some("s.a.b c: ")),
        (r#"{"b c":null}"#.into(), Some("s.b c: ")),
        (r#"{"a\u0000":1}"#.into(), Some("s.a\\0: ")),
        (r#"{"a\u009f":1}"#.into(), Some("the key has the character '\\u{9f}'")),
        (r#"{"a":"\u0000.$ "}"#.into(), None),
        (text(TWIN_STRING_BYTES_MAX), None),
        (text(TWIN_STRING_BYTES_MAX + 1), Some("s.t: the text has more than 4096 bytes")),
        (r#"{"t":"_"}"#.replace('_', &"\u{e4}".repeat(2049)), Some("s.t: ")),
        (key(TWIN_KEY_BYTES_MAX), None),
        (key(TWIN_KEY_BYTES_MAX + 1), Some("kkk...: the key has more than 1024 bytes")),
        (nested(10, r#"{"b":"#, "}", "1"), None),
        (nested(11, r#"{"b":"#, "}", "1"), Some("nested deeper than 10 levels")),
        (nested(10, "[", "]", "1"), None),
        (nested(10, "[", "]", "{}"), Some("s.a: nested deeper")),
        (nested(11, "[", "]", ""), Some("s.a: nested deeper")),
    ] {
        match (check("s", &object(&json)), path) {
            (Ok(()), None) => {}
            (Err(HubError::InvalidArgument(why)), Some(path)) => {
                assert!(why.contains(path), "{why:?} does not name {path:?}");
                assert!(why.len() < 400, "{}", why.len());
            }
            (result, _) => panic!("{json}: {result:?}"),
        }
    }
}

#[test]
fn what_counts_for_the_size() {
    for (json, size) in [
        ("{}", 0),
        (r#"{"key":"value"}"#, 8),
        (r#"{"k":1}"#, 9),
        (r#"{"k":1.5e9}"#, 9),
        (r#"{"k":true}"#, 5),
        (r#"{"k":[]}"#, 1),
        (r#"{"k":["ab",1,false,null,{"x":"y"}]}"#, 1 + 2 + 8 + 4 + 2),
        (r#"{"k":{"l":{}}}"#, 2),
        (r#"{"k":"\u00e4\ud83d\ude00"}"#, 3),
        (r#"{"k":"a\u0000\n\u007f\u009fb"}"#, 3),
    ] {
        assert_eq!(counted(&object(json)), size, "{json}");
    }
}

#[test]
fn a_section_may_shrink_while_it_is_too_large_but_not_grow() {
    let of = |size: usize| object(&format!(r#"{{"k":"{}"}}"#, "x".repeat(size - 1)));
    for (old, new, may) in [
        (1, 10, true),
        (1, 11, false),
        (20, 11, true),
        (20, 20, true),
        (20, 21, false),
        (11, 12, false),
        (20, 5, true),
    ] {
        let result = check_growth("tags", &of(old), &of(new), 10);
        assert_eq!(result.is_ok(), may, "{old} to {new}");
        if !may {
            let why = refused(result);
            assert_eq!(
                why,
                format!("tags would have a size of {new} bytes, at most 10 are allowed")
            );
        }
    }
}

#[test]
fn what_counts_nothing_is_bounded_too() {
    let nulls = |count: usize| object(&format!(r#"{{"k":[{}]}}"#, vec!["null"; count].join(",")));
    let (small, large) = (nulls(TWIN_JSON_BYTES_MAX / 5 - 2), nulls(TWIN_JSON_BYTES_MAX / 5));
    check_growth("tags", &Object::new(), &small, 10).unwrap();
    refused(check_growth("tags", &small, &large, 10));
    check_growth("tags", &large, &large, 10).unwrap();
    check_growth("tags", &large, &small, 10).unwrap();
}

#[test]
fn every_section_has_its_own_limit() {
    let limits = TwinLimits { desired_bytes_max: 20, reported_bytes_max: 30, tags_bytes_max: 10 };
    let section = |size: usize| format!(r#"{{"k":"{}"}}"#, "x".repeat(size - 1));
    let twin = Twin::new(UnixMs(1));
    let service =
        |update: TwinUpdate| twin.clone().update(update, &IfMatch::Any, &limits, UnixMs(2));
    let desired = |size| format!(r#"{{"properties":{{"desired":{}}}}}"#, section(size));
    let tags = |size| format!(r#"{{"tags":{}}}"#, section(size));
    for parse in [patch, replace] {
        assert!(service(parse(&desired(20))).is_ok());
        assert!(refused(service(parse(&desired(21)))).contains("properties.desired"));
        assert!(service(parse(&tags(10))).is_ok());
        assert!(refused(service(parse(&tags(11)))).contains("tags"));
    }
    let device = |size| {
        let patch = object(&section(size));
        twin.clone().patch_reported(patch, None, &limits, UnixMs(2))
    };
    assert!(device(30).is_ok());
    assert!(refused(device(31)).contains("properties.reported"));
    // One section that is refused takes the other along.
    let both = format!(r#"{{"tags":{},"properties":{{"desired":{}}}}}"#, section(5), section(21));
    refused(service(patch(&both)));
}
