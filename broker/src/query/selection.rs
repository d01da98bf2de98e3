//! What a scan looks for.

use ironhub_domain::query::{
    ColumnValue, Expression, Path, Plan, Query, Row, Select, Source, Target,
};

use super::found::Parts;

/// Rows of a query, or targets of a job or configuration.
#[derive(Clone)]
pub(super) enum Selection {
    Query(Query),
    Target(Target),
}

impl Selection {
    pub(super) fn source(&self) -> Source {
        match self {
            Self::Query(query) => query.source,
            Self::Target(Target::Nothing) => Source::Devices,
            Self::Target(Target::All(source) | Target::Where(source, _)) => *source,
        }
    }

    pub(super) fn is_met(&self, row: &dyn Row) -> bool {
        match self {
            Self::Query(query) => query.is_met(row),
            Self::Target(target) => target.is_met(row),
        }
    }

    pub(super) fn plan(&self, indexed: &[Vec<String>]) -> Plan {
        match self {
            Self::Query(query) => query.plan(indexed),
            Self::Target(target) => target.plan(indexed),
        }
    }

    /// Whether it has no condition.
    pub(super) fn is_all(&self) -> bool {
        match self {
            Self::Query(query) => query.condition.is_none(),
            Self::Target(target) => matches!(target, Target::All(_)),
        }
    }

    /// What must be read of a row to know whether it is met.
    pub(super) fn parts(&self) -> Parts {
        self.condition().map_or(Parts::NONE, of_expression)
    }

    pub(super) fn condition(&self) -> Option<&Expression> {
        match self {
            Self::Query(query) => query.condition.as_ref(),
            Self::Target(Target::Where(_, condition)) => Some(condition.expression()),
            Self::Target(Target::Nothing | Target::All(_)) => None,
        }
    }
}

/// What must be read of a row to show it, or to add it to its group.
pub(super) fn shown(query: &Query) -> Parts {
    let mut parts = Parts::NONE;
    match &query.select {
        Select::All => parts = Parts::ALL,
        Select::Columns(columns) => {
            for column in columns {
                match &column.value {
                    ColumnValue::Path(path) | ColumnValue::Aggregate(_, Some(path)) => {
                        parts.add(of_path(path));
                    }
                    ColumnValue::Aggregate(_, None) => {}
                }
            }
        }
    }
    query.group_by.iter().for_each(|path| parts.add(of_path(path)));
    parts
}

fn of_expression(expression: &Expression) -> Parts {
    let mut parts = Parts::NONE;
    expression.visit_paths(&mut |path| parts.add(of_path(path)));
    parts
}

fn of_path(path: &Path) -> Parts {
    match path.root() {
        Some("tags" | "properties" | "configurations" | "etag" | "version") => {
            Parts { twin: true, ..Parts::NONE }
        }
        Some("connectionState" | "connectionStateUpdatedTime" | "lastActivityTime" | "modelId") => {
            Parts { presence: true, ..Parts::NONE }
        }
        Some("cloudToDeviceMessageCount") => Parts { c2d: true, ..Parts::NONE },
        Some(_) | None => Parts::NONE,
    }
}
