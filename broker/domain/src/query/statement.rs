//! A query, and the rows it returns.

use serde_json::Value;

use super::aggregate::{Aggregate, Aggregator};
use super::error::QueryError;
use super::evaluate::Row;
use super::expression::{Expression, Path};
use super::parse;
use super::plan::{self, Plan};
use crate::twin::Object;

/// What a query is over.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Source {
    /// Twins of devices.
    Devices,
    /// Twins of modules.
    Modules,
    /// What jobs did or will do on single devices.
    Jobs,
}

impl Source {
    /// As FROM names it.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Devices => "devices",
            Self::Modules => "devices.modules",
            Self::Jobs => "devices.jobs",
        }
    }

    /// Reads what [`as_str`](Self::as_str) writes, in any case.
    pub(super) fn parse(name: &str) -> Option<Self> {
        [Self::Devices, Self::Modules, Self::Jobs]
            .into_iter()
            .find(|source| source.as_str().eq_ignore_ascii_case(name))
    }
}

/// What a query returns of each row or group.
#[derive(Clone, Debug)]
pub enum Select {
    /// `*`: the whole document.
    All,
    /// These columns, at least one, with names of their own each.
    Columns(Vec<Column>),
}

/// A column.
#[derive(Clone, Debug)]
pub struct Column {
    /// Its name: the alias, or else the last name of the path (`tags.location.floor` is `floor`, `tags.list[0]` is `list`),
    /// with the hub's names in their canonical spelling. An aggregate without alias is `$1`, the next such `$2`: the original
    /// leaves it open.
    pub name: String,
    /// What is in it.
    pub value: ColumnValue,
}

/// What is in a column.
#[derive(Clone, Debug)]
pub enum ColumnValue {
    /// The row's value there, or the group's if the query has groups.
    Path(Path),
    /// Of all rows of the group; all but COUNT have a path.
    Aggregate(Aggregate, Option<Path>),
}

/// A query that was read.
#[derive(Clone, Debug)]
pub struct Query {
    /// SELECT
    pub select: Select,
    /// TOP: so many rows and no more.
    pub top: Option<u64>,
    /// FROM
    pub source: Source,
    /// WHERE
    pub condition: Option<Expression>,
    /// GROUP BY
    pub group_by: Vec<Path>,
}

impl Query {
    /// Reads a query.
    pub fn parse(text: &str) -> Result<Self, QueryError> {
        parse::query(text)
    }

    /// Whether a row belongs to the result.
    pub fn is_met(&self, row: &dyn Row) -> bool {
        self.condition.as_ref().is_none_or(|condition| condition.is_met(row))
    }

    /// Whether the rows must be brought together: the result is that of [`aggregator`](Self::aggregator).
    pub fn is_aggregate(&self) -> bool {
        let has_aggregate = |columns: &[Column]| {
            columns.iter().any(|column| matches!(column.value, ColumnValue::Aggregate(..)))
        };
        !self.group_by.is_empty()
            || matches!(&self.select, Select::Columns(columns) if has_aggregate(columns))
    }

    /// What brings the rows together; `None` if the query returns them one by one.
    pub fn aggregator(&self) -> Option<Aggregator> {
        match &self.select {
            Select::Columns(columns) if self.is_aggregate() => {
                Some(Aggregator::new(columns, &self.group_by, self.top))
            }
            Select::Columns(_) | Select::All => None,
        }
    }

    /// The columns of a row; what the row does not have is left out. `None` for `SELECT *`, whose rows are documents, and
    /// for aggregates.
    pub fn project(&self, row: &dyn Row) -> Option<Object> {
        let Select::Columns(columns) = &self.select else { return None };
        let mut object = Object::new();
        for column in columns {
            let ColumnValue::Path(path) = &column.value else { return None };
            if let Some(value) = row.value(&path.steps).map(|datum| datum.into_value()) {
                object.insert(column.name.clone(), value);
            }
        }
        Some(object)
    }

    /// Which rows can be in the result: see [`Plan`]. `indexed` are the paths below `tags` that have an index, each as its
    /// names: `tags.location.floor` is `["location", "floor"]`.
    pub fn plan(&self, indexed: &[Vec<String>]) -> Plan {
        plan::plan(self.source, self.condition.as_ref(), indexed)
    }

    /// What the rows are called: the header `x-ms-item-type` (service-protocols.md 2.7).
    pub fn item_type(&self) -> &'static str {
        match (&self.select, self.source) {
            (Select::All, Source::Devices | Source::Modules) => "Twin",
            (Select::All, Source::Jobs) => "DeviceJob",
            (Select::Columns(_), _) => "Raw",
        }
    }
}

impl ColumnValue {
    /// A value as a group holds it.
    pub(super) fn of(row: &dyn Row, path: &Path) -> Option<Value> {
        row.value(&path.steps).map(|datum| datum.into_value())
    }
}
