use serde_json::json;

use crate::auth::SymmetricKeys;
use crate::device::Authentication;
use crate::registry::{PolicyKey, RegenerateRequest, RotatedKeys};

fn keys(primary: &str, secondary: &str) -> SymmetricKeys {
    SymmetricKeys { primary: primary.into(), secondary: secondary.into() }
}

#[test]
fn each_word_renews_or_swaps_its_keys() {
    let current = Authentication::Sas(keys("p", "s"));
    let fresh = keys("P", "S");
    for (word, expected) in [
        ("Primary", keys("P", "s")),
        ("primaryKey", keys("P", "s")),
        ("secondary", keys("p", "S")),
        ("SecondaryKEY", keys("p", "S")),
        ("both", keys("P", "S")),
        ("SWAP", keys("s", "p")),
    ] {
        let rotated = PolicyKey::parse(word).unwrap().rotate(&current, &fresh).unwrap();
        assert!(rotated == expected, "{word}");
    }
    for other in [Authentication::None, Authentication::CertificateAuthority] {
        let refused = PolicyKey::Swap.rotate(&other, &fresh).unwrap_err();
        assert!(refused.to_string().contains(other.type_name()), "{refused}");
    }
    for no_word in ["", "Key", "Unknown", "bothKey", "swapKey"] {
        assert_eq!(PolicyKey::parse(no_word), None, "{no_word}");
    }
}

#[test]
fn a_request_has_a_fault_for_each_identity_that_is_none() {
    let body = r#"{"policyKey":"primary","devices":[{"id":"d1"},{"id":"d1","moduleId":"m1"},
        {"id":"d 2","moduleId":null},{},7]}"#;
    let request = RegenerateRequest::parse(body.as_bytes()).unwrap();
    let named: Vec<_> = request
        .identities
        .iter()
        .map(|one| one.as_ref().map(ToString::to_string).map_err(|f| f.error.code().number))
        .collect();
    assert_eq!(
        named,
        [Ok("d1".into()), Ok("d1/m1".into()), Err(400_004), Err(400_012), Err(400_012)]
    );
    let identity = request.identities[1].clone().unwrap();
    let rotated = [RotatedKeys { identity, keys: keys("p", "s") }];
    let fault = request.identities[2].clone().unwrap_err();
    let answer = request.result_json(&rotated, &[fault]);
    assert_eq!(answer["policyKey"], "primaryKey");
    let expected = json!([{"id": "d1", "moduleId": "m1", "primaryKey": "p", "secondaryKey": "s"}]);
    assert_eq!(answer["rotatedKeys"], expected);
    assert_eq!(answer["errors"][0]["id"], "d 2");
    assert_eq!(answer["errors"][0]["errorCode"], "ArgumentInvalid");
}

#[test]
fn a_request_that_is_none_is_refused() {
    let many = vec!["{}"; 101].join(",");
    for (body, code) in [
        ("", 400_004),
        ("[]", 400_004),
        (r#"{"policyKey":"third","devices":[{"id":"a"}]}"#, 400_004),
        (r#"{"policyKey":"swap"}"#, 400_004),
        (r#"{"policyKey":"swap","devices":[]}"#, 400_004),
        (&format!(r#"{{"policyKey":"swap","devices":[{many}]}}"#), 413_002),
        (&" ".repeat(70_000), 413_001),
    ] {
        let refused = RegenerateRequest::parse(body.as_bytes()).unwrap_err();
        assert_eq!(refused.code().number, code, "{body}");
    }
}
