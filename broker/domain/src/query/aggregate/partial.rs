//! What a node aggregated, on its way to the node that merges.

use serde_json::{Value, json};

use super::{Aggregator, Group, Total, group_bytes};
use crate::query::error::QueryError;

impl Aggregator {
    /// The groups so far, as JSON for [`merge_partial`](Self::merge_partial) of an aggregator of the same query elsewhere.
    pub fn partial(&self) -> Value {
        let total = |total: &Total| {
            let Total { count, integers, fractions, extreme } = total;
            // Neither an integer of 128 bits nor an infinite sum is a number of JSON.
            json!([count, integers.to_string(), fractions.to_bits(), optional(extreme)])
        };
        let group = |(key, group): (&String, &Group)| {
            let values: Value = group.values.iter().map(optional).collect();
            json!([key, values, group.totals.iter().map(total).collect::<Value>()])
        };
        self.groups.iter().map(group).collect()
    }

    /// Adds what [`partial`](Self::partial) wrote. The limits are those of [`merge`](Self::merge); a text that is no partial
    /// result of this query is refused.
    pub fn merge_partial(&mut self, partial: &Value) -> Result<(), QueryError> {
        let mut other = Self::new(&self.columns, &self.group_by, self.top);
        let groups = partial.as_array().ok_or_else(damaged)?;
        for group in groups {
            let (key, group) = self.read_group(group).ok_or_else(damaged)?;
            let texts: usize =
                group.totals.iter().flat_map(|t| &t.extreme).map(super::text_bytes).sum();
            other.bytes += group_bytes(&key, &self.columns) + texts;
            other.groups.insert(key, group);
        }
        self.merge(other)
    }

    fn read_group(&self, group: &Value) -> Option<(String, Group)> {
        let [key, values, totals] = group.as_array()?.as_slice() else { return None };
        let values = values.as_array()?.iter().map(read_optional).collect::<Option<Vec<_>>>()?;
        let totals = totals.as_array()?.iter().map(read_total).collect::<Option<Vec<_>>>()?;
        let width = self.columns.len();
        (values.len() == width && totals.len() == width)
            .then_some((key.as_str()?.to_owned(), Group { values, totals }))
    }
}

fn damaged() -> QueryError {
    QueryError { position: 1, cause: "a partial result is damaged".to_owned() }
}

fn optional(value: &Option<Value>) -> Value {
    value.iter().cloned().collect()
}

fn read_optional(value: &Value) -> Option<Option<Value>> {
    match value.as_array()?.as_slice() {
        [] => Some(None),
        [value] => Some(Some(value.clone())),
        _ => None,
    }
}

fn read_total(total: &Value) -> Option<Total> {
    let [count, integers, fractions, extreme] = total.as_array()?.as_slice() else { return None };
    Some(Total {
        count: count.as_u64()?,
        integers: integers.as_str()?.parse().ok()?,
        fractions: f64::from_bits(fractions.as_u64()?),
        extreme: read_optional(extreme)?,
    })
}
