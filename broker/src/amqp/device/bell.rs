//! How a connection hears of its many identities without asking each of them: every identity has a bell, and a bell that
//! rings puts its number into the connection's inbox and wakes the connection once.
//!
//! A bell is also the sink that the identity's owner pushes into, and the waker of everything that the identity waits for.

use std::collections::VecDeque;
use std::sync::Arc;
use std::task::{Context, Wake, Waker};

use futures_util::task::AtomicWaker;
use ironhub_domain::c2d::Delivery;
use ironhub_domain::twin::DesiredNotice;
use parking_lot::Mutex;

use crate::router::request::{CloseReason, MethodRequest, PUSHES_MAX, Push, SessionSink};

/// The bells of one connection that have rung. Each is in it at most once.
#[derive(Default)]
pub(in crate::amqp) struct Inbox {
    rung: Mutex<Vec<u32>>,
    connection: AtomicWaker,
}

impl Inbox {
    /// Whether a bell has rung; otherwise the task of `cx` is woken when one does.
    pub(in crate::amqp) fn poll(&self, cx: &Context<'_>) -> bool {
        self.connection.register(cx.waker());
        !self.rung.lock().is_empty()
    }

    /// The numbers of the bells that have rung.
    pub(in crate::amqp) fn take(&self) -> Vec<u32> {
        std::mem::take(&mut *self.rung.lock())
    }
}

/// One identity's bell.
pub(in crate::amqp) struct Bell {
    inbox: Arc<Inbox>,
    number: u32,
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    rung: bool,
    close: Option<CloseReason>,
    /// No memory while nothing waits.
    pushes: Option<Box<Pushes>>,
}

/// What waits to be sent, each kind in order.
#[derive(Default)]
struct Pushes {
    c2d: VecDeque<Delivery>,
    desired: VecDeque<DesiredNotice>,
    methods: VecDeque<MethodRequest>,
}

impl Pushes {
    fn len(&self) -> usize {
        self.c2d.len() + self.desired.len() + self.methods.len()
    }
}

impl Bell {
    pub(in crate::amqp) fn new(inbox: Arc<Inbox>, number: u32) -> Arc<Self> {
        Arc::new(Self { inbox, number, state: Mutex::default() })
    }

    /// From now on it rings again. Called before looking at what it rang for.
    pub(in crate::amqp) fn heard(&self) {
        self.state.lock().rung = false;
    }

    /// The waker that rings it.
    pub(in crate::amqp) fn waker(self: &Arc<Self>) -> Waker {
        Waker::from(self.clone())
    }

    /// Why the owner closed the session, if it did.
    pub(super) fn closed(&self) -> Option<CloseReason> {
        self.state.lock().close
    }

    pub(super) fn next_c2d(&self) -> Option<Delivery> {
        self.next(|pushes| pushes.c2d.pop_front())
    }

    pub(super) fn next_desired(&self) -> Option<DesiredNotice> {
        self.next(|pushes| pushes.desired.pop_front())
    }

    pub(super) fn next_method(&self) -> Option<MethodRequest> {
        self.next(|pushes| pushes.methods.pop_front())
    }

    /// Puts back what could not be sent.
    pub(super) fn put_back(&self, push: Push) {
        let mut state = self.state.lock();
        let pushes = state.pushes.get_or_insert_default();
        match push {
            Push::C2d(deliveries) => {
                deliveries.into_iter().rev().for_each(|delivery| pushes.c2d.push_front(delivery));
            }
            Push::Desired(notice) => pushes.desired.push_front(notice),
            Push::Method(request) => pushes.methods.push_front(request),
        }
    }

    /// Drops the messages that wait for a link that is gone.
    pub(super) fn forget_c2d(&self) {
        if let Some(pushes) = &mut self.state.lock().pushes {
            pushes.c2d.clear();
        }
    }

    fn next<T>(&self, take: impl FnOnce(&mut Pushes) -> Option<T>) -> Option<T> {
        let mut state = self.state.lock();
        let pushes = state.pushes.as_mut()?;
        let next = take(pushes);
        if pushes.len() == 0 {
            state.pushes = None;
        }
        next
    }

    fn ring(&self, change: impl FnOnce(&mut State) -> bool) -> bool {
        let mut state = self.state.lock();
        let done = change(&mut state);
        if !std::mem::replace(&mut state.rung, true) {
            drop(state);
            self.inbox.rung.lock().push(self.number);
            self.inbox.connection.wake();
        }
        done
    }
}

impl Wake for Bell {
    fn wake(self: Arc<Self>) {
        self.wake_by_ref();
    }

    fn wake_by_ref(self: &Arc<Self>) {
        self.ring(|_| true);
    }
}

impl SessionSink for Bell {
    fn close(&self, reason: CloseReason) {
        // The first reason stays: it is what really ended the session.
        self.ring(|state| state.close.replace(state.close.unwrap_or(reason)).is_none());
    }

    fn push(&self, push: Push) -> bool {
        self.ring(|state| {
            let pushes = state.pushes.get_or_insert_default();
            match push {
                // As many as there is credit for.
                Push::C2d(deliveries) => pushes.c2d.extend(deliveries),
                Push::Desired(_) | Push::Method(_) if pushes.len() >= PUSHES_MAX => return false,
                Push::Desired(notice) => pushes.desired.push_back(notice),
                Push::Method(request) => pushes.methods.push_back(request),
            }
            true
        })
    }
}

#[cfg(test)]
mod tests {
    use bytes::Bytes;

    use super::*;

    fn method(id: u32) -> Push {
        Push::Method(MethodRequest { id, name: "m".into(), payload: Bytes::new() })
    }

    #[test]
    fn a_bell_is_in_the_inbox_once_until_it_is_heard() {
        let inbox = Arc::new(Inbox::default());
        let (one, two) = (Bell::new(inbox.clone(), 1), Bell::new(inbox.clone(), 2));
        let cx = Context::from_waker(Waker::noop());
        assert!(!inbox.poll(&cx));
        one.waker().wake();
        one.push(method(1));
        two.close(CloseReason::Disabled);
        assert!(inbox.poll(&cx));
        assert_eq!(inbox.take(), [1, 2]);
        one.push(method(2));
        assert!(!inbox.poll(&cx), "it was not heard yet");
        one.heard();
        one.push(method(3));
        assert_eq!(inbox.take(), [1]);
        assert_eq!(one.next_method().map(|m| m.id), Some(1));
        one.put_back(method(1));
        let ids: Vec<u32> = std::iter::from_fn(|| one.next_method()).map(|m| m.id).collect();
        assert_eq!(ids, [1, 2, 3]);
    }

    #[test]
    fn the_first_reason_stays_and_pushes_are_bounded() {
        let bell = Bell::new(Arc::default(), 0);
        assert_eq!(bell.closed(), None);
        bell.close(CloseReason::TakenOver);
        bell.close(CloseReason::ShuttingDown);
        assert_eq!(bell.closed(), Some(CloseReason::TakenOver));
        (0..PUSHES_MAX).for_each(|id| assert!(bell.push(method(id as u32))));
        assert!(!bell.push(method(0)));
    }
}
