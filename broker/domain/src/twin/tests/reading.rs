use super::parse::parse_reported;
use super::*;
use crate::limits::TWIN_JSON_BYTES_MAX;

fn as_patch(json: &str) -> Option<SectionChange> {
    Some(SectionChange::Patch(object(json)))
}

#[test]
fn only_tags_and_desired_properties_are_read_of_a_service() {
    for (body, tags, desired) in [
        ("{}", None, None),
        (r#"{"tags":{"a":1}}"#, as_patch(r#"{"a":1}"#), None),
        (r#"{"properties":{"desired":{"a":null}}}"#, None, as_patch(r#"{"a":null}"#)),
        (r#"{"tags":{},"properties":{}}"#, as_patch("{}"), None),
        (r#"{"tags":null,"properties":null}"#, None, None),
        (r#"{"properties":{"desired":null,"reported":{"$x":1}}}"#, None, None),
        (
            r#"{"deviceId":7,"etag":"x","$x":{},"properties":{"desired":{"$version":3,
                "$metadata":{"$lastUpdated":"then"},"a":1}},"tags":{"$version":1}}"#,
            as_patch("{}"),
            as_patch(r#"{"a":1}"#),
        ),
        (r#"{"tags":{"a":1},"tags":{"b":1,"b":2}}"#, as_patch(r#"{"b":2}"#), None),
    ] {
        assert_eq!(patch(body), TwinUpdate { tags, desired }, "{body}");
    }
    let whole = |json| Some(SectionChange::Replace(object(json)));
    let update = replace(r#"{"tags":{"a":1},"properties":{"desired":{"$version":9}}}"#);
    assert_eq!(update, TwinUpdate { tags: whole(r#"{"a":1}"#), desired: whole("{}") });
}

#[test]
fn a_body_that_is_no_update_is_refused() {
    for (body, why) in [
        ("", "not JSON"),
        (" ", "not JSON"),
        ("[]", "not a JSON object"),
        ("null", "not a JSON object"),
        ("{\"a\":1,}", "not JSON"),
        ("{} {}", "not JSON"),
        ("{'a':1}", "not JSON"),
        ("{\"a\":NaN}", "not JSON"),
        ("{\"a\":1e999}", "not JSON"),
        (r#"{"tags":7}"#, "tags is not an object"),
        (r#"{"properties":[]}"#, "properties is not an object"),
        (r#"{"properties":{"desired":"x"}}"#, "properties.desired is not an object"),
        (r#"{"tags":{"a":{"$metadata":1}}}"#, "tags.a.$metadata: "),
        (r#"{"properties":{"desired":{"$other":1}}}"#, "properties.desired.$other: "),
        (r#"{"tags":{"a":123456789012345678901}}"#, "too large"),
        (r#"{"tags":{"a":[-123456789012345678901]}}"#, "too large"),
    ] {
        for parse in [TwinUpdate::parse_patch, TwinUpdate::parse_replace] {
            let told = refused(parse(body.as_bytes()));
            assert!(told.contains(why), "{body}: {told}");
        }
    }
    let not_utf8 = refused(TwinUpdate::parse_patch(b"{\"tags\":{\"a\":\"\xff\"}}"));
    assert!(not_utf8.contains("not JSON"), "{not_utf8}");
}

#[test]
fn digits_are_many_only_where_they_are_an_integer() {
    for json in [
        r#"{"a":"12345678901234567890123","b\"123456789012345678901":1}"#,
        r#"{"a":0.12345678901234567890123,"b":12345678901234567890.5,"c":12345678901234567890e1}"#,
        r#"{"a":[1,2,3,4,5,6,7,8,9,10,11,12,13,14,15,16,17,18,19,20,21]}"#,
    ] {
        assert_eq!(parse_reported(json.as_bytes()), Ok(object(json)), "{json}");
    }
    for json in [
        r#"{"\\":12345678901234567890123}"#,
        r#"{"a":1.5,"b":12345678901234567890123 }"#,
        "{\"a\":12345678901234567890123\n}",
    ] {
        refused(parse_reported(json.as_bytes()));
    }
}

#[test]
fn a_device_may_send_a_version_with_its_patch_and_no_other_name_of_the_hubs() {
    let read = |body: &str| parse_reported(body.as_bytes());
    assert_eq!(read(r#"{"$version":7,"a":{"b":null}}"#), Ok(object(r#"{"a":{"b":null}}"#)));
    assert_eq!(read("{}"), Ok(Object::new()));
    for (body, why) in [
        (r#"{"$metadata":{}}"#, "properties.reported.$metadata: "),
        (r#"{"a":{"$version":1}}"#, "properties.reported.a.$version: "),
        ("", "not JSON"),
        ("null", "not a JSON object"),
    ] {
        let told = refused(read(body));
        assert!(told.contains(why), "{body}: {told}");
    }
}

#[test]
fn bodies_that_are_too_large_or_too_deep_are_refused() {
    let padded = |bytes: usize| format!("{{{}}}", " ".repeat(bytes - 2));
    assert!(parse_reported(padded(TWIN_JSON_BYTES_MAX).as_bytes()).is_ok());
    refused(parse_reported(padded(TWIN_JSON_BYTES_MAX + 1).as_bytes()));
    for bomb in ["{\"a\":".repeat(40_000), format!("{{\"a\":{}", "[".repeat(200_000))] {
        refused(parse_reported(bomb.as_bytes()));
        refused(TwinUpdate::parse_patch(bomb.as_bytes()));
    }
}
