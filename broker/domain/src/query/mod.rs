//! The query language (service-protocols.md 2.7): queries over twins and jobs, and the conditions of jobs, configurations
//! and routes, which are its expressions.
//!
//! [`Query::parse`] and [`Condition::parse`] read text, in time linear in its length, and say where it is wrong. A query is
//! carried out by whoever has the rows: [`Query::plan`] tells which of them need to be looked at, [`Query::is_met`] which
//! belong to the result, and [`Query::project`] or an [`Aggregator`] what is returned. Rows are anything with values at
//! paths ([`Row`]); [`TwinRow`] and [`DeviceJob`](crate::job::DeviceJob) make them of the hub's records without building JSON.

mod aggregate;
mod condition;
mod datum;
mod error;
mod evaluate;
mod expression;
mod function;
mod job_row;
mod lexer;
mod names;
mod parse;
mod plan;
mod statement;
#[cfg(test)]
mod tests;
mod twin_row;
mod walk;

pub use aggregate::{Aggregate, Aggregator};
pub use condition::{Condition, Target};
pub use datum::{Datum, index_key};
pub use error::QueryError;
pub use evaluate::Row;
pub use expression::{Arithmetic, Comparison, Expression, Path, Step};
pub use function::Function;

pub use names::Dialect;
pub use plan::{IndexKey, Plan};
pub use statement::{Column, ColumnValue, Query, Select, Source};
pub use twin_row::{IdentityFacts, TwinRow};
pub use walk::{walk, walk_members};
