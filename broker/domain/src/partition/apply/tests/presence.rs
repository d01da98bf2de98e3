use super::c2d::{identity, with_device};
use super::*;
use crate::device::Presence;
use crate::ids::IdentityId;
use crate::limits::INDEXED_TAGS_MAX;

fn note(identity: &IdentityId, connected: bool, sequence: u64) -> Command {
    let presence = Presence { connected, sequence, ..Presence::default() };
    Command::NotePresence { identity: identity.clone(), presence }
}

#[test]
fn presence_is_kept_of_registered_identities_and_never_goes_back() {
    let mut records = with_device();
    let (known, unknown) = (identity("d"), identity("x"));
    for (sequence, connected, kept) in [(5, true, 5), (6, false, 6), (5, true, 6), (6, true, 6)] {
        assert_eq!(run(note(&known, connected, sequence), &mut records), Outcome::Done);
        assert_eq!(records.presences[&known].sequence, kept);
    }
    assert!(records.presences[&known].connected, "a newer note of the same transition counts");
    assert_eq!(run(note(&unknown, true, 1), &mut records), Outcome::Done);
    assert!(!records.presences.contains_key(&unknown));
    let precondition = IfMatch::Any;
    run(Command::DeleteDevice { id: known.device.clone(), precondition }, &mut records);
    assert!(records.presences.is_empty());
}

#[test]
fn transitions_are_numbered_upwards_whatever_the_clock_says() {
    let mut presence = Presence::default();
    let mut last = 0;
    for now in [10, 10, 9, 11, 0, 12, u64::MAX, u64::MAX] {
        presence.sequence = presence.next_sequence(UnixMs(now));
        assert!(presence.sequence > last || last == u64::MAX, "{now}");
        last = presence.sequence;
    }
}

#[test]
fn few_tags_are_indexed() {
    let mut records = Memory::default();
    let paths =
        |count: usize, bytes: usize| Command::SetIndexedTags(vec!["p".repeat(bytes); count]);
    for (command, good) in [
        (paths(INDEXED_TAGS_MAX, 1024), true),
        (paths(0, 0), true),
        (paths(INDEXED_TAGS_MAX + 1, 1), false),
        (paths(1, 0), false),
        (paths(1, 1025), false),
    ] {
        assert_eq!(run(command, &mut records) == Outcome::Done, good);
    }
}
