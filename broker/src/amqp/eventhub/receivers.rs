//! Which receivers may exist beside each other on one partition of one consumer group (service-protocols.md 4.6).

use std::collections::HashMap;
use std::sync::Arc;

use ironhub_domain::limits::RECEIVERS_PER_GROUP_AND_PARTITION_MAX;
use ironhub_wire::amqp::{Error, condition};
use parking_lot::Mutex;
use tokio::sync::oneshot;

/// Every receiver of this node, by partition and consumer group. Cheap to clone.
#[derive(Clone, Debug, Default)]
pub struct Receivers(Arc<Mutex<Table>>);

#[derive(Debug, Default)]
struct Table {
    last_id: u64,
    places: HashMap<Place, Vec<Held>>,
}

/// One partition of an event log as one consumer group sees it; the group's name in lower case.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(super) struct Place {
    /// [`super::EventSource::log`].
    log: u32,
    group: String,
    partition: u32,
}

impl Place {
    pub(super) fn new(log: u32, group: &str, partition: u32) -> Self {
        Self { log, group: group.to_ascii_lowercase(), partition }
    }
}

/// How a receiver calls itself, and its epoch if it wants the place for itself.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Claim {
    pub(super) name: Option<String>,
    pub(super) epoch: Option<i64>,
}

impl Claim {
    fn name(&self) -> &str {
        self.name.as_deref().unwrap_or("nil")
    }

    /// Receivers without an epoch count as the lowest there is.
    fn epoch_text(&self) -> i64 {
        self.epoch.unwrap_or(-1)
    }
}

#[derive(Debug)]
struct Held {
    id: u64,
    claim: Claim,
    evict: oneshot::Sender<Error>,
}

/// A receiver's place; gives it back when dropped.
#[derive(Debug)]
pub(super) struct Seat {
    receivers: Receivers,
    place: Place,
    id: u64,
}

impl Drop for Seat {
    fn drop(&mut self) {
        let mut table = self.receivers.0.lock();
        if let Some(held) = table.places.get_mut(&self.place) {
            held.retain(|held| held.id != self.id);
            if held.is_empty() {
                table.places.remove(&self.place);
            }
        }
    }
}

impl Receivers {
    /// Lets a receiver in; those that have to go for it are told through their channel. `Err` is for the newcomer.
    pub(super) fn admit(
        &self,
        place: Place,
        claim: Claim,
    ) -> Result<(Seat, oneshot::Receiver<Error>), Error> {
        let mut table = self.0.lock();
        table.last_id += 1;
        let id = table.last_id;
        let held = table.places.entry(place.clone()).or_default();
        match decide(held.iter().map(|held| &held.claim), &claim) {
            Verdict::Join => {}
            Verdict::Replace => {
                for old in held.drain(..) {
                    let error = stolen(replaced(&old.claim, &claim));
                    // One that is gone at this moment needs no telling.
                    let _ = old.evict.send(error);
                }
            }
            Verdict::Refuse(error) => return Err(error),
        }
        let (evict, evicted) = oneshot::channel();
        held.push(Held { id, claim, evict });
        drop(table);
        Ok((Seat { receivers: self.clone(), place, id }, evicted))
    }
}

impl Receivers {
    /// Detaches the receivers of event logs and of consumer groups that are no more.
    pub(in crate::amqp) fn keep(
        &self,
        has_log: impl Fn(u32) -> bool,
        has_group: impl Fn(&str) -> bool,
    ) {
        let mut table = self.0.lock();
        for (place, held) in &mut table.places {
            let text = if !has_log(place.log) {
                "the event hub was deleted".to_owned()
            } else if !has_group(&place.group) {
                format!("the consumer group {:?} was deleted", place.group)
            } else {
                continue;
            };
            for receiver in held.drain(..) {
                // One that is gone at this moment needs no telling.
                let _ = receiver.evict.send(Error::new(condition::NOT_FOUND, text.clone()));
            }
        }
        // Seats of those that were told are given back to places that are not there any more, which is nothing.
        table.places.retain(|_, held| !held.is_empty());
    }
}

#[derive(Debug, PartialEq)]
enum Verdict {
    /// Beside those that are there.
    Join,
    /// Instead of all that are there.
    Replace,
    /// Not at all.
    Refuse(Error),
}

/// The rule, for one newcomer and those that are there. Either one with an epoch is there or only such without.
fn decide<'a>(there: impl Iterator<Item = &'a Claim> + Clone, newcomer: &Claim) -> Verdict {
    let owner = there.clone().find_map(|claim| Some((claim, claim.epoch?)));
    match (owner, newcomer.epoch) {
        (None, Some(_)) => Verdict::Replace,
        (None, None) if there.clone().count() < RECEIVERS_PER_GROUP_AND_PARTITION_MAX => {
            Verdict::Join
        }
        (None, None) => {
            Verdict::Refuse(Error::new(condition::RESOURCE_LIMIT_EXCEEDED, full(there)))
        }
        (Some((_, held)), Some(wanted)) if wanted >= held => Verdict::Replace,
        (Some((owner, held)), Some(wanted)) => Verdict::Refuse(stolen(format!(
            "Receiver '{}' with a higher epoch '{held}' already exists. Receiver '{}' with epoch {wanted} cannot be \
             created. Make sure you are creating receiver with increasing epoch value to ensure connectivity, or \
             ensure all old epoch receivers are closed or disconnected.",
            owner.name(),
            newcomer.name()
        ))),
        (Some((_, held)), None) => Verdict::Refuse(stolen(format!(
            "At least one receiver for the endpoint is created with epoch of '{held}', and so non-epoch receiver is \
             not allowed. Either reconnect with a higher epoch, or make sure all epoch receivers are closed or \
             disconnected."
        ))),
    }
}

fn full<'a>(there: impl Iterator<Item = &'a Claim>) -> String {
    let names: Vec<&str> = there.map(Claim::name).collect();
    format!(
        "Exceeded the maximum number of allowed receivers per partition in a consumer group which is \
         {RECEIVERS_PER_GROUP_AND_PARTITION_MAX}. List of connected receivers - {}.",
        names.join(", ")
    )
}

fn replaced(old: &Claim, new: &Claim) -> String {
    format!(
        "New receiver '{}' with higher epoch of '{}' is created hence current receiver '{}' with epoch '{}' is getting \
         disconnected. If you are recreating the receiver, make sure a higher epoch is used.",
        new.name(),
        new.epoch_text(),
        old.name(),
        old.epoch_text()
    )
}

fn stolen(text: String) -> Error {
    Error::new(condition::STOLEN, text)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn claim(text: &str) -> Claim {
        let (name, epoch) = text.split_once(':').unwrap_or((text, ""));
        Claim {
            name: Some(name.into()).filter(|n: &String| !n.is_empty()),
            epoch: epoch.parse().ok(),
        }
    }

    /// Receivers that come in turn, `name:epoch` each. What becomes of each: `in`, a refusal's condition, or of the
    /// receivers it evicts `-name`.
    fn check(arrivals: &str, expected: &str) {
        let receivers = Receivers::default();
        let mut seats = Vec::new();
        let mut log = Vec::new();
        for arrival in arrivals.split_whitespace() {
            match receivers.admit(Place::new(0, "$Default", 0), claim(arrival)) {
                Ok((seat, evicted)) => {
                    log.push("in".to_owned());
                    for (name, _, old) in &mut seats {
                        let old: &mut oneshot::Receiver<Error> = old;
                        if let Ok(error) = old.try_recv() {
                            assert_eq!(error.condition, condition::STOLEN);
                            log.push(format!("-{name}"));
                        }
                    }
                    seats.push((arrival, seat, evicted));
                }
                Err(error) => log.push(error.condition.to_string()),
            }
        }
        assert_eq!(log.join(" "), expected, "{arrivals}");
    }

    #[test]
    fn five_without_epoch_stand_beside_each_other_and_no_sixth() {
        check("a b c d e f", "in in in in in amqp:resource-limit-exceeded");
    }

    #[test]
    fn an_epoch_evicts_all_without_one() {
        check("a b x:0", "in in in -a -b");
    }

    #[test]
    fn an_equal_or_higher_epoch_evicts_the_owner() {
        check("a:1 b:2 c:2", "in in -a:1 in -b:2");
    }

    #[test]
    fn a_lower_epoch_and_none_are_refused() {
        check("a:5 b:4 c", "in amqp:link:stolen amqp:link:stolen");
    }

    #[test]
    fn a_place_that_is_given_back_can_be_taken() {
        let receivers = Receivers::default();
        let seat = receivers.admit(Place::new(0, "g", 0), claim("a:9")).expect("free");
        assert!(
            receivers.admit(Place::new(0, "G", 0), claim("b:1")).is_err(),
            "names have no case"
        );
        assert!(receivers.admit(Place::new(0, "g", 1), claim("b:1")).is_ok());
        assert!(receivers.admit(Place::new(0, "h", 0), claim("b:1")).is_ok());
        assert!(receivers.admit(Place::new(1, "g", 0), claim("b:1")).is_ok());
        drop(seat);
        assert!(receivers.admit(Place::new(0, "g", 0), claim("b:1")).is_ok());
    }

    #[test]
    fn an_evicted_receiver_that_leaves_late_does_not_take_the_new_one_along() {
        let receivers = Receivers::default();
        let (old, _) = receivers.admit(Place::new(0, "g", 0), claim("a:1")).expect("free");
        let (_new, mut evicted) =
            receivers.admit(Place::new(0, "g", 0), claim("b:2")).expect("higher");
        drop(old);
        assert!(receivers.admit(Place::new(0, "g", 0), claim("c:1")).is_err(), "b still owns it");
        assert!(evicted.try_recv().is_err());
    }

    #[test]
    fn receivers_of_a_deleted_group_or_log_go_and_others_stay() {
        let receivers = Receivers::default();
        let admit =
            |log, group| receivers.admit(Place::new(log, group, 0), claim("a:1")).expect("free");
        let ((_old, mut gone), (_kept, mut stays)) = (admit(0, "Old"), admit(0, "kept"));
        let (_log, mut gone_too) = admit(7, "kept");
        receivers.keep(|log| log == 0, |group| group == "kept");
        for gone in [&mut gone, &mut gone_too] {
            assert_eq!(gone.try_recv().expect("told").condition, condition::NOT_FOUND);
        }
        assert!(stays.try_recv().is_err());
        let (_new, mut stays) = admit(0, "old");
        drop(_old);
        assert!(stays.try_recv().is_err(), "a group of that name that is made later is another");
    }

    #[test]
    fn the_texts_name_receivers_and_epochs() {
        let text = |verdict| match verdict {
            Verdict::Refuse(error) => error.description.expect("a text").to_string(),
            other => panic!("a refusal, not {other:?}"),
        };
        let five = vec![claim(""); 5];
        assert!(text(decide(five.iter(), &claim("x"))).starts_with(
            "Exceeded the maximum number of allowed receivers per partition in a consumer group which is 5. List of \
             connected receivers - nil, nil, nil, nil, nil"
        ));
        let owner = [claim("B:5")];
        assert!(text(decide(owner.iter(), &claim("A:4"))).starts_with(
            "Receiver 'B' with a higher epoch '5' already exists. Receiver 'A' with epoch 4 cannot be created. "
        ));
        assert!(text(decide(owner.iter(), &claim("A"))).starts_with(
            "At least one receiver for the endpoint is created with epoch of '5', and so non-epoch receiver is not \
             allowed. "
        ));
        assert_eq!(
            replaced(&claim(":0"), &claim("B:0")),
            "New receiver 'B' with higher epoch of '0' is created hence current receiver 'nil' with epoch '0' is \
             getting disconnected. If you are recreating the receiver, make sure a higher epoch is used."
        );
    }
}
