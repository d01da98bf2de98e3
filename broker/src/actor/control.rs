//! What a session tells its owner and must never be lost: what it wants, its credit, its answers, its end.
//!
//! A full mailbox cannot take it. It then waits beside the mailbox, in one value into which everything that comes later
//! is merged, so that it stays in order and small, however long it waits.

use std::sync::Arc;

use ironhub_domain::limits::METHODS_IN_FLIGHT_MAX;
use ironhub_domain::method::MethodAnswer;
use parking_lot::Mutex;

use crate::router::request::Features;

/// Statements of one session, carried out in the order of the fields.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Control {
    /// Takes back the credit that is not used.
    pub(super) clear_credit: bool,
    /// Returns what the session holds locked.
    pub(super) release: bool,
    /// What it wants from now on.
    pub(super) features: Option<Features>,
    /// So many more C2D messages.
    pub(super) credit: u32,
    /// Desired properties of this version have reached it.
    pub(super) seen: Option<u64>,
    /// Answers to methods.
    pub(super) answers: Vec<(u32, MethodAnswer)>,
    /// It has ended.
    pub(super) end: bool,
}

/// What waits for room in the mailbox; `None` while nothing does.
pub(super) type Backlog = Mutex<Option<Control>>;

impl Control {
    /// Adds what was said after this. The outcome is the same as if both were carried out one after the other, but for
    /// what the session wanted in between.
    pub(super) fn merge(&mut self, later: Self) {
        if later.clear_credit {
            self.clear_credit = true;
            self.credit = 0;
        }
        self.release |= later.release;
        self.features = later.features.or(self.features);
        self.credit = self.credit.saturating_add(later.credit);
        self.seen = self.seen.max(later.seen);
        self.end |= later.end;
        for (id, answer) in later.answers {
            // The first answer counts, and to more calls than can be under way there is none that somebody waits for.
            let is_new = self.answers.iter().all(|(known, _)| *known != id);
            if is_new && self.answers.len() < METHODS_IN_FLIGHT_MAX {
                self.answers.push((id, answer));
            }
        }
    }
}

/// Puts a control where the earlier ones wait; gives it back if none do.
pub(super) fn join(backlog: &Arc<Backlog>, control: Control) -> Option<Control> {
    match &mut *backlog.lock() {
        Some(waiting) => {
            waiting.merge(control);
            None
        }
        None => Some(control),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn credit(credit: u32) -> Control {
        Control { credit, ..Control::default() }
    }

    #[test]
    fn what_is_said_later_counts_on_top_of_what_waits() {
        let on = Features { c2d: true, ..Features::default() };
        let clear = || Control { clear_credit: true, ..Control::default() };
        let mut control = credit(3);
        control.merge(Control { features: Some(on), ..Control::default() });
        control.merge(credit(4));
        assert_eq!(control, Control { features: Some(on), credit: 7, ..Control::default() });
        control.merge(clear());
        control.merge(credit(2));
        control.merge(credit(u32::MAX));
        control.merge(Control { features: Some(Features::default()), ..Control::default() });
        control.merge(Control { end: true, release: true, ..Control::default() });
        let expected = Control {
            clear_credit: true,
            release: true,
            features: Some(Features::default()),
            credit: u32::MAX,
            end: true,
            ..Control::default()
        };
        assert_eq!(control, expected);
    }

    #[test]
    fn answers_that_wait_are_bounded_and_the_first_to_a_call_counts() {
        let mut control = Control::default();
        for id in 0..4 * METHODS_IN_FLIGHT_MAX as u32 {
            let answer = MethodAnswer { status: id as i32, payload: bytes::Bytes::new() };
            control.merge(Control { answers: vec![(id / 2, answer)], ..Control::default() });
        }
        assert_eq!(control.answers.len(), METHODS_IN_FLIGHT_MAX);
        assert!(control.answers.iter().all(|(id, answer)| answer.status == 2 * *id as i32));
    }
}
