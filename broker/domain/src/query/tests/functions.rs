//! What functions come to.

use super::*;

#[track_caller]
fn check(cases: &[(&str, &str)]) {
    let row = document(
        r#"{"tags": {"s": "H\u00e9llo", "n": 2.5, "o": {}, "l": [], "null": null,
            "many": [1, 2, "b", null, [], {}]}}"#,
    );
    for (text, expected) in cases {
        assert_eq!(value_of(text, &row), *expected, "{text}");
    }
}

#[test]
fn of_numbers() {
    check(&[
        ("ABS(-3)", "3"),
        ("abs(-2.5)", "2.5"),
        ("ABS(18446744073709551615)", "18446744073709551615"),
        ("EXP(0)", "1"),
        ("EXP(1e9)", "undefined"),
        ("POWER(2, 10)", "1024"),
        ("POWER(2, 0.5) > 1.41", "true"),
        ("SQUARE(-4)", "16"),
        ("CEILING(2.1)", "3"),
        ("FLOOR(-2.1)", "-3"),
        ("FLOOR(tags.n)", "2"),
        ("SIGN(-7)", "-1"),
        ("SIGN(0)", "0"),
        ("SIGN(0.5)", "1"),
        ("SQRT(9)", "3"),
        ("SQRT(-1)", "undefined"),
        ("ABS('1')", "undefined"),
        ("ABS(tags.none)", "undefined"),
    ]);
}

#[test]
fn of_types() {
    check(&[
        ("AS_NUMBER('2')", "2"),
        ("AS_NUMBER(' -2.5e1 ')", "-25.0"),
        ("AS_NUMBER(3)", "3"),
        ("AS_NUMBER('x')", "undefined"),
        ("AS_NUMBER('')", "undefined"),
        ("AS_NUMBER('inf')", "undefined"),
        ("AS_NUMBER('NaN')", "undefined"),
        ("AS_NUMBER('1e999')", "undefined"),
        ("AS_NUMBER(true)", "undefined"),
        ("IS_DEFINED(tags.s)", "true"),
        ("is_defined(tags.null)", "true"),
        ("IS_DEFINED(tags.none)", "false"),
        ("IS_NULL(tags.null)", "true"),
        ("IS_NULL(tags.none)", "false"),
        ("IS_NULL(0)", "false"),
        ("IS_BOOL(false)", "true"),
        ("IS_BOOL('x')", "false"),
        ("IS_NUMBER(tags.n)", "true"),
        ("IS_NUMBER('1')", "false"),
        ("IS_STRING(tags.s)", "true"),
        ("IS_STRING(1)", "false"),
        ("IS_ARRAY(tags.l)", "true"),
        ("IS_ARRAY(tags.o)", "false"),
        ("IS_OBJECT(tags.o)", "true"),
        ("IS_OBJECT(tags.l)", "false"),
        ("IS_PRIMITIVE(tags.null)", "true"),
        ("IS_PRIMITIVE(tags.s)", "true"),
        ("IS_PRIMITIVE(tags.o)", "false"),
        ("IS_PRIMITIVE(tags.none)", "false"),
    ]);
}

#[test]
fn of_strings_by_characters() {
    check(&[
        ("CONCAT('a', tags.s, 'b')", "\"aH\u{e9}llob\""),
        ("CONCAT('a', 1)", "undefined"),
        ("LENGTH(tags.s)", "5"),
        ("LENGTH(1)", "undefined"),
        ("LOWER('\u{c9}A')", "\"\u{e9}a\""),
        ("UPPER(tags.s)", "\"H\u{c9}LLO\""),
        ("SUBSTRING(tags.s, 1)", "\"\u{e9}llo\""),
        ("SUBSTRING(tags.s, 1, 2)", "\"\u{e9}l\""),
        ("SUBSTRING(tags.s, 9)", "\"\""),
        ("SUBSTRING(tags.s, 0, 99)", "\"H\u{e9}llo\""),
        ("SUBSTRING(tags.s, -1)", "undefined"),
        ("SUBSTRING(tags.s, 0.5)", "undefined"),
        ("SUBSTRING(tags.s, 1, 'x')", "undefined"),
        ("INDEX_OF(tags.s, 'l')", "2"),
        ("INDEX_OF(tags.s, 'z')", "-1"),
        ("STARTS_WITH(tags.s, 'H')", "true"),
        ("startswith(tags.s, 'h')", "false"),
        ("ENDS_WITH(tags.s, 'llo')", "true"),
        ("ENDSWITH(tags.s, 'x')", "false"),
        ("CONTAINS(tags.s, '\u{e9}l')", "true"),
        ("CONTAINS(tags.s, 1)", "undefined"),
        ("ARRAY_CONTAINS(tags.l, 1)", "false"),
        ("ARRAY_CONTAINS(tags.many, 2.0)", "true"),
        ("array_contains(tags.many, 'b')", "true"),
        ("ARRAY_CONTAINS(tags.many, null)", "true"),
        ("ARRAY_CONTAINS(tags.many, 'B')", "false"),
        ("ARRAY_CONTAINS(tags.many, tags.l)", "false"),
        ("ARRAY_CONTAINS(tags.many, tags.nothing)", "undefined"),
        ("ARRAY_CONTAINS(tags.o, 1)", "undefined"),
        ("ARRAY_CONTAINS(tags.s, 'H')", "undefined"),
        ("ARRAY_CONTAINS(tags.nothing, 1)", "undefined"),
        ("CONTAINS(LOWER(tags.s), CONCAT('h', '\u{e9}'))", "true"),
    ]);
}

#[test]
fn concat_makes_no_text_beyond_the_limit() {
    let half = "x".repeat(crate::limits::QUERY_TEXT_BYTES_MAX / 2);
    let row = Document(serde_json::json!({ "tags": { "half": half } }));
    assert_eq!(value_of("LENGTH(CONCAT(tags.half, tags.half))", &row), "262144");
    assert_eq!(value_of("LENGTH(CONCAT(tags.half, tags.half, 'x'))", &row), "undefined");
}
