//! How the device's owner tells a session to close, from another thread.

use std::sync::atomic::{AtomicU8, Ordering};
use std::task::Context;

use futures_util::task::AtomicWaker;

use crate::router::request::{CloseReason, Push, SessionSink};

/// Holds the first reason given; never blocks.
#[derive(Default)]
pub(super) struct Signal {
    reason: AtomicU8,
    session: AtomicWaker,
}

const REASONS: [CloseReason; 5] = [
    CloseReason::TakenOver,
    CloseReason::Disabled,
    CloseReason::Deleted,
    CloseReason::Rekeyed,
    CloseReason::ShuttingDown,
];

impl Signal {
    /// The reason, if there is one; otherwise the task of `cx` is woken when there is.
    pub(super) fn poll(&self, cx: &Context<'_>) -> Option<CloseReason> {
        self.session.register(cx.waker());
        let index = usize::from(self.reason.load(Ordering::Acquire));
        index.checked_sub(1).and_then(|index| REASONS.get(index).copied())
    }
}

impl SessionSink for Signal {
    fn close(&self, reason: CloseReason) {
        let number = match reason {
            CloseReason::TakenOver => 1,
            CloseReason::Disabled => 2,
            CloseReason::Deleted => 3,
            CloseReason::Rekeyed => 4,
            CloseReason::ShuttingDown => 5,
        };
        // The first reason stays: it is what really ended the session.
        let _ = self.reason.compare_exchange(0, number, Ordering::AcqRel, Ordering::Acquire);
        self.session.wake();
    }

    fn push(&self, _: Push) -> bool {
        true
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_reason_stays() {
        for reason in REASONS {
            let signal = Signal::default();
            let cx = Context::from_waker(std::task::Waker::noop());
            assert_eq!(signal.poll(&cx), None);
            signal.close(reason);
            signal.close(CloseReason::ShuttingDown);
            assert_eq!(signal.poll(&cx), Some(reason));
        }
    }
}
