use serde_json::{Value, json};

use crate::ids::DeviceId;
use crate::limits::TwinLimits;
use crate::registry::IfMatch;
use crate::time::UnixMs;
use crate::twin::parse::parse_reported;
use crate::twin::{Twin, TwinUpdate, digital};

fn twin(desired: Value, reported: Value) -> Twin {
    let limits = TwinLimits::DEFAULT;
    let body = json!({"properties": {"desired": desired}}).to_string();
    let update = TwinUpdate::parse_patch(body.as_bytes()).unwrap();
    let twin = Twin::new(UnixMs(1)).update(update, &IfMatch::Any, &limits, UnixMs(2)).unwrap().twin;
    let patch = parse_reported(reported.to_string().as_bytes()).unwrap();
    twin.patch_reported(patch, None, &limits, UnixMs(3)).unwrap().twin
}

#[test]
fn values_are_those_reported_and_what_is_desired_is_told_about_them() {
    let twin = twin(
        json!({"target": 20, "asked": 1, "part": {"__t": "c", "rate": 5}}),
        json!({"target": {"value": 19, "ac": 202, "av": 2, "ad": "soon"}, "serial": "s",
            "part": {"__t": "c", "speed": {"x": 1}}}),
    );
    let view = digital::view(&DeviceId::new("d").unwrap(), "dtmi:m;1", &twin);
    let (wanted, told) = (UnixMs(2).iso8601(), UnixMs(3).iso8601());
    let expected = json!({
        "$dtId": "d",
        "$metadata": {
            "$model": "dtmi:m;1",
            "target": {"desiredValue": 20, "desiredVersion": 2, "ackVersion": 2, "ackCode": 202,
                "ackDescription": "soon", "lastUpdateTime": told},
            "asked": {"desiredValue": 1, "desiredVersion": 2, "lastUpdateTime": wanted},
            "serial": {"lastUpdateTime": told},
        },
        "target": 19,
        "serial": "s",
        "part": {
            "speed": {"x": 1},
            "$metadata": {
                "rate": {"desiredValue": 5, "desiredVersion": 2, "lastUpdateTime": wanted},
                "speed": {"lastUpdateTime": told},
            },
        },
    });
    assert_eq!(Value::Object(view), expected);
}

#[track_caller]
fn check(steps: Value, expected: Result<Value, &str>) {
    let twin = twin(
        json!({"a": 1, "o": {"x": 1, "y": 2}, "part": {"__t": "c", "rate": 5}}),
        json!({"seen": {"__t": "c", "r": 1}, "plain": {"r": 1}}),
    );
    let changed = digital::patch(steps.to_string().as_bytes(), &twin).and_then(|update| {
        Ok(twin.update(update, &IfMatch::Any, &TwinLimits::DEFAULT, UnixMs(9))?.twin)
    });
    match (changed, expected) {
        (Ok(twin), Ok(expected)) => {
            assert_eq!(Value::Object(twin.desired.values), expected, "{steps}");
        }
        (Err(error), Err(part)) => {
            assert!(error.to_string().contains(part), "{steps}: {error}");
        }
        (found, _) => panic!("{steps}: {found:?}"),
    }
}

#[test]
fn a_patch_changes_what_it_names_and_nothing_else() {
    let step =
        |op: &str, path: &str, value: Value| json!([{"op": op, "path": path, "value": value}]);
    let rest = json!({"a": 1, "o": {"x": 1, "y": 2}, "part": {"__t": "c", "rate": 5}});
    let with = |name: &str, value: Value| {
        let mut rest = rest.clone();
        rest[name] = value;
        Ok(rest)
    };
    check(step("add", "/b", json!(2)), with("b", json!(2)));
    check(step("replace", "/a", json!({"z": 1})), with("a", json!({"z": 1})));
    check(step("replace", "/o", json!({"x": 3})), with("o", json!({"x": 3})));
    check(step("add", "/part/rate", json!(6)), with("part", json!({"__t": "c", "rate": 6})));
    check(step("add", "/new/rate", json!(6)), with("new", json!({"__t": "c", "rate": 6})));
    check(step("add", "/seen/rate", json!(6)), with("seen", json!({"__t": "c", "rate": 6})));
    check(step("add", "/plain/r", json!(6)), with("plain", json!({"r": 6})));
    check(step("add", "/o/z", json!(6)), with("o", json!({"x": 1, "y": 2, "z": 6})));
    check(
        step("add", "/comp", json!({"$metadata": {}, "p": 1})),
        with("comp", json!({"__t": "c", "p": 1})),
    );
    check(step("add", "/a~1b", json!(1)), with("a/b", json!(1)));
    check(
        json!([{"op": "remove", "path": "/part"}, {"op": "remove", "path": "/o/x"}]),
        Ok(json!({"a": 1, "o": {"y": 2}})),
    );
}

#[test]
fn a_patch_that_is_none_is_refused() {
    let step = |op: &str, path: &str| json!([{"op": op, "path": path, "value": 1}]);
    check(json!([]), Err("1 to 1000 steps"));
    check(json!({}), Err("not a JSON Patch"));
    check(json!([7]), Err("without a path"));
    check(json!([{"op": "add", "path": "/a"}]), Err("no value"));
    check(step("move", "/a"), Err("op is none of"));
    check(step("add", "a"), Err("is no path"));
    check(step("add", ""), Err("is no path"));
    check(step("add", "/"), Err("cannot be patched"));
    check(step("add", "/$metadata"), Err("cannot be patched"));
    check(step("add", "/a/b"), Err("has no members"));
    check(step("remove", "/nothing"), Err("does not exist"));
    check(step("add", "/x.y"), Err("the key has the character"));
}
