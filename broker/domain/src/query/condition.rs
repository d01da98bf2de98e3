//! Conditions that stand alone: of routes, and of jobs and configurations, where they choose targets.

use super::error::QueryError;
use super::evaluate::Row;
use super::expression::Expression;
use super::names::Dialect;
use super::parse;
use super::plan::{self, Plan};
use super::statement::Source;

/// The members of a row that are the presence's.
const PRESENCE: [&str; 4] =
    ["connectionState", "connectionStateUpdatedTime", "lastActivityTime", "modelId"];

/// A condition without a query around it.
#[derive(Clone, Debug)]
pub struct Condition {
    expression: Expression,
}

impl Condition {
    /// Reads an expression: what could stand behind WHERE. An empty text or `*` is none; see [`Target`].
    pub fn parse(text: &str, dialect: Dialect) -> Result<Self, QueryError> {
        Ok(Self { expression: parse::condition(text, dialect)? })
    }

    /// Whether a row meets it.
    pub fn is_met(&self, row: &dyn Row) -> bool {
        self.expression.is_met(row)
    }

    /// Its tree.
    pub fn expression(&self) -> &Expression {
        &self.expression
    }
}

/// Which devices or modules a job or configuration is for.
#[derive(Clone, Debug)]
pub enum Target {
    /// None.
    Nothing,
    /// Every one of the source.
    All(Source),
    /// Those of the source that meet the condition.
    Where(Source, Condition),
}

impl Target {
    /// A job's `queryCondition`: a condition on devices; all devices if it is empty or `*` (service-protocols.md 2.9). It may
    /// be one on modules: `FROM devices.modules WHERE ...`.
    pub fn of_job(text: &str) -> Result<Self, QueryError> {
        match text.trim() {
            "" | "*" => Ok(Self::All(Source::Devices)),
            _ => Self::parse(text),
        }
    }

    /// A configuration's `targetCondition`: as a job's, but an empty one is for nothing (service-protocols.md 2.11).
    pub fn of_configuration(text: &str) -> Result<Self, QueryError> {
        match text.trim() {
            "" => Ok(Self::Nothing),
            "*" => Ok(Self::All(Source::Devices)),
            _ => Self::parse(text),
        }
    }

    fn parse(text: &str) -> Result<Self, QueryError> {
        Ok(match parse::target(text)? {
            (source, Some(expression)) => Self::Where(source, Condition { expression }),
            (source, None) => Self::All(source),
        })
    }

    /// Whether it is for this one of its source.
    pub fn is_met(&self, row: &dyn Row) -> bool {
        match self {
            Self::Nothing => false,
            Self::All(_) => true,
            Self::Where(_, condition) => condition.is_met(row),
        }
    }

    /// Whether the condition looks at what the hub notes of an identity's connection by itself and not as a change of its
    /// twin: who it is for can change with that.
    pub fn reads_presence(&self) -> bool {
        match self {
            Self::Nothing | Self::All(_) => false,
            Self::Where(_, condition) => {
                PRESENCE.iter().any(|name| condition.expression.reads(name))
            }
        }
    }

    /// Which rows can be targets; see [`Query::plan`](super::Query::plan).
    pub fn plan(&self, indexed: &[Vec<String>]) -> Plan {
        match self {
            Self::Nothing => Plan::Devices(Vec::new()),
            Self::All(_) => Plan::Scan,
            Self::Where(source, condition) => {
                plan::plan(*source, Some(&condition.expression), indexed)
            }
        }
    }
}
