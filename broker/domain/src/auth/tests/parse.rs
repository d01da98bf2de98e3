use proptest::prelude::*;

use crate::auth::{SasError, SasToken};
use crate::limits::{SAS_CLOCK_SKEW_MS, SAS_TOKEN_BYTES_MAX};
use crate::time::UnixMs;

const SIG: &str = "5IAqOvUyEbgAlHzQ3j2z7e2mILfkORWo1xrDYoo7JWM%3D";

#[track_caller]
fn check(token: &str, expected: Result<(), SasError>) {
    assert_eq!(SasToken::parse(token).map(|_| ()), expected, "{token}");
}

#[test]
fn fields_come_in_any_order_and_unknown_ones_are_ignored() {
    check(&format!("SharedAccessSignature sr=h&sig={SIG}&se=1"), Ok(()));
    check(&format!("SharedAccessSignature sig={SIG}&se=1&sr=h"), Ok(()));
    check(&format!("SharedAccessSignature se=1&skn=&x=y&z&sr=h&sig={SIG}"), Ok(()));
    check(&format!("SharedAccessSignature \t  sr=h&sig={SIG}&se=1\r\n"), Ok(()));
    check(&format!("sharedaccesssignature sr=h&sig={SIG}&se=1"), Ok(()));
}

#[test]
fn a_token_lacking_a_field_or_repeating_one_is_refused() {
    check("", Err(SasError::Scheme));
    check("SharedAccessSignature", Err(SasError::Scheme));
    check(&format!("Bearer sr=h&sig={SIG}&se=1"), Err(SasError::Scheme));
    check(&format!("SharedAccessSignature sig={SIG}&se=1"), Err(SasError::Missing("sr")));
    check("SharedAccessSignature sr=h&se=1", Err(SasError::Missing("sig")));
    check(&format!("SharedAccessSignature sr=h&sig={SIG}"), Err(SasError::Missing("se")));
    check(
        &format!("SharedAccessSignature sr=h&sr=i&sig={SIG}&se=1"),
        Err(SasError::Repeated("sr")),
    );
}

#[test]
fn a_signature_is_the_base64_of_32_bytes_however_it_is_escaped() {
    let token = |sig: &str| format!("SharedAccessSignature sr=h&sig={sig}&se=1");
    // `+` and `/` raw, as some write them; lower-case and upper-case hex; padding missing.
    for sig in [
        "MKsxbSE9dpNplr0csexRJNteZtMWor59qsKlxe/EJB0=",
        "MKsxbSE9dpNplr0csexRJNteZtMWor59qsKlxe%2FEJB0%3D",
        "MKsxbSE9dpNplr0csexRJNteZtMWor59qsKlxe%2fEJB0%3d",
        "MKsxbSE9dpNplr0csexRJNteZtMWor59qsKlxe/EJB0",
        "v0lYyDZhedvSWiL2aOgcFeXy7brkiN3Vfij5bOkvq+U=",
    ] {
        check(&token(sig), Ok(()));
    }
    for sig in ["", "AAAA", "%", "*", "v0lYyDZhedvSWiL2aOgcFeXy7brkiN3Vfij5bOkvq U="] {
        check(&token(sig), Err(SasError::Signature));
    }
}

#[test]
fn an_expiry_is_decimal_seconds() {
    let token =
        |se: &str| SasToken::parse(&format!("SharedAccessSignature sr=h&sig={SIG}&se={se}"));
    assert_eq!(token("1900000000").unwrap().expires(), UnixMs(1_900_000_000_000));
    assert_eq!(token("99999999999999999999999").unwrap().expires(), UnixMs(u64::MAX));
    for se in ["", "-1", "+1", "1.5", "0x10", "soon"] {
        assert_eq!(token(se), Err(SasError::Expiry), "{se}");
    }
}

#[test]
fn a_token_is_expired_once_it_ended_by_more_than_clocks_differ() {
    let token = SasToken::parse(&format!("SharedAccessSignature sr=h&sig={SIG}&se=1000")).unwrap();
    assert!(!token.is_expired(UnixMs(1_000_000)));
    assert!(!token.is_expired(UnixMs(1_000_000 + SAS_CLOCK_SKEW_MS - 1)));
    assert!(token.is_expired(UnixMs(1_000_000 + SAS_CLOCK_SKEW_MS)));
    assert!(token.is_expired(UnixMs(u64::MAX)));
}

#[test]
fn a_token_over_the_bound_is_not_looked_at() {
    let fill = "x".repeat(SAS_TOKEN_BYTES_MAX);
    let token = format!("SharedAccessSignature sr=h&sig={SIG}&se=1&x={fill}");
    check(&token, Err(SasError::TooLong(token.len())));
}

#[test]
fn debug_output_does_not_hold_the_signature() {
    let token = SasToken::parse(&format!("SharedAccessSignature sr=h&sig={SIG}&se=1")).unwrap();
    assert!(!format!("{token:?}").contains("5IAq"));
}

proptest! {
    #[test]
    fn no_text_makes_the_parser_panic(text in any::<String>()) {
        let _ = SasToken::parse(&text);
        let _ = SasToken::parse(&format!("SharedAccessSignature {text}"));
    }

    #[test]
    fn no_field_value_makes_the_parser_or_the_scope_panic(
        sr in "[a-z%/:?.A-F0-9\u{e9}]{0,40}", sig in "[A-Za-z0-9%+/=]{0,50}", se in "[0-9%]{0,25}",
    ) {
        let _ = SasToken::parse(&format!("SharedAccessSignature sr={sr}&sig={sig}&se={se}&skn={sr}"));
        for reading in crate::auth::Resource::readings(&sr) {
            let _ = reading.covers(&["devices", "d"]);
        }
    }
}
