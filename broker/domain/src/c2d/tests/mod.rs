//! The life of messages, as scripts and against a model.

mod model;
mod script;

use crate::c2d::LockToken;

#[test]
fn a_lock_token_is_a_uuid() {
    let text = "00112233-4455-6677-8899-aabbccddeeff";
    let token = LockToken::parse(text).unwrap();
    assert_eq!(token.to_string(), text);
    assert_eq!(LockToken::parse(&text.to_uppercase()), Some(token));
    for bad in ["", "00112233445566778899aabbccddeeff", &text[1..], &format!("{text}0")] {
        assert_eq!(LockToken::parse(bad), None, "{bad}");
    }
    assert_eq!(LockToken::parse("0011223g-4455-6677-8899-aabbccddeeff"), None);
    assert_eq!(LockToken::parse("+0112233-4455-6677-8899-aabbccddeeff"), None);
}
