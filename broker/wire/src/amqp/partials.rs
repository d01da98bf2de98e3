//! What incoming messages may hold while their last transfer has not come.
//!
//! A client that serves many devices on one connection may send a large message of each at the same time, so a bound on
//! each connection that is wide enough for it would be no bound on a node. Nor can such a client be held back: only it
//! knows which of the messages it will complete first, and a session's window that is shut stops them all (OASIS AMQP
//! 1.0 2.5.6). So every connection has room for one largest message of its own, and what it needs beyond comes from a
//! pool that all connections share. A message that finds the pool empty costs its link, not its neighbours.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use super::limits::PARTIAL_BYTES_OWN;

/// Bytes that connections share.
#[derive(Debug)]
pub struct PartialPool {
    left: AtomicUsize,
}

impl PartialPool {
    /// A pool of so many bytes.
    pub fn new(bytes: usize) -> Self {
        Self { left: AtomicUsize::new(bytes) }
    }

    /// Bytes that nobody has.
    pub fn left(&self) -> usize {
        self.left.load(Ordering::Relaxed)
    }

    fn take(&self, bytes: usize) -> bool {
        let take = |left: usize| left.checked_sub(bytes);
        self.left.fetch_update(Ordering::Relaxed, Ordering::Relaxed, take).is_ok()
    }

    fn give(&self, bytes: usize) {
        self.left.fetch_add(bytes, Ordering::Relaxed);
    }
}

/// Bytes of one connection's incomplete messages, over all its links; what it has of the pool goes back when it is
/// dropped.
#[derive(Debug)]
pub(super) struct Partials {
    held: usize,
    pool: Arc<PartialPool>,
}

impl Partials {
    pub(super) fn new(pool: Arc<PartialPool>) -> Self {
        Self { held: 0, pool }
    }

    /// Holds so many bytes more; false, and nothing changes, if there is no room for them.
    pub(super) fn hold(&mut self, bytes: usize) -> bool {
        let more = beyond_own(self.held + bytes) - beyond_own(self.held);
        let held = more == 0 || self.pool.take(more);
        if held {
            self.held += bytes;
        }
        held
    }

    /// Holds so many bytes less.
    pub(super) fn release(&mut self, bytes: usize) {
        let rest = self.held.saturating_sub(bytes);
        let less = beyond_own(self.held) - beyond_own(rest);
        if less > 0 {
            self.pool.give(less);
        }
        self.held = rest;
    }

    /// Holds nothing any more.
    pub(super) fn clear(&mut self) {
        self.release(self.held);
    }
}

impl Drop for Partials {
    fn drop(&mut self) {
        self.clear();
    }
}

/// What so many bytes take from the pool.
fn beyond_own(bytes: usize) -> usize {
    bytes.saturating_sub(PARTIAL_BYTES_OWN)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_beyond_a_connections_own_room_comes_from_the_pool_and_goes_back() {
        let pool = Arc::new(PartialPool::new(100));
        let mut one = Partials::new(pool.clone());
        let mut two = Partials::new(pool.clone());
        assert!(one.hold(PARTIAL_BYTES_OWN));
        assert_eq!(pool.left(), 100);
        assert!(one.hold(60) && two.hold(PARTIAL_BYTES_OWN + 40));
        assert_eq!(pool.left(), 0);
        assert!(!one.hold(1), "the pool is empty");
        one.release(10);
        assert_eq!(pool.left(), 10);
        assert!(two.hold(10) && !two.hold(1));
        one.release(70);
        assert_eq!(pool.left(), 50, "its own room is not the pool's");
        drop((one, two));
        assert_eq!(pool.left(), 100);
    }
}
