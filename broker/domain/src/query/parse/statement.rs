//! SELECT, FROM, WHERE and GROUP BY, and what must hold between them.

use super::Parser;
use crate::limits::{QUERY_COLUMNS_MAX, QUERY_GROUP_PATHS_MAX};
use crate::query::error::QueryError;
use crate::query::expression::Path;
use crate::query::lexer::Kind;
use crate::query::names::{self, Dialect};
use crate::query::{Aggregate, Column, ColumnValue, Query, Select, Source};

/// A column as it is written. Its name and path depend on what follows.
struct Written {
    alias: Option<String>,
    value: ColumnValue,
    position: usize,
}

impl Parser {
    pub(super) fn statement(&mut self) -> Result<Query, QueryError> {
        self.need_word("SELECT")?;
        let top = self.top()?;
        let select_at = self.position();
        let columns = match self.take_symbol("*") {
            true => None,
            false => Some(self.written()?),
        };
        self.need_word("FROM")?;
        let source = self.source()?;
        self.dialect = Some(Dialect::Rows(source));
        let condition = match self.take_word("WHERE") {
            true => Some(self.expression()?),
            false => None,
        };
        let group_at = self.position();
        let group_by = match self.take_word("GROUP") {
            true => self.group_by()?,
            false => Vec::new(),
        };
        self.end(match (&condition, group_by.is_empty()) {
            (None, true) => "WHERE, GROUP BY or the end of the query",
            (Some(_), true) => "an operator, GROUP BY or the end of the query",
            (_, false) => "the end of the query",
        })?;

        if source == Source::Jobs && columns.is_some() {
            return refuse(select_at, "of devices.jobs there is SELECT * only");
        }
        if !group_by.is_empty() && source == Source::Jobs {
            return refuse(group_at, "of devices.jobs there are no groups");
        }
        let select = match columns {
            None if !group_by.is_empty() => {
                return refuse(select_at, "SELECT * does not go with GROUP BY");
            }
            None => Select::All,
            Some(written) => Select::Columns(columns_of(written, source, &group_by)?),
        };
        Ok(Query { select, top, source, condition, group_by })
    }

    fn top(&mut self) -> Result<Option<u64>, QueryError> {
        if !self.take_word("TOP") {
            return Ok(None);
        }
        let top = match self.kind() {
            Kind::Number(number) => number.as_u64(),
            Kind::Name(_) | Kind::Member(_) | Kind::Text(_) | Kind::Symbol(_) | Kind::End => None,
        };
        let top = top.ok_or_else(|| self.expected("a number of rows"))?;
        self.advance();
        Ok(Some(top))
    }

    fn written(&mut self) -> Result<Vec<Written>, QueryError> {
        let mut columns = Vec::new();
        loop {
            if columns.len() >= QUERY_COLUMNS_MAX {
                return Err(self.error(format!("more than {QUERY_COLUMNS_MAX} columns")));
            }
            let position = self.position();
            let value = self.column_value()?;
            let alias = match self.take_word("AS") {
                true => Some(self.alias()?),
                false => None,
            };
            columns.push(Written { alias, value, position });
            if !self.take_symbol(",") {
                return Ok(columns);
            }
        }
    }

    fn column_value(&mut self) -> Result<ColumnValue, QueryError> {
        let is_call =
            self.tokens.get(self.next + 1).is_some_and(|token| token.kind == Kind::Symbol("("));
        let name = match self.kind() {
            Kind::Name(name) if is_call => name,
            Kind::Name(name) if self.is_reserved(name) => return Err(self.expected("a column")),
            Kind::Name(_) => return self.path().map(ColumnValue::Path),
            _ => return Err(self.expected("a column")),
        };
        let Some(aggregate) = Aggregate::named(name) else {
            return Err(self.error(format!(
                "there is no aggregate {name}: there are COUNT, AVG, SUM, MIN and MAX"
            )));
        };
        self.next += 2;
        let path = match aggregate {
            Aggregate::Count => None,
            Aggregate::Avg | Aggregate::Sum | Aggregate::Min | Aggregate::Max => Some(self.path()?),
        };
        self.need_symbol(")")?;
        Ok(ColumnValue::Aggregate(aggregate, path))
    }

    fn alias(&mut self) -> Result<String, QueryError> {
        let alias = match self.kind() {
            Kind::Name(name) | Kind::Member(name) => name.clone(),
            Kind::Text(_) | Kind::Number(_) | Kind::Symbol(_) | Kind::End => {
                return Err(self.expected("a name for the column"));
            }
        };
        self.advance();
        Ok(alias)
    }

    pub(super) fn source(&mut self) -> Result<Source, QueryError> {
        let position = self.position();
        let Kind::Name(first) = self.kind() else {
            return Err(self.expected("devices, devices.modules or devices.jobs"));
        };
        let mut name = first.clone();
        self.advance();
        while self.take_symbol(".") {
            let Kind::Member(next) = self.kind() else {
                return Err(self.expected("a name after '.'"));
            };
            name.push('.');
            name.push_str(next);
            self.advance();
        }
        match Source::parse(&name) {
            Some(source) => Ok(source),
            None => refuse(
                position,
                "unknown source: there are devices, devices.modules and devices.jobs",
            ),
        }
    }

    fn group_by(&mut self) -> Result<Vec<Path>, QueryError> {
        self.need_word("BY")?;
        let mut paths = Vec::new();
        loop {
            if paths.len() >= QUERY_GROUP_PATHS_MAX {
                return Err(
                    self.error(format!("groups by more than {QUERY_GROUP_PATHS_MAX} paths"))
                );
            }
            paths.push(self.path()?);
            if !self.take_symbol(",") {
                return Ok(paths);
            }
        }
    }
}

fn refuse<T>(position: usize, cause: impl Into<String>) -> Result<T, QueryError> {
    Err(QueryError { position, cause: cause.into() })
}

/// The columns with their names and canonical paths. In a query with aggregates or groups a path must be one that it groups
/// by.
fn columns_of(
    written: Vec<Written>,
    source: Source,
    group_by: &[Path],
) -> Result<Vec<Column>, QueryError> {
    let is_aggregate = !group_by.is_empty()
        || written.iter().any(|column| matches!(column.value, ColumnValue::Aggregate(..)));
    let mut columns: Vec<Column> = Vec::with_capacity(written.len());
    let mut unnamed = 0;
    for Written { alias, mut value, position } in written {
        let path = match &mut value {
            ColumnValue::Path(path) | ColumnValue::Aggregate(_, Some(path)) => Some(path),
            ColumnValue::Aggregate(_, None) => None,
        };
        if let Some(path) = path {
            names::resolve(path, Dialect::Rows(source))
                .map_err(|cause| QueryError { position: path.position, cause })?;
        }
        let name = match (&value, alias) {
            (_, Some(alias)) => alias,
            (ColumnValue::Path(path), None) => path.last_name().unwrap_or_default().to_owned(),
            (ColumnValue::Aggregate(..), None) => {
                unnamed += 1;
                format!("${unnamed}")
            }
        };
        if let ColumnValue::Path(path) = &value
            && is_aggregate
            && !group_by.iter().any(|group| group.steps == path.steps)
        {
            return refuse(position, "with aggregates or groups, a column is one of GROUP BY");
        }
        if columns.iter().any(|column| column.name == name) {
            return refuse(position, format!("another column is named {name}: use AS"));
        }
        columns.push(Column { name, value });
    }
    Ok(columns)
}
