use std::collections::BTreeMap;

use proptest::prelude::*;

use super::merge::merge;
use super::size::{counted, json_bytes};
use super::*;

fn merged(target: &str, patch: &str) -> String {
    let mut target = object(target);
    merge(&mut target, object(patch));
    Value::Object(target).to_string()
}

#[test]
fn a_merge_patch_does_what_rfc_7396_says() {
    // The examples of its appendix A whose target and patch are objects, and some about arrays and numbers.
    for (target, patch, expected) in [
        (r#"{"a":"b"}"#, r#"{"a":"c"}"#, r#"{"a":"c"}"#),
        (r#"{"a":"b"}"#, r#"{"b":"c"}"#, r#"{"a":"b","b":"c"}"#),
        (r#"{"a":"b"}"#, r#"{"a":null}"#, "{}"),
        (r#"{"a":"b","b":"c"}"#, r#"{"a":null}"#, r#"{"b":"c"}"#),
        (r#"{"a":["b"]}"#, r#"{"a":"c"}"#, r#"{"a":"c"}"#),
        (r#"{"a":"c"}"#, r#"{"a":["b"]}"#, r#"{"a":["b"]}"#),
        (r#"{"a":{"b":"c"}}"#, r#"{"a":{"b":"d","c":null}}"#, r#"{"a":{"b":"d"}}"#),
        (r#"{"a":[{"b":"c"}]}"#, r#"{"a":[1]}"#, r#"{"a":[1]}"#),
        (r#"{"e":null}"#, r#"{"a":1}"#, r#"{"a":1,"e":null}"#),
        ("{}", r#"{"a":{"bb":{"ccc":null}}}"#, r#"{"a":{"bb":{}}}"#),
        (r#"{"a":{"b":1}}"#, r#"{"a":{"b":null}}"#, r#"{"a":{}}"#),
        (r#"{"a":1}"#, r#"{"a":{"b":2}}"#, r#"{"a":{"b":2}}"#),
        ("{}", r#"{"a":[null,{"b":null}]}"#, r#"{"a":[null,{"b":null}]}"#),
        ("{}", r#"{"a":null}"#, "{}"),
        ("{}", r#"{"a":1.0,"b":-0,"c":1e2}"#, r#"{"a":1.0,"b":-0.0,"c":100.0}"#),
    ] {
        assert_eq!(merged(target, patch), expected, "{target} {patch}");
    }
}

/// What RFC 7396 has as pseudocode, kept apart from how the hub does it.
fn reference(target: Value, patch: Value) -> Value {
    let Value::Object(patch) = patch else { return patch };
    let mut target = if let Value::Object(target) = target { target } else { Object::new() };
    for (name, value) in patch {
        if value.is_null() {
            target.remove(&name);
        } else {
            let old = target.remove(&name).unwrap_or(Value::Null);
            target.insert(name, reference(old, value));
        }
    }
    Value::Object(target)
}

/// Any value, with few different keys so that patches meet what is there.
fn any_value() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        (-(1i64 << 52)..(1 << 52)).prop_map(Value::from),
        any::<f64>()
            .prop_filter("JSON has finite numbers", |x| x.is_finite())
            .prop_map(Value::from),
        any::<String>().prop_map(Value::from),
    ];
    leaf.prop_recursive(4, 24, 4, |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..4).prop_map(Value::from),
            members(inner).prop_map(Value::Object),
        ]
    })
}

fn members(value: impl Strategy<Value = Value>) -> impl Strategy<Value = Object> {
    let key = prop::sample::select(vec!["a", "b", "c", "\u{e4}"]).prop_map(str::to_owned);
    prop::collection::btree_map(key, value, 0..4).prop_map(|map| map.into_iter().collect())
}

fn any_object() -> impl Strategy<Value = Object> {
    members(any_value())
}

/// Whether the stamps have the shape of the values: a member for each member of an object, none for anything else.
fn mirrors(metadata: &Metadata, value: &Value) -> bool {
    let empty = Object::new();
    let object = value.as_object().unwrap_or(&empty);
    metadata.members.len() == object.len()
        && metadata
            .members
            .iter()
            .all(|(key, member)| object.get(key).is_some_and(|value| mirrors(member, value)))
}

/// No stamp is newer than that of the object it is in.
fn parents_are_newest(metadata: &Metadata) -> bool {
    metadata
        .members
        .values()
        .all(|member| member.stamp.updated <= metadata.stamp.updated && parents_are_newest(member))
}

fn roomy() -> TwinLimits {
    TwinLimits {
        desired_bytes_max: usize::MAX,
        reported_bytes_max: usize::MAX,
        tags_bytes_max: usize::MAX,
    }
}

#[derive(Clone, Debug)]
enum Step {
    Patch(Object),
    Replace(Object),
    Tags(Object),
    Report(Object),
}

fn any_step() -> impl Strategy<Value = Step> {
    prop_oneof![
        any_object().prop_map(Step::Patch),
        any_object().prop_map(Step::Replace),
        any_object().prop_map(Step::Tags),
        any_object().prop_map(Step::Report),
    ]
}

proptest! {
    #[test]
    fn merging_is_rfc_7396(target in any_object(), patch in any_object()) {
        let expected = reference(Value::Object(target.clone()), Value::Object(patch.clone()));
        let mut target = target;
        merge(&mut target, patch);
        prop_assert_eq!(Value::Object(target), expected);
    }

    #[test]
    fn sizes_are_those_of_what_is_written_and_read_again(object in any_object()) {
        let json = serde_json::to_vec(&object).unwrap();
        prop_assert_eq!(json_bytes(&object), json.len());
        let again: Object = serde_json::from_slice(&json).unwrap();
        prop_assert_eq!(counted(&again), counted(&object));
        prop_assert!(counted(&object) <= json.len() * 4, "at most 8 for a number of one digit and a comma");
        prop_assert_eq!(again, object);
    }

    #[test]
    fn every_change_counts_once_and_is_stamped_where_it_is(
        steps in prop::collection::vec(any_step(), 1..8)
    ) {
        let mut twin = Twin::new(UnixMs(1));
        let mut device = BTreeMap::<u64, Value>::new();
        for (now, step) in (2..).zip(steps) {
            let before = twin.clone();
            let service = |update| before.clone().update(update, &IfMatch::Any, &roomy(), UnixMs(now));
            let desired = |change| TwinUpdate { desired: Some(change), ..TwinUpdate::default() };
            let change = match step.clone() {
                Step::Patch(patch) => service(desired(SectionChange::Patch(patch))),
                Step::Replace(values) => service(desired(SectionChange::Replace(values))),
                Step::Tags(tags) => {
                    let tags = Some(SectionChange::Patch(tags));
                    service(TwinUpdate { tags, ..TwinUpdate::default() })
                }
                Step::Report(patch) => {
                    before.clone().patch_reported(patch, None, &roomy(), UnixMs(now))
                }
            };
            let TwinChange { twin: after, notice } = change.unwrap();
            let (is_desired, is_reported) = match step {
                Step::Patch(_) | Step::Replace(_) => (true, false),
                Step::Tags(_) => (false, false),
                Step::Report(_) => (false, true),
            };
            prop_assert_eq!(after.version, before.version + 1);
            prop_assert_eq!(after.etag_counter, before.etag_counter + u64::from(!is_reported));
            prop_assert_eq!(after.desired.version, before.desired.version + u64::from(is_desired));
            prop_assert_eq!(
                after.reported.version,
                before.reported.version + u64::from(is_reported)
            );
            prop_assert_eq!(notice.is_some(), is_desired);
            for section in [&after.desired, &after.reported] {
                prop_assert!(mirrors(&section.metadata, &Value::Object(section.values.clone())));
                prop_assert!(parents_are_newest(&section.metadata));
            }
            if let Some(notice) = notice {
                let body = shown(&notice.body);
                prop_assert_eq!(&body["$version"], notice.version);
                prop_assert_eq!(notice.version, after.desired.version);
                device.insert(notice.version, body);
            }
            twin = after;
        }
        // A device that applies what it was told, a replacement as one, has what the hub has.
        let missed = twin.missed();
        prop_assert_eq!(missed.is_some(), !device.is_empty());
        if let Some(missed) = missed {
            prop_assert_eq!(shown(&missed.body), shown(&twin.device_view())["desired"].clone());
        }
    }
}
