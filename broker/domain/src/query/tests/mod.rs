//! Queries: what is read, what is refused and where, and what becomes of rows.

mod aggregates;
mod conditions;
mod functions;
mod hostile;
mod parsing;
mod plans;
mod refusals;
mod rows;

use serde_json::Value;

use super::*;

/// A row that is a JSON document.
struct Document(Value);

impl Row for Document {
    fn value(&self, path: &[Step]) -> Option<Datum<'_>> {
        walk(&self.0, path).map(Datum::from)
    }
}

fn document(json: &str) -> Document {
    Document(serde_json::from_str(json).unwrap_or_else(|error| panic!("{json}: {error}")))
}

#[track_caller]
fn query(text: &str) -> Query {
    Query::parse(text).unwrap_or_else(|error| panic!("{text}: {error}"))
}

#[track_caller]
fn condition(text: &str) -> Condition {
    Condition::parse(text, Dialect::Rows(Source::Devices))
        .unwrap_or_else(|error| panic!("{text}: {error}"))
}

/// What a text of an expression comes to on a row, as JSON; `undefined` if it does to nothing.
#[track_caller]
fn value_of(text: &str, row: &Document) -> String {
    let condition = condition(text);
    match condition.expression().evaluate(row) {
        Some(datum) => datum.into_value().to_string(),
        None => "undefined".to_owned(),
    }
}
