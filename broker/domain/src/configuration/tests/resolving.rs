use serde_json::{Value, json};

use super::*;
use crate::time::UnixMs;
use crate::twin::merge::merge;

/// A configuration that sets these desired properties on devices.
fn sets(name: &str, priority: u32, created: u64, desired: Value) -> Prepared {
    let desired = object(desired).into_iter();
    let paths: Object =
        desired.map(|(key, value)| (format!("properties.desired.{key}"), value)).collect();
    let content = Content::parse(object(json!({"deviceContent": paths}))).unwrap();
    Prepared::new(id(name), priority, UnixMs(created), &content)
}

/// A device's twin.
#[derive(Debug)]
struct Device {
    desired: Object,
    assigned: Assigned,
}

impl Device {
    fn new(desired: Value) -> Self {
        Self { desired: object(desired), assigned: Assigned::default() }
    }

    /// These configurations target it now, and no others; the patch, if anything was to be done.
    fn meets(&mut self, configurations: &[&Prepared]) -> Option<Value> {
        let identity = crate::ids::DeviceId::new("d1").unwrap().into();
        let contenders: Vec<_> =
            configurations.iter().filter_map(|one| one.contender(&identity)).collect();
        let Application { patch, assigned } = resolve(&contenders, &self.assigned, &self.desired)?;
        merge(&mut self.desired, patch.clone());
        self.assigned = assigned;
        let again = resolve(&contenders, &self.assigned, &self.desired);
        assert_eq!(again, None, "the second time there is nothing to do");
        Some(patch.into())
    }

    #[track_caller]
    fn check(&self, desired: Value, assigned: &[(&str, &str, &[&str])]) {
        assert_eq!(Value::from(self.desired.clone()), desired);
        let is: Vec<_> = self.assigned.0.iter().collect();
        assert_eq!(is.len(), assigned.len(), "{is:?}");
        for ((id, one), (name, status, owned)) in is.into_iter().zip(assigned) {
            let paths: Vec<_> = one.owned.iter().map(DesiredPath::as_str).collect();
            assert_eq!((id.as_str(), one.status.as_str(), &paths[..]), (*name, *status, *owned));
        }
    }
}

#[test]
fn what_enters_the_scope_gets_its_values_and_what_leaves_it_loses_them() {
    let chiller = sets("chiller", 1, 1, json!({"chiller": {"t": 66, "p": [1]}}));
    let mut device = Device::new(json!({"chiller": {"own": 1}, "other": 2}));
    let patch = device.meets(&[&chiller]);
    assert_eq!(patch, Some(json!({"chiller": {"t": 66, "p": [1]}})));
    let after = json!({"chiller": {"own": 1, "t": 66, "p": [1]}, "other": 2});
    device.check(after, &[("chiller", "Applied", &["chiller.p", "chiller.t"])]);
    assert_eq!(device.assigned.json(), json!({"chiller": {"status": "Applied"}}));
    let patch = device.meets(&[]);
    assert_eq!(patch, Some(json!({"chiller": {"t": null, "p": null}})));
    device.check(json!({"chiller": {"own": 1}, "other": 2}), &[]);
    assert_eq!(device.meets(&[]), None);
}

#[test]
fn the_highest_priority_counts_at_each_path_and_the_newest_of_equals() {
    let low = sets("low", 1, 9, json!({"a": 1, "b": 1, "c": 1}));
    let old = sets("old", 5, 1, json!({"a": 2, "b": 2}));
    let new = sets("new", 5, 2, json!({"a": 3}));
    let mut device = Device::new(json!({}));
    for order in [[&low, &old, &new], [&new, &old, &low], [&old, &new, &low]] {
        device.meets(&order);
        device.check(
            json!({"a": 3, "b": 2, "c": 1}),
            &[("low", "Applied", &["c"]), ("new", "Applied", &["a"]), ("old", "Applied", &["b"])],
        );
    }
    device.meets(&[&low, &old]);
    device.check(
        json!({"a": 2, "b": 2, "c": 1}),
        &[("low", "Applied", &["c"]), ("old", "Applied", &["a", "b"])],
    );
    device.meets(&[&low]);
    device.check(json!({"a": 1, "b": 1, "c": 1}), &[("low", "Applied", &["a", "b", "c"])]);
    let twin = [sets("b", 1, 1, json!({"x": "b"})), sets("a", 1, 1, json!({"x": "a"}))];
    device.meets(&[&twin[0], &twin[1]]);
    device.check(json!({"x": "a"}), &[("a", "Applied", &["x"]), ("b", "Targeted", &[])]);
}

#[test]
fn who_sets_nothing_that_counts_is_only_targeted() {
    let high = sets("high", 2, 1, json!({"a": 1}));
    let low = sets("low", 1, 1, json!({"a": 2}));
    let nothing = sets("nothing", 0, 1, json!({}));
    let mut device = Device::new(json!({}));
    device.meets(&[&high, &low, &nothing]);
    device.check(
        json!({"a": 1}),
        &[("high", "Applied", &["a"]), ("low", "Targeted", &[]), ("nothing", "Applied", &[])],
    );
    // The same value changes hands without a patch, and that is to be stored.
    let same = sets("low", 1, 1, json!({"a": 1}));
    assert_eq!(device.meets(&[&same]), Some(json!({})));
    device.check(json!({"a": 1}), &[("low", "Applied", &["a"])]);
}

#[test]
fn where_one_path_lies_below_another_the_first_in_rank_counts() {
    let whole = |priority| sets("whole", priority, 1, json!({"a": 5}));
    let part = |priority| sets("part", priority, 1, json!({"a": {"b": 1}, "c": 1}));
    let mut device = Device::new(json!({}));
    device.meets(&[&whole(2), &part(1)]);
    device.check(
        json!({"a": 5, "c": 1}),
        &[("part", "Applied", &["c"]), ("whole", "Applied", &["a"])],
    );
    device.meets(&[&whole(1), &part(2)]);
    device.check(
        json!({"a": {"b": 1}, "c": 1}),
        &[("part", "Applied", &["a.b", "c"]), ("whole", "Targeted", &[])],
    );
    device.meets(&[&whole(3), &part(2)]);
    device.check(
        json!({"a": 5, "c": 1}),
        &[("part", "Applied", &["c"]), ("whole", "Applied", &["a"])],
    );
    let empty = sets("empty", 9, 1, json!({"a": {}}));
    device.meets(&[&part(2)]);
    assert_eq!(device.meets(&[&empty]), Some(json!({"a": {"b": null}, "c": null})));
    device.check(json!({"a": {}}), &[("empty", "Applied", &["a"])]);
    device.meets(&[]);
    device.check(json!({}), &[]);
}

#[test]
fn what_somebody_changes_is_written_again() {
    let config = sets("c", 1, 1, json!({"a": {"b": 1, "c": {"d": 2}}, "e": [1]}));
    let set = json!({"a": {"b": 1, "c": {"d": 2}}, "e": [1]});
    for (change, patch) in [
        (json!({"a": {"b": 9}}), json!({"a": {"b": 1}})),
        (json!({"a": {"b": null}}), json!({"a": {"b": 1}})),
        (json!({"a": null}), json!({"a": {"b": 1, "c": {"d": 2}}})),
        (json!({"a": {"c": 7}}), json!({"a": {"c": {"d": 2}}})),
        (json!({"a": {"b": {"x": 1}}}), json!({"a": {"b": 1}})),
        (json!({"e": [1, 2]}), json!({"e": [1]})),
        (json!({"e": null}), json!({"e": [1]})),
    ] {
        let mut device = Device::new(json!({}));
        device.meets(&[&config]);
        merge(&mut device.desired, object(change.clone()));
        assert_eq!(device.meets(&[&config]), Some(patch), "{change}");
        assert_eq!(Value::from(device.desired), set, "{change}");
    }
    let mut device = Device::new(json!({}));
    device.meets(&[&config]);
    merge(&mut device.desired, object(json!({"a": {"own": 1}, "mine": 2})));
    assert_eq!(device.meets(&[&config]), None, "what is not its own it lets alone");
}

#[test]
fn a_configuration_that_changes_takes_what_it_does_not_set_any_more() {
    let mut device = Device::new(json!({"own": 1}));
    device.meets(&[&sets("c", 1, 1, json!({"a": {"b": 1, "c": 2}, "d": 3}))]);
    device.meets(&[&sets("c", 1, 1, json!({"a": {"b": 1}, "e": 4}))]);
    device.check(json!({"own": 1, "a": {"b": 1}, "e": 4}), &[("c", "Applied", &["a.b", "e"])]);
}

#[test]
fn objects_that_lose_their_last_value_go_up_to_the_first_that_does_not() {
    let deep = sets("deep", 1, 1, json!({"a": {"b": {"c": {"d": 1}}}}));
    for (before, after) in [
        (json!({}), json!({})),
        (json!({"a": {"own": 1}}), json!({"a": {"own": 1}})),
        (json!({"a": {"b": {"own": {}}}}), json!({"a": {"b": {"own": {}}}})),
    ] {
        let mut device = Device::new(before);
        device.meets(&[&deep]);
        device.meets(&[]);
        device.check(after, &[]);
    }
}

#[test]
fn of_base_deployments_one_counts_and_parts_are_laid_over_it() {
    let edge = |name: &str, priority, content: Value| {
        let content = object(json!({"modulesContent": {"m": content}}));
        Prepared::new(id(name), priority, UnixMs(1), &Content::parse(content).unwrap())
    };
    let configurations = [
        edge("base", 2, json!({"properties.desired": {"x": 1, "y": {"z": 1}}})),
        edge("lower", 1, json!({"properties.desired": {"only": 1}})),
        edge("layer", 3, json!({"properties.desired.y.w": 2, "properties.desired.x": 3})),
    ];
    let device = crate::ids::DeviceId::new("d1").unwrap();
    let module = |name: &str| {
        let module = crate::ids::ModuleId::new(name).unwrap();
        crate::ids::IdentityId::module(device.clone(), module)
    };
    let resolved = |identity: &crate::ids::IdentityId| {
        let contenders: Vec<_> =
            configurations.iter().filter_map(|one| one.contender(identity)).collect();
        resolve(&contenders, &Assigned::default(), &Object::new())
    };
    let done = resolved(&module("m")).unwrap();
    assert_eq!(Value::from(done.patch), json!({"x": 3, "y": {"z": 1, "w": 2}}));
    let lower = json!({"base": {"status": "Applied"}, "layer": {"status": "Applied"},
        "lower": {"status": "Targeted"}});
    assert_eq!(done.assigned.json(), lower);
    assert_eq!(resolved(&module("other")), None, "no content for it");
    let told = resolved(&device.clone().into()).unwrap();
    assert!(told.patch.is_empty(), "a device is told what its modules have");
    assert!(told.assigned.0.values().all(|one| one.status == AssignmentStatus::Applied));
}

#[test]
fn a_twin_that_cannot_be_changed_keeps_what_it_has() {
    let first = sets("first", 1, 1, json!({"a": 1}));
    let second = sets("second", 2, 1, json!({"a": 2}));
    let mut device = Device::new(json!({}));
    device.meets(&[&first]);
    let identity = crate::ids::DeviceId::new("d1").unwrap().into();
    let contenders = [second.contender(&identity).unwrap()];
    let wanted = resolve(&contenders, &device.assigned, &device.desired).unwrap().assigned;
    device.assigned = device.assigned.not_changed_to(&wanted);
    device.check(json!({"a": 1}), &[("first", "Applied", &["a"]), ("second", "Targeted", &[])]);
    device.meets(&[&second]);
    device.check(json!({"a": 2}), &[("second", "Applied", &["a"])]);
}
