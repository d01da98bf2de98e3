//! How the device's owner reaches a session from another thread: to close it, and with what it shall send to its client.

use std::collections::VecDeque;
use std::sync::atomic::{AtomicU8, Ordering};
use std::task::Context;

use futures_util::task::AtomicWaker;
use parking_lot::Mutex;

use crate::router::request::{CloseReason, PUSHES_MAX, Push, SessionSink};

/// Holds the first reason given to close, and what was pushed; never blocks for long.
#[derive(Default)]
pub(super) struct Signal {
    reason: AtomicU8,
    session: AtomicWaker,
    pushes: Mutex<VecDeque<Push>>,
}

const REASONS: [CloseReason; 6] = [
    CloseReason::TakenOver,
    CloseReason::Disabled,
    CloseReason::Deleted,
    CloseReason::Rekeyed,
    CloseReason::ShuttingDown,
    CloseReason::Slow,
];

impl Signal {
    /// The reason, if there is one; otherwise the task of `cx` is woken when there is, and by every push.
    pub(super) fn poll(&self, cx: &Context<'_>) -> Option<CloseReason> {
        self.session.register(cx.waker());
        let index = usize::from(self.reason.load(Ordering::Acquire));
        index.checked_sub(1).and_then(|index| REASONS.get(index).copied())
    }

    /// The oldest push that was not taken.
    pub(super) fn take(&self) -> Option<Push> {
        let mut pushes = self.pushes.lock();
        let push = pushes.pop_front();
        if pushes.is_empty() && 0 < pushes.capacity() {
            *pushes = VecDeque::new();
        }
        push
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
            CloseReason::Slow => 6,
        };
        // The first reason stays: it is what really ended the session.
        let _ = self.reason.compare_exchange(0, number, Ordering::AcqRel, Ordering::Acquire);
        self.session.wake();
    }

    fn push(&self, push: Push) -> bool {
        let mut pushes = self.pushes.lock();
        if PUSHES_MAX <= pushes.len() {
            return false;
        }
        pushes.push_back(push);
        drop(pushes);
        self.session.wake();
        true
    }
}

#[cfg(test)]
mod tests {
    use ironhub_domain::twin::DesiredNotice;

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

    #[test]
    fn pushes_come_in_order_and_are_bounded() {
        let signal = Signal::default();
        let push = |version| {
            signal.push(Push::Desired(DesiredNotice { version, body: bytes::Bytes::new() }))
        };
        for version in 0..PUSHES_MAX as u64 {
            assert!(push(version));
        }
        assert!(!push(0));
        let versions: Vec<u64> = std::iter::from_fn(|| signal.take())
            .map(|push| match push {
                Push::Desired(notice) => notice.version,
                Push::C2d(_) | Push::Method(_) => panic!("not pushed"),
            })
            .collect();
        assert!(versions.into_iter().eq(0..PUSHES_MAX as u64));
        assert_eq!(
            signal.pushes.lock().capacity(),
            0,
            "an idle connection holds no memory for them"
        );
    }
}
