//! What the configurations that target a twin make of it.
//!
//! Each sets values at paths that do not overlap. Of two whose paths meet, at the same place or one below the other, the
//! one with the higher priority counts, then the one created later, then the one whose id comes first; what the other
//! sets elsewhere counts all the same. What a configuration set before and does not set any more goes, unless another
//! sets it now, and so do objects that are empty by that. Everything else in the twin stays as it is.

use std::cmp::Reverse;
use std::collections::BTreeMap;

use serde_json::Value;

use crate::configuration::assigned::{Assigned, Assignment, AssignmentStatus};
use crate::configuration::content::Settings;
use crate::configuration::id::ConfigurationId;
use crate::configuration::path::DesiredPath;
use crate::time::UnixMs;
use crate::twin::Object;
use crate::twin::merge::merge;

/// A configuration that targets the twin.
#[derive(Clone, Copy, Debug)]
pub struct Contender<'a> {
    /// Which.
    pub id: &'a ConfigurationId,
    /// Higher goes first.
    pub priority: u32,
    /// Then later.
    pub created: UnixMs,
    /// What it sets.
    pub settings: &'a Settings,
}

/// What is to be done.
#[derive(Clone, Debug, PartialEq)]
pub struct Application {
    /// Merge patch of the desired properties; empty if these are as they shall be.
    pub patch: Object,
    /// What to store of it beside the twin, in the same step.
    pub assigned: Assigned,
}

/// Values that are to be in force, and who sets each.
type InForce<'a> = BTreeMap<&'a DesiredPath, (&'a ConfigurationId, &'a Value)>;

/// What the configurations make of a twin with these desired properties, of which `assigned` is what they made before.
/// `None` if all is as it shall be. Ids are there once.
pub fn resolve(
    contenders: &[Contender<'_>],
    assigned: &Assigned,
    desired: &Object,
) -> Option<Application> {
    let in_force = settle(contenders);
    let assignment = |contender: &Contender<'_>| {
        let owner = |(_, (owner, _)): &(_, &(&ConfigurationId, _))| *owner == contender.id;
        let owned: Vec<_> =
            in_force.iter().filter(owner).map(|(path, _)| (*path).clone()).collect();
        let is_applied = !owned.is_empty() || contender.settings.values.is_empty();
        let status =
            if is_applied { AssignmentStatus::Applied } else { AssignmentStatus::Targeted };
        (contender.id.clone(), Assignment { status, owned })
    };
    let wanted = Assigned(contenders.iter().map(assignment).collect());
    let patch = patch(&in_force, assigned, desired);
    let is_news = !patch.is_empty() || wanted != *assigned;
    is_news.then_some(Application { patch, assigned: wanted })
}

fn settle<'a>(contenders: &[Contender<'a>]) -> InForce<'a> {
    let mut ranked: Vec<_> = contenders.to_vec();
    ranked.sort_by_key(|one| (Reverse((one.priority, one.created)), one.id));
    let mut in_force = InForce::new();
    let mut has_base = false;
    for Contender { id, settings, .. } in ranked {
        if settings.is_base && has_base {
            continue;
        }
        has_base |= settings.is_base;
        for (path, value) in &settings.values {
            // Those of one configuration do not meet, so it never stands in its own way.
            if !meets_any(path, &in_force) {
                in_force.insert(path, (id, value));
            }
        }
    }
    in_force
}

fn meets_any(path: &DesiredPath, in_force: &InForce<'_>) -> bool {
    in_force.contains_key(path)
        || has_below(path, in_force)
        || path.above().any(|above| in_force.contains_key(&above))
}

/// Whether any lies below the path, which is not in force itself: it would come next.
fn has_below(path: &DesiredPath, in_force: &InForce<'_>) -> bool {
    let next = in_force.range::<DesiredPath, _>(path..).next();
    next.is_some_and(|(next, _)| next.is_below(path))
}

fn patch(in_force: &InForce<'_>, assigned: &Assigned, desired: &Object) -> Object {
    let mut patch = Object::new();
    let mut removed = Vec::new();
    for path in assigned.0.values().flat_map(|assignment| &assignment.owned) {
        // What has a new value below it becomes an object by that.
        let stays = in_force.contains_key(path) || has_below(path, in_force);
        if !stays && path.get(desired).is_some() {
            path.set(&mut patch, Value::Null);
            removed.push(path);
        }
    }
    for (path, (_, value)) in in_force {
        let current = path.get(desired);
        match value {
            // A merge cannot empty an object, and need not.
            Value::Object(_) if current.is_some_and(Value::is_object) => {}
            Value::Object(_) => path.set_object(&mut patch),
            value if current == Some(value) => {}
            value => path.set(&mut patch, (*value).clone()),
        }
    }
    prune(&mut patch, &removed, in_force, desired);
    patch
}

/// Removes the objects that have nothing in them any more.
fn prune(patch: &mut Object, removed: &[&DesiredPath], in_force: &InForce<'_>, desired: &Object) {
    if removed.is_empty() {
        return;
    }
    let mut after = desired.clone();
    merge(&mut after, patch.clone());
    for above in removed.iter().flat_map(|path| path.above()) {
        let is_empty = above.get(&after).and_then(Value::as_object).is_some_and(Object::is_empty);
        if is_empty && !in_force.contains_key(&above) {
            above.set(patch, Value::Null);
            let mut gone = Object::new();
            above.set(&mut gone, Value::Null);
            merge(&mut after, gone);
        }
    }
}
