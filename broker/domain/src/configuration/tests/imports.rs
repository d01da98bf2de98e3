use serde_json::json;

use super::*;
use crate::registry::IfMatch;
use crate::time::UnixMs;

const CONTENT: &str = r#""content":{"deviceContent":{"properties.desired.a":1.50}}"#;

fn line(rest: &str) -> String {
    format!("{{\"id\":\"cfg1\",{CONTENT}{rest}}}")
}

#[test]
fn a_line_says_what_may_be_there_already() {
    let tag = |tag: &str| Ok(IfMatch::Tags(vec![tag.to_owned()]));
    for (rest, expected) in [
        ("", Ok(IfMatch::Tags(Vec::new()))),
        (r#","etag":null,"importMode":null"#, Ok(IfMatch::Tags(Vec::new()))),
        (r#","etag":"MQ==""#, tag("MQ==")),
        (r#","etag":"\"MQ==\"","importMode":"CreateOrUpdateIfMatchETag""#, tag("MQ==")),
        (r#","etag":"*""#, Ok(IfMatch::Any)),
        (r#","etag":"MQ==","importMode":"createOrUpdate""#, Ok(IfMatch::Any)),
        (r#","importMode":"create""#, Err("createOrUpdateIfMatchETag")),
        (r#","importMode":"never""#, Err("createOrUpdateIfMatchETag")),
        (r#","importMode":7"#, Err("importMode is no text")),
        (r#","etag":7"#, Err("etag is no text")),
        (r#","priority":-1"#, Err("priority")),
    ] {
        let item = ConfigurationItem::parse(line(rest).as_bytes());
        match (item, expected) {
            (Ok(item), Ok(expected)) => assert_eq!(item.precondition, expected, "{rest}"),
            (Err(fault), Err(why)) => {
                assert_eq!(fault.id, "cfg1", "{rest}");
                assert!(fault.error.told().contains(why), "{rest}: {fault:?}");
            }
            (item, _) => panic!("{rest}: {item:?}"),
        }
    }
}

#[test]
fn a_fault_names_the_configuration_as_far_as_the_line_does() {
    for (text, named, number) in [
        ("no json".to_owned(), "", 400_000..401_000),
        ("{}".to_owned(), "", 400_000..401_000),
        (r#"{"id":"BAD id"}"#.to_owned(), "BAD id", 400_000..401_000),
        (line("").replace("cfg1", &"x".repeat(5000)), &"x".repeat(128), 400_000..401_000),
    ] {
        let fault = ConfigurationItem::parse(text.as_bytes()).unwrap_err();
        let told: Value = serde_json::from_str(&fault.log_line(7)).unwrap();
        assert_eq!((&told["configurationId"], &told["line"]), (&json!(named), &json!(7)));
        assert!(told["errorCode"].as_u64().is_some_and(|n| number.contains(&n)), "{told}");
        assert!(told["errorStatus"].as_str().is_some_and(|why| !why.is_empty()), "{told}");
    }
}

#[test]
fn what_is_exported_can_be_imported_and_is_then_so_already() {
    let rest = r#","labels":{"a":"b"},"targetCondition":"tags.x = 'ä'","priority":7,
        "metrics":{"queries":{"m":"SELECT deviceId FROM devices"}}"#;
    let made = ConfigurationItem::parse(line(rest).as_bytes()).unwrap();
    let made = put(None, 0, made.request, None, UnixMs(1000)).unwrap();
    let exported = made.line();
    assert!(!exported.contains('\n') && !exported.contains("targetedCount\":0"), "{exported}");
    let item = ConfigurationItem::parse(exported.as_bytes()).unwrap();
    assert_eq!(item.precondition, IfMatch::Tags(vec!["MQ==".into()]));
    assert!(item.is_so_already(&made));
    let other = Configuration { priority: 8, ..made };
    assert!(!item.is_so_already(&other));
}
