//! Which rows meet a condition.

use super::*;

const ROW: &str = r#"{
    "deviceId": "d1",
    "tags": {"a": 1, "b": "x", "c": true, "d": false, "n": null, "f": 2.5, "o": {"p": 1},
             "l": [1, {"m": "deep"}, "s"], "big": 9007199254740993, "neg": -3, "A": "other"}
}"#;

/// The value, or `undefined`. Only `true` meets a condition.
#[track_caller]
fn check(text: &str, expected: &str) {
    let row = document(ROW);
    assert_eq!(value_of(text, &row), expected, "{text}");
    assert_eq!(condition(text).is_met(&row), expected == "true", "{text}");
}

#[test]
fn only_true_meets_a_condition() {
    for (text, expected) in [
        ("true", "true"),
        ("false", "false"),
        ("null", "null"),
        ("undefined", "undefined"),
        ("1", "1"),
        ("'true'", "\"true\""),
        ("[true]", "[true]"),
        ("tags.c", "true"),
        ("tags.d", "false"),
        ("tags.b", "\"x\""),
        ("tags.o", r#"{"p":1}"#),
        ("tags.none", "undefined"),
    ] {
        check(text, expected);
    }
}

#[test]
fn numbers_compare_as_numbers_and_strings_by_their_characters() {
    for (text, expected) in [
        ("tags.a = 1", "true"),
        ("tags.a = 1.0", "true"),
        ("tags.a = 0x1", "true"),
        ("1 = tags.a", "true"),
        ("tags.a != 1", "false"),
        ("tags.a <> 2", "true"),
        ("tags.f > 2", "true"),
        ("tags.f >= 2.5", "true"),
        ("tags.f < 2.5", "false"),
        ("tags.f <= 2.5", "true"),
        ("tags.neg < 0", "true"),
        ("tags.neg = -3", "true"),
        ("tags.big = 9007199254740993", "true"),
        ("tags.big = 9007199254740992", "false"),
        ("tags.big > 9007199254740992.0", "true"),
        ("18446744073709551615 > -1", "true"),
        ("tags.b = 'x'", "true"),
        ("tags.b = 'X'", "false"),
        ("tags.b > 'X'", "true"),
        ("'a' < 'ab'", "true"),
        ("'10' < '9'", "true"),
        ("false < true", "true"),
        ("tags.n = null", "true"),
        ("tags.n != null", "false"),
        ("tags.c = true", "true"),
    ] {
        check(text, expected);
    }
}

#[test]
fn values_of_different_types_are_not_equal_and_have_no_order() {
    for (text, expected) in [
        ("tags.a = '1'", "false"),
        ("tags.a != '1'", "true"),
        ("tags.a < '2'", "undefined"),
        ("tags.b > 1", "undefined"),
        ("tags.a != null", "true"),
        ("tags.n < 1", "undefined"),
        ("tags.c = 1", "false"),
        ("tags.c > 0", "undefined"),
    ] {
        check(text, expected);
    }
}

#[test]
fn what_is_undefined_or_no_primitive_compares_with_nothing() {
    for (text, expected) in [
        ("tags.none = 1", "undefined"),
        ("tags.none != 1", "undefined"),
        ("tags.none = tags.none", "undefined"),
        ("tags.none = undefined", "undefined"),
        ("tags.o = tags.o", "undefined"),
        ("tags.o != 1", "undefined"),
        ("tags.l = [1]", "undefined"),
        ("tags.none IN [1]", "undefined"),
        ("tags.none NIN [1]", "undefined"),
        ("tags.o IN [1]", "undefined"),
    ] {
        check(text, expected);
    }
}

#[test]
fn in_and_nin_look_for_an_equal_element() {
    for (text, expected) in [
        ("tags.b IN ['w', 'x']", "true"),
        ("tags.b IN ['w', 'X']", "false"),
        ("tags.b NIN ['w']", "true"),
        ("tags.b NIN ['x']", "false"),
        ("tags.a IN ['1', 1.0]", "true"),
        ("tags.a IN []", "false"),
        ("tags.a NIN []", "true"),
        ("tags.n IN [null]", "true"),
        ("tags.a IN [undefined, 1]", "true"),
        ("tags.a + 1 IN [2]", "true"),
        ("NOT tags.a IN [2]", "true"),
    ] {
        check(text, expected);
    }
}

#[test]
fn logic_has_three_values() {
    for (text, expected) in [
        ("true AND true", "true"),
        ("true AND false", "false"),
        ("tags.none AND false", "false"),
        ("false AND tags.none", "false"),
        ("tags.none AND true", "undefined"),
        ("tags.none OR true", "true"),
        ("true OR tags.none", "true"),
        ("tags.none OR false", "undefined"),
        ("NOT tags.none", "undefined"),
        ("NOT tags.d", "true"),
        ("NOT NOT tags.c", "true"),
        ("NOT 1", "undefined"),
        ("1 AND true", "undefined"),
        ("'x' OR true", "true"),
        ("tags.none = 1 OR tags.a = 1", "true"),
        ("NOT tags.none = 1", "undefined"),
    ] {
        check(text, expected);
    }
}

#[test]
fn arithmetic_is_exact_with_integers_and_undefined_without_a_number() {
    for (text, expected) in [
        ("1 + 2 * 3", "7"),
        ("7 - 2 - 1", "4"),
        ("7 / 2", "3.5"),
        ("6 / 2", "3"),
        ("7 % 4", "3"),
        ("-7 % 4", "-3"),
        ("5.5 % 2", "1.5"),
        ("2 * 2.5", "5.0"),
        ("-tags.neg", "3"),
        ("9007199254740993 + 1", "9007199254740994"),
        ("9223372036854775807 + 1", "9.223372036854776e+18"),
        ("1 / 0", "undefined"),
        ("1 % 0", "undefined"),
        ("0 / 0", "undefined"),
        ("1e308 * 10", "undefined"),
        ("tags.b + 1", "undefined"),
        ("tags.none + 1", "undefined"),
        ("tags.a + tags.f = 3.5", "true"),
    ] {
        check(text, expected);
    }
}

#[test]
fn paths_lead_through_objects_and_arrays() {
    for (text, expected) in [
        ("tags.o.p", "1"),
        ("tags.o.p.q", "undefined"),
        ("tags.l[0]", "1"),
        ("tags.l[1].m", "\"deep\""),
        ("tags.l[3]", "undefined"),
        ("tags.l.m", "undefined"),
        ("tags.o[0]", "undefined"),
        ("tags.A", "\"other\""),
        ("tags.[[b]]", "\"x\""),
        ("property.reported.x", "undefined"),
        ("DEVICEID", "\"d1\""),
    ] {
        check(text, expected);
    }
}

#[test]
fn targets_are_all_none_or_those_of_a_condition() {
    let shown = |target: Result<Target, QueryError>| match target {
        Ok(Target::Nothing) => "nothing".to_owned(),
        Ok(Target::All(source)) => format!("all {}", source.as_str()),
        Ok(Target::Where(source, condition)) => {
            format!("{} {}", source.as_str(), condition.is_met(&document(ROW)))
        }
        Err(error) => error.to_string(),
    };
    for (text, job, configuration) in [
        ("", "all devices", "nothing"),
        (" * ", "all devices", "all devices"),
        ("tags.b='x'", "devices true", "devices true"),
        ("from devices where tags.b='y'", "devices false", "devices false"),
        ("FROM devices.modules WHERE tags.b='x'", "devices.modules true", "devices.modules true"),
        ("FROM devices.modules", "all devices.modules", "all devices.modules"),
    ] {
        assert_eq!(shown(Target::of_job(text)), job, "{text}");
        assert_eq!(shown(Target::of_configuration(text)), configuration, "{text}");
    }
    for (text, expected) in [
        ("FROM devices.jobs WHERE true", "at character 6: jobs cannot be targets"),
        ("tags.b=", "at character 8: expected an expression, found end of text"),
        ("FROM devices x", "at character 14: expected WHERE, found x"),
    ] {
        assert_eq!(shown(Target::of_job(text)), expected, "{text}");
        assert_eq!(shown(Target::of_configuration(text)), expected, "{text}");
    }
    for (text, expected) in [
        ("", false),
        ("*", false),
        ("tags.connectionState = 'Connected' AND properties.reported.lastActivityTime > 1", false),
        ("CONNECTIONSTATE = 'Connected'", true),
        ("FROM devices WHERE tags.a = 1 OR NOT devices.lastActivityTime < '2026'", true),
        ("FROM devices.modules WHERE STARTSWITH(modelId, 'dtmi:')", true),
    ] {
        let target = Target::of_configuration(text).unwrap();
        assert_eq!(target.reads_presence(), expected, "{text}");
    }
    assert!(!Target::Nothing.is_met(&document(ROW)));
    assert_eq!(Target::Nothing.plan(&[]), Plan::Devices(Vec::new()));
    assert_eq!(Target::of_job("*").unwrap().plan(&[]), Plan::Scan);
}
