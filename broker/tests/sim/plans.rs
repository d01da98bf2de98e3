//! The configurations of one group as they come, change and go, and by other means than the hub's what they come to.

use std::collections::BTreeMap;

use ironhub_domain::configuration::{
    Application, Configuration, ConfigurationId, ConfigurationRequest, put, resolve,
};
use ironhub_domain::ids::{DeviceId, IdentityId};
use ironhub_domain::query::{Datum, Row, Step, Target, walk_members};
use ironhub_domain::registry::IfMatch;
use ironhub_domain::time::UnixMs;
use ironhub_domain::twin::Twin;
use rand::Rng;
use rand::rngs::StdRng;
use serde_json::{Value, json};

/// Values of the tag that targets are chosen by.
pub const FLOORS: [u64; 3] = [1, 2, 3];
/// What configurations set, two of it in one object.
const PATHS: [[&str; 2]; 3] = [["a", ""], ["b", "c"], ["b", "d"]];
const PLANS: u32 = 4;

/// One configuration.
struct Plan {
    made: Configuration,
    floors: Vec<u64>,
    values: BTreeMap<[&'static str; 2], u64>,
}

/// All of a group.
#[derive(Default)]
pub struct Plans(BTreeMap<u32, Plan>);

/// A twin as conditions see it.
struct Tags<'a>(&'a Twin);

impl Row for Tags<'_> {
    fn value(&self, path: &[Step]) -> Option<Datum<'_>> {
        match path.split_first()? {
            (Step::Name(name), rest) if name == "tags" => walk_members(&self.0.tags, rest),
            _ => None,
        }
    }
}

impl Plans {
    /// Now and then a configuration is made, changed or deleted.
    pub fn tick(&mut self, now: UnixMs, rng: &mut StdRng) {
        if !rng.random_bool(0.04) {
            return;
        }
        let place = rng.random_range(0..PLANS);
        if rng.random_bool(0.3) {
            self.0.remove(&place);
            return;
        }
        let floors: Vec<_> = FLOORS.into_iter().filter(|_| rng.random_bool(0.5)).collect();
        let mut values: BTreeMap<_, _> = BTreeMap::new();
        for path in PATHS {
            if rng.random_bool(0.6) {
                values.insert(path, rng.random_range(0..1000));
            }
        }
        let dotted = |path: &[&str; 2]| {
            let path: Vec<_> = path.iter().filter(|part| !part.is_empty()).copied().collect();
            format!("properties.desired.{}", path.join("."))
        };
        let content: serde_json::Map<String, Value> =
            values.iter().map(|(path, value)| (dotted(path), (*value).into())).collect();
        // Few, so that ties come about.
        let priority = rng.random_range(1..3);
        let body = json!({
            "targetCondition": format!("tags.floor IN {}", json!(floors)),
            "priority": priority,
            "content": {"deviceContent": content},
        });
        let id = ConfigurationId::new(&format!("plan-{place}")).expect("a good id");
        let request = ConfigurationRequest::parse(id, body.to_string().as_bytes());
        let existing = self.0.get(&place).map(|plan| &plan.made);
        let any = existing.map(|_| &IfMatch::Any);
        let request = request.expect("a good request");
        let made = put(existing, 0, request, any, now).expect("nothing in its way");
        self.0.insert(place, Plan { made, floors, values });
    }

    /// Whether any targets the twin.
    pub fn target(&self, twin: &Twin) -> bool {
        self.targeting(twin).next().is_some()
    }

    /// What the hub makes of the twin.
    pub fn application(&self, id: &DeviceId, twin: &Twin) -> Option<Application> {
        let identity = IdentityId::device(id.clone());
        let is_met = |plan: &&Plan| {
            let target = Target::of_configuration(&plan.made.target_condition);
            target.is_ok_and(|target| target.is_met(&Tags(twin)))
        };
        let prepared: Vec<_> =
            self.0.values().filter(is_met).map(|plan| plan.made.prepare()).collect();
        let contenders: Vec<_> =
            prepared.iter().filter_map(|prepared| prepared.contender(&identity)).collect();
        resolve(&contenders, &twin.assigned, &twin.desired.values)
    }

    fn targeting(&self, twin: &Twin) -> impl Iterator<Item = &Plan> {
        let floor = twin.tags.get("floor").and_then(Value::as_u64);
        self.0.values().filter(move |plan| floor.is_some_and(|floor| plan.floors.contains(&floor)))
    }

    /// The values that the configurations want in a twin with these tags, worked out path by path.
    pub fn expected(&self, twin: &Twin) -> Value {
        let mut expected = json!({});
        for path in PATHS {
            let rivals = self.targeting(twin).filter(|plan| plan.values.contains_key(&path));
            let winner = rivals.max_by_key(|plan| (plan.made.priority, plan.made.created));
            let Some(value) = winner.map(|plan| plan.values[&path]) else { continue };
            match path {
                [name, ""] => expected[name] = value.into(),
                [name, inner] => expected[name][inner] = value.into(),
            }
        }
        expected
    }
}
