//! Any configurations, coming and going, over a twin that others change, too.

use std::collections::BTreeMap;

use proptest::collection::vec;
use proptest::prelude::*;
use serde_json::{Value, json};

use super::*;
use crate::time::UnixMs;
use crate::twin::merge::merge;

fn name() -> impl Strategy<Value = String> {
    prop_oneof!["a", "b", "c"].prop_map(|name| name.to_owned())
}

fn path() -> impl Strategy<Value = DesiredPath> {
    vec(name(), 1..4).prop_map(|names| DesiredPath::parse(&names.join(".")).unwrap())
}

/// What a configuration sets; paths that meet one before them are left out.
fn settings() -> impl Strategy<Value = Settings> {
    let value =
        prop_oneof![(0..4_u8).prop_map(|n| json!(n)), Just(json!({})), Just(json!([{"x": null}])),];
    vec((path(), value), 0..6).prop_map(|pairs| {
        let mut values: BTreeMap<DesiredPath, Value> = BTreeMap::new();
        for (path, value) in pairs {
            let meets = |other: &DesiredPath| {
                *other == path || other.is_below(&path) || path.is_below(other)
            };
            if !values.keys().any(meets) {
                values.insert(path, value);
            }
        }
        Settings { values, is_base: false }
    })
}

#[derive(Clone, Debug)]
struct Step {
    /// Which configurations target the twin now.
    targeting: Vec<bool>,
    /// What somebody else writes.
    change: Option<(DesiredPath, Value)>,
}

fn step() -> impl Strategy<Value = Step> {
    let value = prop_oneof![Just(Value::Null), Just(json!({})), (9..12_u8).prop_map(|n| json!(n))];
    (vec(any::<bool>(), 4), proptest::option::of((path(), value)))
        .prop_map(|(targeting, change)| Step { targeting, change })
}

type Configured = (u32, u64, Settings);

fn contenders<'a>(
    configured: &'a [Configured],
    ids: &'a [ConfigurationId],
    step: &Step,
) -> Vec<Contender<'a>> {
    let all = configured.iter().zip(ids).zip(&step.targeting);
    all.filter(|(_, targets)| **targets)
        .map(|(((priority, created, settings), id), _)| Contender {
            id,
            priority: *priority,
            created: UnixMs(*created),
            settings,
        })
        .collect()
}

fn ids() -> Vec<ConfigurationId> {
    (0..4).map(|n| id(&format!("c{n}"))).collect()
}

/// One step of a twin's life, with all that must hold after it.
fn check(
    contenders: &[Contender<'_>],
    assigned: &mut Assigned,
    desired: &mut Object,
) -> Result<(), TestCaseError> {
    let before = desired.clone();
    let done = resolve(contenders, assigned, desired);
    if let Some(Application { patch, assigned: now }) = done {
        merge(desired, patch);
        *assigned = now;
    } else {
        prop_assert_eq!(&before, &*desired);
    }
    prop_assert_eq!(resolve(contenders, assigned, desired), None, "twice is once");

    let named: Vec<_> = assigned.0.keys().collect();
    let mut expected: Vec<_> = contenders.iter().map(|one| one.id).collect();
    expected.sort();
    prop_assert_eq!(named, expected, "exactly those that target it are told of");

    let mut owned: Vec<&DesiredPath> = assigned.0.values().flat_map(|one| &one.owned).collect();
    owned.sort();
    for pair in owned.windows(2) {
        prop_assert!(pair[0] != pair[1] && !pair[1].is_below(pair[0]), "doubled: {:?}", pair);
    }
    for one in contenders {
        let own = &assigned.0[one.id].owned;
        for (path, value) in &one.settings.values {
            let is = path.get(desired);
            if own.contains(path) {
                match value {
                    Value::Object(_) => prop_assert!(is.is_some_and(Value::is_object)),
                    value => prop_assert_eq!(is, Some(value), "{} of {}", path, one.id),
                }
                continue;
            }
            // Lost only to one that goes before it.
            let beats = |other: &&Contender<'_>| {
                let rank =
                    |c: &Contender<'_>| (c.priority, c.created, std::cmp::Reverse(c.id.clone()));
                let meets = |p: &DesiredPath| p == path || p.is_below(path) || path.is_below(p);
                rank(other) > rank(one) && assigned.0[other.id].owned.iter().any(meets)
            };
            prop_assert!(
                contenders.iter().any(|other| beats(&other)),
                "{} of {} lost",
                path,
                one.id
            );
        }
    }
    Ok(())
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 400, ..ProptestConfig::default() })]

    #[test]
    fn whatever_comes_and_goes_every_value_has_one_owner_and_is_there(
        configured in vec((0..3_u32, 0..3_u64, settings()), 4),
        steps in vec(step(), 1..8),
    ) {
        let ids = ids();
        let (mut assigned, mut desired) = (Assigned::default(), Object::new());
        for step in &steps {
            if let Some((path, value)) = &step.change {
                let mut patch = Object::new();
                path.set(&mut patch, value.clone());
                merge(&mut desired, patch);
            }
            check(&contenders(&configured, &ids, step), &mut assigned, &mut desired)?;
        }
    }

    #[test]
    fn when_all_have_gone_the_twin_is_what_it_was(
        configured in vec((0..3_u32, 0..3_u64, settings()), 4),
        steps in vec(step(), 1..8),
        own in path(),
    ) {
        let ids = ids();
        let mut desired = object(json!({"own": {}}));
        // Where no configuration writes: its names are others.
        DesiredPath::parse(&format!("own.{own}")).unwrap().set(&mut desired, json!(7));
        let before = desired.clone();
        let mut assigned = Assigned::default();
        for step in &steps {
            check(&contenders(&configured, &ids, step), &mut assigned, &mut desired)?;
        }
        check(&[], &mut assigned, &mut desired)?;
        prop_assert_eq!(desired, before);
        prop_assert!(assigned.is_empty());
    }
}
