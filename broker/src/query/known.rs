//! Counts that need no row: what is kept of a partition tells how many devices have which value at one path.
//!
//! How many devices there are, how many of them are disabled and how many connected is counted; of an indexed tag the index
//! tells, where its forms tell values apart and every device that can matter is in it. All else is counted row by row.

use std::ops::ControlFlow;

use ironhub_cluster::storage::StorageError;
use ironhub_domain::query::{
    Aggregate, ColumnValue, Datum, IndexKey, Plan, Query, Row, Select, Source, Step, Target,
};
use serde_json::Value;

use super::selection::Selection;
use crate::actor::Owner;
use crate::partition::{index, records};

/// So many rows of one partition that have the same values wherever the query looks.
pub(super) struct Alike {
    path: Vec<Step>,
    value: Option<Value>,
    pub(super) rows: u64,
}

impl Row for Alike {
    fn value(&self, path: &[Step]) -> Option<Datum<'_>> {
        self.value.as_ref().filter(|_| path == self.path).map(Datum::from)
    }
}

/// What a selection looks at in devices, and no more: one path, or nothing.
pub(super) struct Sight {
    path: Vec<Step>,
}

impl Sight {
    /// Of a query that counts.
    pub(super) fn of_counts(query: &Query) -> Option<Self> {
        let Select::Columns(columns) = &query.select else { return None };
        let mut paths: Vec<&[Step]> = Vec::new();
        for column in columns {
            match &column.value {
                ColumnValue::Path(path) => paths.push(&path.steps),
                ColumnValue::Aggregate(Aggregate::Count, _) => {}
                ColumnValue::Aggregate(..) => return None,
            }
        }
        paths.extend(query.group_by.iter().map(|path| path.steps.as_slice()));
        Self::new(&Selection::Query(query.clone()), paths)
    }

    /// Of a selection whose rows are only counted.
    pub(super) fn of_rows(selection: &Selection) -> Option<Self> {
        Self::new(selection, Vec::new())
    }

    fn new(selection: &Selection, paths: Vec<&[Step]>) -> Option<Self> {
        if selection.source() != Source::Devices
            || matches!(selection, Selection::Target(Target::Nothing))
        {
            return None;
        }
        let mut all: Vec<Vec<Step>> = paths.into_iter().map(<[Step]>::to_vec).collect();
        if let Some(condition) = selection.condition() {
            condition.visit_paths(&mut |path| all.push(path.steps.clone()));
        }
        let path = all.first().cloned().unwrap_or_default();
        all.iter().all(|other| *other == path).then_some(Self { path })
    }

    /// Whether looking takes longer than reading a count.
    pub(super) fn is_far(&self) -> bool {
        self.path.len() > 1
    }

    /// The devices of a partition, as they are alike; `None` if what is kept does not tell. Reads the disk, and with an indexed
    /// tag all of that index.
    pub(super) fn devices(
        &self,
        owner: &Owner,
        selection: &Selection,
    ) -> Result<Option<Vec<Alike>>, StorageError> {
        let (store, group) = (owner.store(), owner.partition().group());
        let counts = records::counts(store, group)?;
        let alike = |value: Option<Value>, rows| Alike { path: self.path.clone(), value, rows };
        let two = |part: u64, names: [&str; 2]| {
            let rest = counts.devices.saturating_sub(part);
            vec![alike(Some(names[0].into()), part), alike(Some(names[1].into()), rest)]
        };
        let names: Option<Vec<&str>> = self.path.iter().map(name).collect();
        Ok(match names.as_deref() {
            Some([]) => Some(vec![alike(None, counts.devices)]),
            Some(["status"]) => Some(two(counts.disabled, ["disabled", "enabled"])),
            Some(["connectionState"]) => Some(two(counts.connected, ["Connected", "Disconnected"])),
            Some(["tags", below @ ..]) => {
                let path = below.join(".");
                let is_one = below.iter().all(|name| !name.contains('.'));
                if !is_one || !records::indexed_tags(store, group)?.contains(&path) {
                    return Ok(None);
                }
                let below: Vec<String> = below.iter().map(|name| (*name).to_owned()).collect();
                let plan = selection.plan(&[below]);
                let Some(values) = indexed(owner, &index::tag(&path), &plan)? else {
                    return Ok(None);
                };
                let is_all = values.iter().map(|(_, rows)| rows).sum::<u64>() == counts.devices;
                // What the index does not have may be null, or an object: only where the condition wants values that it has
                // does that not matter.
                let is_exact = is_all || matches!(plan, Plan::Index(IndexKey::Tag(_), _));
                let values = values.into_iter().map(|(value, rows)| alike(Some(value), rows));
                is_exact.then(|| values.collect())
            }
            Some(_) | None => None,
        })
    }
}

/// The values of an index that the plan leads to, and how many devices have each; `None` if forms do not tell values, or there
/// are more than any result has.
fn indexed(
    owner: &Owner,
    name: &str,
    plan: &Plan,
) -> Result<Option<Vec<(Value, u64)>>, StorageError> {
    let (store, group) = (owner.store(), owner.partition().group());
    let (mut found, mut is_exact) = (Vec::new(), true);
    let mut see = |form: &[u8], rows| match index::value_of(form) {
        Some(value) if found.len() < VALUES_MAX => {
            found.push((value, rows));
            ControlFlow::Continue(())
        }
        Some(_) | None => {
            is_exact = false;
            ControlFlow::Break(())
        }
    };
    match plan {
        Plan::Index(IndexKey::Tag(_), values) => {
            let mut forms: Vec<_> = values.iter().filter_map(index::index_value).collect();
            if forms.len() < values.len() {
                return Ok(None);
            }
            forms.sort_unstable();
            forms.dedup();
            for form in forms {
                records::count_indexed(store, group, name, Some(&form), &mut see)?;
            }
        }
        Plan::Index(..) | Plan::Devices(_) | Plan::Jobs(_) | Plan::Scan => {
            records::count_indexed(store, group, name, None, &mut see)?;
        }
    }
    Ok(is_exact.then_some(found))
}

/// Different values of one partition that are held at a time; a tag that has more is counted row by row.
const VALUES_MAX: usize = 2 * ironhub_domain::limits::QUERY_GROUPS_MAX;

fn name(step: &Step) -> Option<&str> {
    match step {
        Step::Name(name) => Some(name),
        Step::Index(_) => None,
    }
}
