//! Property bags, and the percent coding under them.

use proptest::collection::vec;
use proptest::option;
use proptest::prelude::*;

use crate::mqtt::percent::{self, NotUtf8};
use crate::mqtt::property_bag::{BagError, PAIRS_MAX, pairs};

/// `key=value` in brackets, `key` alone for null.
fn check(bag: &str, expected: &str) {
    let mut shown = String::new();
    for pair in pairs(bag) {
        match pair {
            Ok(pair) => match pair.value {
                Some(value) => shown.push_str(&format!("[{}={value}]", pair.key)),
                None => shown.push_str(&format!("[{}]", pair.key)),
            },
            Err(error) => shown.push_str(&format!("{error:?}")),
        }
    }
    assert_eq!(shown, expected, "{bag}");
}

#[test]
fn keys_alone_are_null_and_keys_with_nothing_behind_are_empty() {
    check("", "");
    check("a", "[a]");
    check("a=", "[a=]");
    check("a=b", "[a=b]");
    check("a&b=&c=d", "[a][b=][c=d]");
    check("a=1&a=2", "[a=1][a=2]");
}

#[test]
fn both_spellings_of_the_dollar_sign_are_one() {
    check("$.mid=1&%24.mid=2", "[$.mid=1][$.mid=2]");
}

#[test]
fn one_trailing_slash_is_framing_and_the_next_is_data() {
    check("/", "");
    check("a=b/", "[a=b]");
    check("a=b//", "[a=b/]");
    check("a=b%2F", "[a=b/]");
    check("$.ct=application/json&a=b/c", "[$.ct=application/json][a=b/c]");
}

#[test]
fn a_leading_question_mark_is_framing() {
    check("?a=b", "[a=b]");
    check("??a=b", "[?a=b]");
    check("a=?b", "[a=?b]");
}

#[test]
fn values_keep_what_is_not_an_encoding() {
    check("a=b=c", "[a=b=c]");
    check("a=b+c d", "[a=b+c d]");
    check("a=100%&b=%2&c=%zz&d=%%41", "[a=100%][b=%2][c=%zz][d=%A]");
    check("a=%2525", "[a=%25]");
    check("a=%c3%A9&%26%3d=%3D", "[a=é][&===]");
}

#[test]
fn empty_pieces_are_skipped() {
    check("&", "");
    check("a=b&&c=d&", "[a=b][c=d]");
}

#[test]
fn what_is_not_text_is_an_error_and_ends_the_bag() {
    check("a=1&b=%ff&c=2", "[a=1]NotUtf8(NotUtf8)");
    check("%c3=1", "NotUtf8(NotUtf8)");
    check("=1&a=b", "EmptyKey");
}

#[test]
fn bags_of_real_sdks() {
    check(
        "%24.mid=id%2F1%20x&%24.cid=c%261&%24.uid=u%241&%24.ct=application%2Fjson&%24.ce=utf-8&\
         %24.exp=2030-01-01T00%3A00%3A00&empty=&iothub-creation-time-utc=2021-04-21T11%3A30%3A16Z&k%201=v%3D1%2B2",
        "[$.mid=id/1 x][$.cid=c&1][$.uid=u$1][$.ct=application/json][$.ce=utf-8]\
         [$.exp=2030-01-01T00:00:00][empty=][iothub-creation-time-utc=2021-04-21T11:30:16Z][k 1=v=1+2]",
    );
    check(
        "%24.mid=id%2F1%20x&%24.ct=application%2Fjson&%24.ce=utf-8&k%201=v%3D1%2B2&e=",
        "[$.mid=id/1 x][$.ct=application/json][$.ce=utf-8][k 1=v=1+2][e=]",
    );
    check("%24.on=out1&%24.mid=i1&k=v/", "[$.on=out1][$.mid=i1][k=v]");
}

#[test]
fn one_property_too_many_is_an_error() {
    let bag = vec!["a=1"; PAIRS_MAX].join("&");
    assert_eq!(pairs(&bag).filter(Result::is_ok).count(), PAIRS_MAX);
    let bag = bag + "&a=1";
    assert_eq!(pairs(&bag).last(), Some(Err(BagError::TooMany)));
}

#[test]
fn decoding_never_yields_half_a_character() {
    assert_eq!(percent::decode("%f0%9f%92%a9").as_deref(), Ok("💩"));
    assert_eq!(percent::decode("%f0%9f%92"), Err(NotUtf8));
    assert_eq!(percent::decode("%ed%a0%80"), Err(NotUtf8));
}

proptest! {
    #[test]
    fn written_bags_come_back(
        properties in vec(("\\PC{1,20}", option::of("\\PC{0,20}")), 0..20), trailing in any::<bool>()
    ) {
        let mut bag = String::new();
        for (index, (key, value)) in properties.iter().enumerate() {
            if 0 < index {
                bag.push('&');
            }
            percent::encode(key, &mut bag);
            if let Some(value) = value {
                bag.push('=');
                percent::encode(value, &mut bag);
            }
        }
        if trailing {
            bag.push('/');
        }
        let read: Vec<_> = pairs(&bag)
            .map(|pair| pair.unwrap())
            .map(|pair| (pair.key.into_owned(), pair.value.map(|value| value.into_owned())))
            .collect();
        assert_eq!(read, properties);
    }
}
