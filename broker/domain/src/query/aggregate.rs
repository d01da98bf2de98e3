//! COUNT, AVG, SUM, MIN and MAX, of all rows or by groups.
//!
//! The original says little of them (service-protocols.md 2.7); here it is so: rows whose group paths have equal values, or
//! none, are a group, and without GROUP BY all rows are one, also if there are none. AVG and SUM are of numbers; MIN and MAX
//! are of primitives, where null is below booleans, those are below numbers and those below strings. Other values are passed
//! over; of no values at all AVG, SUM, MIN and MAX have no result, and their column is left out.

mod partial;

use std::cmp::Ordering;
use std::collections::BTreeMap;
use std::collections::btree_map::Entry;

use serde_json::{Number, Value};

use super::datum::{Datum, whole};
use super::error::QueryError;
use super::evaluate::Row;
use super::expression::Path;
use super::statement::{Column, ColumnValue};
use crate::limits::{QUERY_GROUP_BYTES_MAX, QUERY_GROUPS_MAX};
use crate::twin::Object;

/// What is made of the rows of a group.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Aggregate {
    /// How many rows there are.
    Count,
    /// Mean of the numbers.
    Avg,
    /// Sum of the numbers.
    Sum,
    /// The smallest value.
    Min,
    /// The largest value.
    Max,
}

impl Aggregate {
    /// The aggregate of that name in any case.
    pub(super) fn named(name: &str) -> Option<Self> {
        let all = [
            ("COUNT", Self::Count),
            ("AVG", Self::Avg),
            ("SUM", Self::Sum),
            ("MIN", Self::Min),
            ("MAX", Self::Max),
        ];
        all.into_iter().find(|(known, _)| known.eq_ignore_ascii_case(name)).map(|found| found.1)
    }
}

/// Brings rows together. Partitions may be aggregated each on its own and then [merged](Self::merge).
#[derive(Clone, Debug)]
pub struct Aggregator {
    columns: Vec<Column>,
    group_by: Vec<Path>,
    top: Option<u64>,
    /// By the key of the values that a group has in common, so that results have an order.
    groups: BTreeMap<String, Group>,
    /// What the groups hold, about.
    bytes: usize,
}

#[derive(Clone, Debug)]
struct Group {
    /// Of the columns that are paths, in their order; the others have none here.
    values: Vec<Option<Value>>,
    /// Of the columns that are aggregates, in their order; the others are rows counted.
    totals: Vec<Total>,
}

#[derive(Clone, Debug, Default)]
struct Total {
    /// Rows, or the numbers among their values.
    count: u64,
    /// Sum of the integers.
    integers: i128,
    /// Sum of the other numbers.
    fractions: f64,
    /// The smallest or largest value.
    extreme: Option<Value>,
}

/// What a group holds, about: its key, the values that the key is of, and its columns.
fn group_bytes(key: &str, columns: &[Column]) -> usize {
    const COLUMN_BYTES: usize = 96;
    2 * key.len() + (columns.len() + 1) * COLUMN_BYTES
}

impl Aggregator {
    pub(super) fn new(columns: &[Column], group_by: &[Path], top: Option<u64>) -> Self {
        let mut aggregator = Self {
            columns: columns.to_vec(),
            group_by: group_by.to_vec(),
            top,
            groups: BTreeMap::new(),
            bytes: 0,
        };
        if group_by.is_empty() {
            let totals = vec![Total::default(); columns.len()];
            let values = vec![None; columns.len()];
            aggregator.groups.insert(String::new(), Group { values, totals });
        }
        aggregator
    }

    /// Adds a row, which meets the condition. Refuses one that would make more groups than
    /// [`QUERY_GROUPS_MAX`], or more than [`QUERY_GROUP_BYTES_MAX`] in memory.
    pub fn add(&mut self, row: &dyn Row) -> Result<(), QueryError> {
        self.add_alike(row, 1)
    }

    /// Adds so many rows that have the same values wherever the query looks.
    pub fn add_alike(&mut self, row: &dyn Row, rows: u64) -> Result<(), QueryError> {
        if rows == 0 {
            return Ok(());
        }
        let mut key = String::new();
        for path in &self.group_by {
            write_key(&mut key, row.value(&path.steps));
        }
        let count = self.groups.len();
        let group = match self.groups.entry(key) {
            Entry::Occupied(group) => group.into_mut(),
            Entry::Vacant(vacant) => {
                if count >= QUERY_GROUPS_MAX {
                    return Err(too_many(&self.group_by));
                }
                self.bytes += group_bytes(vacant.key(), &self.columns);
                let values = self.columns.iter().map(|column| match &column.value {
                    ColumnValue::Path(path) => ColumnValue::of(row, path),
                    ColumnValue::Aggregate(..) => None,
                });
                let totals = vec![Total::default(); self.columns.len()];
                vacant.insert(Group { values: values.collect(), totals })
            }
        };
        for (column, total) in self.columns.iter().zip(&mut group.totals) {
            if let ColumnValue::Aggregate(aggregate, path) = &column.value {
                let value = path.as_ref().and_then(|path| row.value(&path.steps));
                self.bytes = total.add(*aggregate, value, rows, self.bytes);
            }
        }
        self.check_bytes()
    }

    /// Adds all rows of another aggregator of the same query. The limits are those of [`add`](Self::add).
    pub fn merge(&mut self, other: Self) -> Result<(), QueryError> {
        self.bytes += other.bytes;
        for (key, theirs) in other.groups {
            match self.groups.entry(key) {
                Entry::Vacant(vacant) => {
                    vacant.insert(theirs);
                }
                Entry::Occupied(ours) => {
                    let shared = group_bytes(ours.key(), &self.columns);
                    self.bytes = self.bytes.saturating_sub(shared);
                    let ours = ours.into_mut();
                    let totals = ours.totals.iter_mut().zip(theirs.totals);
                    for (column, (ours, theirs)) in self.columns.iter().zip(totals) {
                        if let ColumnValue::Aggregate(aggregate, _) = &column.value {
                            ours.merge(*aggregate, theirs);
                        }
                    }
                }
            }
        }
        match self.groups.len() > QUERY_GROUPS_MAX {
            true => Err(too_many(&self.group_by)),
            false => self.check_bytes(),
        }
    }

    /// The result: one row for each group, ordered by their values; no more than TOP allows.
    pub fn finish(self) -> Vec<Object> {
        let top = self.top.map_or(usize::MAX, |top| usize::try_from(top).unwrap_or(usize::MAX));
        let columns = &self.columns;
        let row = |group: Group| {
            let parts = columns.iter().zip(group.values.into_iter().zip(group.totals));
            parts
                .filter_map(|(column, (value, total))| {
                    let value = match &column.value {
                        ColumnValue::Path(_) => value,
                        ColumnValue::Aggregate(aggregate, _) => total.finish(*aggregate),
                    };
                    value.map(|value| (column.name.clone(), value))
                })
                .collect()
        };
        self.groups.into_values().take(top).map(row).collect()
    }

    fn check_bytes(&self) -> Result<(), QueryError> {
        match self.bytes > QUERY_GROUP_BYTES_MAX {
            true => Err(QueryError {
                position: self.group_by.first().map_or(1, |path| path.position),
                cause: format!("the groups take more than {QUERY_GROUP_BYTES_MAX} bytes"),
            }),
            false => Ok(()),
        }
    }
}

fn too_many(group_by: &[Path]) -> QueryError {
    QueryError {
        position: group_by.first().map_or(1, |path| path.position),
        cause: format!("the query makes more than {QUERY_GROUPS_MAX} groups"),
    }
}

/// Appends one part of a group's key; its length in front keeps parts apart.
fn write_key(key: &mut String, value: Option<Datum<'_>>) {
    let mut part = String::new();
    if let Some(value) = value {
        value.write_key(&mut part);
    }
    key.push_str(&part.len().to_string());
    key.push(':');
    key.push_str(&part);
}

impl Total {
    /// Adds a value that so many rows have; returns what all groups hold, of which this was a part before.
    fn add(
        &mut self,
        aggregate: Aggregate,
        value: Option<Datum<'_>>,
        rows: u64,
        bytes: usize,
    ) -> usize {
        match (aggregate, value) {
            (Aggregate::Count, _) => self.count += rows,
            (Aggregate::Avg | Aggregate::Sum, Some(Datum::Number(number))) => {
                self.sum(&number, rows);
            }
            (Aggregate::Avg | Aggregate::Sum, _) => {}
            (Aggregate::Min | Aggregate::Max, Some(value)) => {
                let before = self.extreme.as_ref().map_or(0, text_bytes);
                self.take_extreme(aggregate, value);
                let after = self.extreme.as_ref().map_or(0, text_bytes);
                return bytes.saturating_sub(before) + after;
            }
            (Aggregate::Min | Aggregate::Max, None) => {}
        }
        bytes
    }

    fn sum(&mut self, number: &Number, rows: u64) {
        self.count += rows;
        let product = whole(number).and_then(|integer| integer.checked_mul(rows.into()));
        match product.and_then(|integer| self.integers.checked_add(integer)) {
            Some(sum) => self.integers = sum,
            None => self.fractions += number.as_f64().unwrap_or_default() * rows as f64,
        }
    }

    fn take_extreme(&mut self, aggregate: Aggregate, value: Datum<'_>) {
        let Some(rank) = value.rank() else { return };
        let wanted = match aggregate {
            Aggregate::Min => Ordering::Less,
            Aggregate::Max | Aggregate::Count | Aggregate::Avg | Aggregate::Sum => {
                Ordering::Greater
            }
        };
        let is_better = self.extreme.as_ref().is_none_or(|extreme| {
            let extreme = Datum::from(extreme);
            let by_rank = Some(rank).cmp(&extreme.rank());
            by_rank.then_with(|| value.order(&extreme).unwrap_or(Ordering::Equal)) == wanted
        });
        if is_better {
            self.extreme = Some(value.into_value());
        }
    }

    fn merge(&mut self, aggregate: Aggregate, other: Self) {
        self.count += other.count;
        self.fractions += other.fractions;
        match self.integers.checked_add(other.integers) {
            Some(sum) => self.integers = sum,
            None => self.fractions += other.integers as f64,
        }
        if let Some(extreme) = other.extreme {
            self.take_extreme(aggregate, extreme.into());
        }
    }

    fn finish(self, aggregate: Aggregate) -> Option<Value> {
        let sum = self.integers as f64 + self.fractions;
        match aggregate {
            Aggregate::Count => Some(self.count.into()),
            Aggregate::Min | Aggregate::Max => self.extreme,
            Aggregate::Avg | Aggregate::Sum if self.count == 0 => None,
            Aggregate::Avg => Datum::number(sum / self.count as f64).map(Datum::into_value),
            Aggregate::Sum if self.fractions != 0.0 => Datum::number(sum).map(Datum::into_value),
            Aggregate::Sum => match i64::try_from(self.integers) {
                Ok(sum) => Some(sum.into()),
                Err(_) => Datum::number(sum).map(Datum::into_value),
            },
        }
    }
}

fn text_bytes(value: &Value) -> usize {
    value.as_str().map_or(0, str::len)
}
