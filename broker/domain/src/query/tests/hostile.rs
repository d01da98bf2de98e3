//! Texts that mean harm: bounded in length, depth and time, whatever they are.

use proptest::prelude::*;

use super::*;
use crate::limits::{
    QUERY_ARRAY_MAX, QUERY_CHARS_MAX, QUERY_COLUMNS_MAX, QUERY_DEPTH_MAX, QUERY_GROUP_PATHS_MAX,
};

const DEVICES: Dialect = Dialect::Rows(Source::Devices);

fn refused(text: &str) -> QueryError {
    Condition::parse(text, DEVICES).map(|_| ()).unwrap_err()
}

#[test]
fn a_text_has_at_most_8192_characters() {
    let text = |chars: usize| {
        let begin = "SELECT * FROM devices WHERE tags.a = '";
        format!("{begin}{}'", "\u{1f600}".repeat(chars - begin.len() - 1))
    };
    assert!(Query::parse(&text(QUERY_CHARS_MAX)).is_ok());
    let too_long = |text: &str| {
        let error = Query::parse(text).map(|_| ()).unwrap_err();
        assert_eq!(error.to_string(), "at character 8193: the text has more than 8192 characters");
    };
    too_long(&text(QUERY_CHARS_MAX + 1));
    too_long(&"x".repeat(10_000_000));
}

#[test]
fn levels_in_one_another_are_bounded() {
    for (open, inside, close) in [
        ("(", "true", ")"),
        ("NOT ", "true", ""),
        ("-", "1", ""),
        ("[", "", "]"),
        ("abs(", "1", ")"),
        ("1 IN [", "", "]"),
    ] {
        let text = |depth: usize| format!("{}{inside}{}", open.repeat(depth), close.repeat(depth));
        if open != "1 IN [" && open != "[" {
            assert!(Condition::parse(&text(QUERY_DEPTH_MAX), DEVICES).is_ok(), "{open}");
        }
        if open != "1 IN [" {
            let error = refused(&text(QUERY_DEPTH_MAX + 2));
            assert!(error.cause.starts_with("more than 64 levels"), "{open}: {error}");
        }
        for text in [open.repeat(QUERY_CHARS_MAX / open.len()), text(500)] {
            refused(&text);
        }
    }
}

#[test]
fn chains_are_flat_and_may_fill_the_text() {
    for (first, part) in [("true", " AND true"), ("false", " OR false"), ("1", "+1"), ("1", "*1")] {
        let text = format!("{first}{}", part.repeat((QUERY_CHARS_MAX - 8) / part.len()));
        let condition = Condition::parse(&text, DEVICES).unwrap();
        assert!(condition.expression().evaluate(&document("{}")).is_some(), "{part}");
    }
    let path = format!("tags{}", ".a".repeat(4000));
    assert!(!Condition::parse(&path, DEVICES).unwrap().is_met(&document("{}")));
}

#[test]
fn arrays_columns_and_groups_are_bounded() {
    let array = |n: usize| format!("1 IN [0{}]", ",1".repeat(n - 1));
    assert!(Condition::parse(&array(QUERY_ARRAY_MAX), DEVICES).is_ok());
    assert!(refused(&array(QUERY_ARRAY_MAX + 1)).cause.starts_with("an array has more than"));

    let columns = |n: usize| {
        let columns: Vec<_> = (0..n).map(|i| format!("tags AS a{i}")).collect();
        Query::parse(&format!("SELECT {} FROM devices", columns.join(",")))
    };
    assert!(columns(QUERY_COLUMNS_MAX).is_ok());
    assert!(columns(QUERY_COLUMNS_MAX + 1).unwrap_err().cause.starts_with("more than 64 columns"));

    let groups = |n: usize| {
        Query::parse(&format!(
            "SELECT COUNT() FROM devices GROUP BY {}",
            vec!["tags.a"; n].join(",")
        ))
    };
    assert!(groups(QUERY_GROUP_PATHS_MAX).is_ok());
    assert!(groups(QUERY_GROUP_PATHS_MAX + 1).is_err());
}

proptest! {
    #[test]
    fn no_text_makes_the_parser_panic(text in any::<String>()) {
        let _ = Query::parse(&text);
        let _ = Condition::parse(&text, DEVICES);
        let _ = Condition::parse(&text, Dialect::Routing);
        let _ = Target::of_job(&text);
    }

    /// Words of the language in any order; what is a condition can be evaluated, planned and projected.
    #[test]
    fn no_order_of_words_makes_anything_panic(words in prop::collection::vec(prop::sample::select(vec![
        "SELECT", "*", "FROM", "devices", ".", "modules", "jobs", "WHERE", "GROUP", "BY", "AS", "TOP",
        "AND", "OR", "NOT", "IN", "NIN", "(", ")", "[", "]", "[[", "]]", ",", "=", "!=", "<", ">=", "+",
        "-", "/", "%", "tags", "a", "deviceId", "status", "COUNT", "ABS", "LENGTH", "SUBSTRING", "0", "1",
        "2.5", "0xff", "'x'", "\"y\"", "true", "null", "undefined", "\u{e9}", "$body", "\\", "'", "1e5",
    ]), 0..24), blank in prop::bool::ANY) {
        let text = words.join(if blank { " " } else { "" });
        let row = document(r#"{"tags": {"a": 1}, "deviceId": "x"}"#);
        for text in [text.clone(), format!("SELECT * FROM devices WHERE {text}"), format!("SELECT {text} FROM devices")] {
            if let Ok(query) = Query::parse(&text) {
                let _ = (query.is_met(&row), query.plan(&[vec!["a".into()]]), query.project(&row));
            }
        }
        match Condition::parse(&text, DEVICES) {
            Ok(condition) => drop(condition.is_met(&row)),
            Err(error) => {
                prop_assert!(error.position >= 1 && error.position <= text.chars().count() + 1);
            }
        }
    }
}
