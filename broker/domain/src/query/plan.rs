//! Which rows a query needs to look at.

use serde_json::Value;

use super::datum::index_key;
use super::expression::{Comparison, Expression, Path, Step};
use super::statement::Source;

/// The narrowest way to the rows that the condition's conjuncts prove: no row outside it can meet the condition. Rows
/// inside it may fail the condition, which is always evaluated as well.
///
/// | A conjunct (AND) of the condition | Plan |
/// |---|---|
/// | `deviceId = 'x'`, `deviceId IN ['x', ...]` | [`Devices`](Self::Devices) |
/// | `jobId = 'x'`, `jobId IN [...]` of devices.jobs | [`Jobs`](Self::Jobs) |
/// | the same of a configured `tags.` path, of `connectionState`, of `status` | [`Index`](Self::Index), in this order |
/// | anything else, and everything below NOT | [`Scan`](Self::Scan) |
///
/// An OR of conjuncts on the same key is as good as IN.
#[derive(Clone, Debug, PartialEq)]
pub enum Plan {
    /// Rows of these devices: their twins, their modules' twins or their jobs.
    Devices(Vec<String>),
    /// Rows of these jobs.
    Jobs(Vec<String>),
    /// Rows that have one of these values; a value's entry in the index is its [`index_key`].
    Index(IndexKey, Vec<Value>),
    /// All.
    Scan,
}

/// What there is an index on.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum IndexKey {
    /// `tags.`, and the names below it.
    Tag(Vec<String>),
    /// `connectionState`
    ConnectionState,
    /// `status`
    Status,
}

pub(super) fn plan(
    source: Source,
    condition: Option<&Expression>,
    indexed: &[Vec<String>],
) -> Plan {
    condition.map_or(Plan::Scan, |condition| Planner { source, indexed }.plan(condition))
}

struct Planner<'a> {
    source: Source,
    indexed: &'a [Vec<String>],
}

impl Planner<'_> {
    fn plan(&self, condition: &Expression) -> Plan {
        match condition {
            Expression::And(parts) => {
                let plans = parts.iter().map(|part| self.plan(part));
                plans.min_by_key(Plan::cost).unwrap_or(Plan::Scan)
            }
            Expression::Or(parts) => {
                let mut plans = parts.iter().map(|part| self.plan(part));
                let first = plans.next().unwrap_or(Plan::Scan);
                plans.fold(first, Plan::or).without_repeats()
            }
            Expression::Compare(left, Comparison::Equal, right) => match (&**left, &**right) {
                (Expression::Path(path), Expression::Constant(value))
                | (Expression::Constant(value), Expression::Path(path)) => {
                    self.lookup(path, value.iter())
                }
                _ => Plan::Scan,
            },
            Expression::Among(part, true, values) => match &**part {
                Expression::Path(path) => self.lookup(path, values.iter().flatten()),
                _ => Plan::Scan,
            },
            Expression::Path(path) => self.lookup(path, std::iter::once(&Value::Bool(true))),
            Expression::Compare(..)
            | Expression::Among(..)
            | Expression::Constant(_)
            | Expression::Not(_)
            | Expression::Arithmetic(..)
            | Expression::Call(..) => Plan::Scan,
        }
    }

    /// Rows that have one of these values at a path.
    fn lookup<'v>(&self, path: &Path, values: impl Iterator<Item = &'v Value>) -> Plan {
        let Some(root) = path.root() else { return Plan::Scan };
        let texts = |values: &mut dyn Iterator<Item = &'v Value>| {
            values.filter_map(|value| value.as_str().map(str::to_owned)).collect()
        };
        let mut values = values.filter(|value| !value.is_array() && !value.is_object());
        let is_job = self.source == Source::Jobs;
        let plan = match (root, &path.steps[1..]) {
            ("deviceId", []) => Plan::Devices(texts(&mut values)),
            ("jobId", []) if is_job => Plan::Jobs(texts(&mut values)),
            _ if is_job => return Plan::Scan,
            ("status", []) => Plan::Index(IndexKey::Status, values.cloned().collect()),
            ("connectionState", []) => {
                Plan::Index(IndexKey::ConnectionState, values.cloned().collect())
            }
            ("tags", below) => {
                let is_below = |names: &&Vec<String>| {
                    names.len() == below.len()
                        && names
                            .iter()
                            .zip(below)
                            .all(|(name, step)| matches!(step, Step::Name(found) if found == name))
                };
                match self.indexed.iter().find(is_below) {
                    Some(names) => {
                        Plan::Index(IndexKey::Tag(names.clone()), values.cloned().collect())
                    }
                    None => return Plan::Scan,
                }
            }
            _ => return Plan::Scan,
        };
        plan.without_repeats()
    }
}

impl Plan {
    /// What it looks at, as far as it can be known: which kind of way, and how many look-ups.
    fn cost(&self) -> (u8, usize) {
        match self {
            Self::Devices(ids) => (0, ids.len()),
            Self::Jobs(ids) => (1, ids.len()),
            Self::Index(IndexKey::Tag(_), values) => (2, values.len()),
            Self::Index(IndexKey::ConnectionState, values) => (3, values.len()),
            Self::Index(IndexKey::Status, values) => (4, values.len()),
            Self::Scan => (5, 0),
        }
    }

    /// Rows that are in one or the other.
    fn or(self, other: Self) -> Self {
        match (self, other) {
            (Self::Devices(mut ids), Self::Devices(more)) => {
                ids.extend(more);
                Self::Devices(ids)
            }
            (Self::Jobs(mut ids), Self::Jobs(more)) => {
                ids.extend(more);
                Self::Jobs(ids)
            }
            (Self::Index(key, mut values), Self::Index(other, more)) if key == other => {
                values.extend(more);
                Self::Index(key, values)
            }
            _ => Self::Scan,
        }
    }

    fn without_repeats(mut self) -> Self {
        match &mut self {
            Self::Devices(ids) | Self::Jobs(ids) => {
                ids.sort_unstable();
                ids.dedup();
            }
            Self::Index(_, values) => {
                values.sort_by_cached_key(index_key);
                values.dedup_by(|a, b| index_key(a) == index_key(b));
            }
            Self::Scan => {}
        }
        self
    }
}
