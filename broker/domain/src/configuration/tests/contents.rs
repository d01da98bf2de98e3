use serde_json::json;

use super::*;
use crate::limits::CONFIGURATION_PATHS_MAX;
use crate::twin::SectionChange;

fn content(json: Value) -> Result<Content, HubError> {
    Content::parse(object(json))
}

#[test]
fn a_content_is_exactly_one_of_three() {
    for (json, kind) in [
        (json!({"deviceContent": {"properties.desired.a": 1}}), "deviceContent"),
        (json!({"deviceContent": {}, "other": 7}), "deviceContent"),
        (
            json!({"moduleContent": {"properties.desired.a": 1}, "deviceContent": {}}),
            "moduleContent",
        ),
        (
            json!({"modulesContent": {"$edgeAgent": {"properties.desired": {"a": 1}}},
            "deviceContent": null}),
            "modulesContent",
        ),
    ] {
        let content = content(json.clone()).unwrap();
        assert_eq!(content.kind(), kind, "{json}");
        assert_eq!(Value::from(content.object().clone()), json[kind]);
    }
    for json in [
        json!({}),
        json!({"deviceContent": null}),
        json!({"deviceContent": {}, "moduleContent": {}}),
        json!({"deviceContent": {"properties.desired.a": 1},
            "moduleContent": {"properties.desired.a": 1}}),
    ] {
        assert!(refused(content(json.clone())).contains("exactly one"), "{json}");
    }
}

#[test]
fn objects_are_taken_apart_into_their_values() {
    let json = object(json!({
        "properties.desired.a.b": {"c": 1, "d": {"e": [{"f": 2}], "g": {}}, "h": null},
        "properties.desired.x": "y",
        "properties.desired.nothing": null,
    }));
    let settings = Settings::parse("content", &json).unwrap();
    let shown: Vec<_> = settings.values.iter().map(|(p, v)| format!("{p}={v}")).collect();
    assert_eq!(shown, ["a.b.c=1", r#"a.b.d.e=[{"f":2}]"#, "a.b.d.g={}", r#"x="y""#]);
    assert!(!settings.is_base);
    let patch = json!({"a": {"b": {"c": 1, "d": {"e": [{"f": 2}], "g": {}}}}, "x": "y"});
    assert_eq!(Value::from(settings.patch()), patch);
    let whole = object(json!({"properties.desired": patch}));
    let base = Settings::parse("content", &whole).unwrap();
    assert_eq!((base.values, base.is_base), (settings.values, true));
}

#[test]
fn paths_lead_into_the_desired_properties_and_do_not_meet() {
    let device = |json: Value| json!({"deviceContent": json});
    let deep = (0..11).fold(json!(1), |value, _| json!({"x": value}));
    let many: Object = (0..=CONFIGURATION_PATHS_MAX).map(|n| (format!("k{n}"), json!(n))).collect();
    for (json, why) in [
        (json!({"deviceContent": 7}), "not an object"),
        (device(json!({"tags.a": 1})), "does not begin with"),
        (device(json!({"properties.reported.a": 1})), "does not begin with"),
        (device(json!({"a": 1})), "does not begin with"),
        (device(json!({"properties.desired": 1})), "no path"),
        (device(json!({"properties.desired.": 1})), "no path"),
        (device(json!({"properties.desired..a": 1})), "no path"),
        (device(json!({"properties.desiredx": 1})), "no path"),
        (device(json!({"properties.desired.a b": 1})), "the key has the character ' '"),
        (device(json!({"properties.desired.$a": 1})), "the key has the character '$'"),
        (device(json!({"properties.desired.a": {"b.c": 1}, "properties.desired.a.b": 1})), "below"),
        (device(json!({"properties.desired.a": deep})), "deeper"),
        (device(json!({"properties.desired.a": 1, "properties.desired.a.b": 1})), "below it"),
        (device(json!({"properties.desired.a": {"b": 1}, "properties.desired.a.b": 1})), "twice"),
        (device(json!({"properties.desired": {"a": 1}, "properties.desired.a": 1})), "twice"),
        (device(json!({"properties.desired": many})), "more than 1000 values"),
        (json!({"modulesContent": {"m": 7}}), "modulesContent.m is not an object"),
        (json!({"modulesContent": {"m": {"a": 1}}}), "modulesContent.m: "),
    ] {
        let told = refused(content(json.clone()));
        assert!(told.contains(why), "{json}: {told}");
    }
    let bad_id = content(json!({"modulesContent": {"a b": {}}}));
    assert!(matches!(bad_id, Err(HubError::InvalidId(_))));
}

#[test]
fn a_path_comes_right_before_those_below_it() {
    let mut paths: Vec<_> =
        ["a.b", "a-b", "a", "b", "a.b.c", "a.ba"].map(|p| DesiredPath::parse(p).unwrap()).into();
    paths.sort();
    let sorted: Vec<_> = paths.iter().map(DesiredPath::as_str).collect();
    assert_eq!(sorted, ["a", "a.b", "a.b.c", "a.ba", "a-b", "b"]);
    let above: Vec<_> = paths[2].above().map(|path| path.to_string()).collect();
    assert_eq!(above, ["a.b", "a"]);
    assert!(paths[2].is_below(&paths[0]) && !paths[3].is_below(&paths[1]));
    for bad in ["", ".", "a.", ".a", "a..b"] {
        assert_eq!(DesiredPath::parse(bad), None, "{bad:?}");
    }
}

#[test]
fn a_content_goes_straight_to_a_device_and_its_modules() {
    let body = json!({
        "modulesContent": {
            "$edgeAgent": {"properties.desired": {"modules": {"m": {"v": 1}}}},
            "m": {"properties.desired.a.b": 2},
        },
        "deviceContent": {"properties.desired.c": 3},
    });
    let content = DirectContent::parse(body.to_string().as_bytes()).unwrap();
    let patch = |json: Value| SectionChange::Patch(object(json));
    assert_eq!(content.device, Some(patch(json!({"c": 3}))));
    let modules: Vec<_> = content.modules.iter().map(|(id, one)| (id.as_str(), one)).collect();
    let agent = SectionChange::Replace(object(json!({"modules": {"m": {"v": 1}}})));
    assert_eq!(modules, [("$edgeAgent", &agent), ("m", &patch(json!({"a": {"b": 2}})))]);
    for (body, why) in [
        ("", "not JSON"),
        ("[]", "not a JSON object"),
        ("{}", "neither"),
        (r#"{"deviceContent":{}}"#, "neither"),
        (r#"{"moduleContent":{}}"#, "use modulesContent"),
        (r#"{"modulesContent":7}"#, "modulesContent is not an object"),
        (r#"{"deviceContent":{"tags.a":1}}"#, "properties.desired"),
    ] {
        let told = refused(DirectContent::parse(body.as_bytes()));
        assert!(told.contains(why), "{body}: {told}");
    }
}
