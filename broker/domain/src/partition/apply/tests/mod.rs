//! Commands over records in memory.

mod authorities;
mod begun;
mod c2d;
mod documents;
mod jobs;
mod memory;
mod modules;
mod presence;
mod put_with_twin;
mod streams;
mod twins;

use self::memory::Memory;
use super::*;
use crate::time::UnixMs;

fn run(command: Command, records: &mut Memory) -> Outcome {
    let Ok(outcome) = apply(command, records);
    outcome
}

#[test]
fn what_the_hub_is_and_its_first_policies_are_written_once() {
    let mut records = Memory::default();
    let hub = |name: &str| HubInfo {
        name: name.into(),
        entity: "events".into(),
        partitions: 4,
        created: UnixMs(1),
    };
    for name in ["first", "second"] {
        assert_eq!(run(Command::PutHub(hub(name)), &mut records), Outcome::Done);
        let policies = PolicySet::defaults(|| name.to_owned());
        assert_eq!(run(Command::PutPolicies(policies), &mut records), Outcome::Done);
    }
    assert_eq!(records.hub, Some(hub("first")));
    assert_eq!(records.policies, Some(PolicySet::defaults(|| "first".to_owned())));
}

#[test]
fn consumer_groups_have_names_without_case_and_a_bound() {
    let mut records = Memory::default();
    let group = |name: &str| ConsumerGroup { name: name.into(), created: UnixMs(1) };
    let put = |name: &str| Command::PutConsumerGroup(group(name));
    for name in ["One", "one", "$default", "two-2._"] {
        assert_eq!(run(put(name), &mut records), Outcome::Done, "{name}");
    }
    assert_eq!(records.groups, [group("One"), group("two-2._")]);
    for name in ["", "$x", "-a", "a/b", &"n".repeat(51)] {
        assert!(matches!(run(put(name), &mut records), Outcome::Refused(_)), "{name}");
    }
    let delete = |name: &str| Command::DeleteConsumerGroup(name.into());
    assert_eq!(run(delete("ONE"), &mut records), Outcome::Done);
    for name in ["ONE", "$Default"] {
        assert!(matches!(run(delete(name), &mut records), Outcome::Refused(_)), "{name}");
    }
    for n in records.groups.len() + 1..CONSUMER_GROUPS_MAX {
        assert_eq!(run(put(&format!("g{n}")), &mut records), Outcome::Done, "{n}");
    }
    assert!(matches!(run(put("one-more"), &mut records), Outcome::Refused(_)));
}
