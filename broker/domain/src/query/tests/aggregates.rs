//! Rows brought together.

use serde_json::json;

use super::*;
use crate::limits::QUERY_GROUPS_MAX;

fn rows() -> Vec<Document> {
    [
        r#"{"status": "enabled", "tags": {"a": 1, "s": "x"}}"#,
        r#"{"status": "enabled", "tags": {"a": 1.0, "s": "z", "v": 10}}"#,
        r#"{"status": "disabled", "tags": {"a": 2.5, "s": 7}}"#,
        r#"{"status": "enabled", "tags": {"s": true}}"#,
        r#"{"status": "disabled", "tags": {"a": "1", "s": {"o": 1}}}"#,
    ]
    .map(document)
    .into()
}

fn result(query: &Query, rows: &[Document]) -> Value {
    let mut aggregator = query.aggregator().unwrap();
    for row in rows.iter().filter(|row| query.is_met(*row)) {
        aggregator.add(row).unwrap();
    }
    aggregator.finish().into_iter().map(Value::Object).collect()
}

/// The result, whether the rows are aggregated together or in parts that are merged.
#[track_caller]
fn check(text: &str, expected: Value) {
    let (query, rows) = (query(text), rows());
    assert_eq!(result(&query, &rows), expected, "{text}");
    let mut merged = query.aggregator().unwrap();
    for row in &rows {
        let mut part = query.aggregator().unwrap();
        if query.is_met(row) {
            part.add(row).unwrap();
        }
        merged.merge(part).unwrap();
    }
    let (one, other) = rows.split_at(2);
    let mut remote = query.aggregator().unwrap();
    for rows in [one, other] {
        let mut part = query.aggregator().unwrap();
        rows.iter().filter(|row| query.is_met(*row)).for_each(|row| part.add(row).unwrap());
        let sent = part.partial().to_string();
        remote.merge_partial(&serde_json::from_str(&sent).unwrap()).unwrap();
    }
    for (merged, how) in [(merged, "merged"), (remote, "merged from elsewhere")] {
        let merged: Value = merged.finish().into_iter().map(Value::Object).collect();
        assert_eq!(merged, expected, "{text}, {how}");
    }
}

#[test]
fn without_groups_all_rows_are_one() {
    check("SELECT COUNT() AS n FROM devices", json!([{"n": 5}]));
    check("SELECT COUNT() FROM devices WHERE status = 'enabled'", json!([{"$1": 3}]));
    check(
        "SELECT SUM(tags.a) AS s, AVG(tags.a) AS a, MIN(tags.a) AS low, MAX(tags.a) AS high FROM devices",
        json!([{"s": 4.5, "a": 1.5, "low": 1, "high": "1"}]),
    );
    check(
        "SELECT MIN(tags.s) AS low, MAX(tags.s) AS high FROM devices",
        json!([{"low": true, "high": "z"}]),
    );
}

#[test]
fn of_no_rows_the_count_is_zero_and_the_rest_is_left_out() {
    check(
        "SELECT COUNT() AS n, SUM(tags.a), AVG(tags.a), MIN(tags.a), MAX(tags.a) FROM devices WHERE false",
        json!([{"n": 0}]),
    );
    check("SELECT status, COUNT() AS n FROM devices WHERE false GROUP BY status", json!([]));
    check("SELECT COUNT() AS n, SUM(tags.none) AS s FROM devices", json!([{"n": 5}]));
}

#[test]
fn groups_have_equal_values_or_none() {
    check(
        "SELECT status, COUNT() AS n FROM devices GROUP BY status",
        json!([{"status": "enabled", "n": 3}, {"status": "disabled", "n": 2}]),
    );
    check(
        "SELECT tags.a AS a, COUNT() AS n FROM devices GROUP BY tags.a",
        json!([{"n": 1}, {"a": 1, "n": 2}, {"a": "1", "n": 1}, {"a": 2.5, "n": 1}]),
    );
    check(
        "SELECT status, tags.a, COUNT() AS n FROM devices WHERE IS_NUMBER(tags.a) GROUP BY tags.a, status",
        json!([{"status": "enabled", "a": 1, "n": 2}, {"status": "disabled", "a": 2.5, "n": 1}]),
    );
    check("SELECT TOP 1 COUNT() AS n FROM devices GROUP BY status", json!([{"n": 3}]));
    check(
        "SELECT status FROM devices GROUP BY status",
        json!([{"status": "enabled"}, {"status": "disabled"}]),
    );
}

#[test]
fn sums_of_integers_are_exact() {
    let query = query("SELECT SUM(tags.a) AS s FROM devices");
    let row = document(r#"{"tags": {"a": 9007199254740993}}"#);
    assert_eq!(result(&query, &[row]), json!([{"s": 9_007_199_254_740_993_u64}]));
    let rows: Vec<_> =
        (0..3).map(|_| document(&format!(r#"{{"tags": {{"a": {}}}}}"#, u64::MAX))).collect();
    assert_eq!(result(&query, &rows), json!([{"s": 3.0 * u64::MAX as f64}]));
}

#[test]
fn a_query_that_returns_rows_has_nothing_to_aggregate() {
    for text in ["SELECT * FROM devices", "SELECT deviceId FROM devices"] {
        assert!(query(text).aggregator().is_none(), "{text}");
        assert!(!query(text).is_aggregate(), "{text}");
    }
}

#[test]
fn groups_are_bounded_in_number_and_size() {
    let many = query("SELECT COUNT() FROM devices GROUP BY tags.a");
    let row = |a: usize| Document(json!({"tags": {"a": a}}));
    let mut aggregator = many.aggregator().unwrap();
    for a in 0..QUERY_GROUPS_MAX {
        aggregator.add(&row(a)).unwrap();
    }
    aggregator.add(&row(5)).expect("no new group");
    let mut other = many.aggregator().unwrap();
    other.add(&row(QUERY_GROUPS_MAX)).unwrap();
    let expected = "at character 38: the query makes more than 10000 groups";
    assert_eq!(aggregator.clone().merge(other).unwrap_err().to_string(), expected);
    assert_eq!(aggregator.add(&row(QUERY_GROUPS_MAX)).unwrap_err().to_string(), expected);

    for text in [
        "SELECT COUNT() FROM devices GROUP BY tags.long",
        "SELECT MAX(tags.long) FROM devices GROUP BY tags.a",
    ] {
        let query = query(text);
        let mut aggregator = query.aggregator().unwrap();
        let outcome = (0..QUERY_GROUPS_MAX).try_for_each(|a| {
            aggregator
                .add(&Document(json!({"tags": {"a": a, "long": format!("{a:08}").repeat(500)}})))
        });
        let cause = outcome.unwrap_err().cause;
        assert_eq!(cause, "the groups take more than 16777216 bytes", "{text}");
    }
}

#[test]
fn a_partial_result_of_another_query_is_refused() {
    let one = query("SELECT COUNT() FROM devices").aggregator().unwrap();
    let mut two = query("SELECT COUNT(), SUM(tags.a) FROM devices").aggregator().unwrap();
    for partial in
        [one.partial(), json!({}), json!([1]), json!([["", [], []]]), json!([["", [[]], [1]]])]
    {
        let error = two.merge_partial(&partial).unwrap_err();
        assert_eq!(error.cause, "a partial result is damaged", "{partial}");
    }
}
