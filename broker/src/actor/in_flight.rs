//! Telemetry of one partition that is accepted and not answered yet: bounded, so that a slow disk slows senders down
//! instead of filling memory or closing connections.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use ironhub_cluster::partition::limits::{GROUP_QUEUE_BYTES_MAX, GROUP_QUEUE_COMMANDS_MAX};
use ironhub_domain::event::D2cMessage;

/// Bytes of one partition's batches under way. Below what the partition's queue takes, so that a batch which was let in is
/// not refused for want of room.
const BYTES_MAX: usize = GROUP_QUEUE_BYTES_MAX / 4 * 3;
/// Least that a batch counts: bounds their number too.
const BATCH_BYTES_MIN: usize = 1024;
/// What a message counts beside its body: an estimate of its properties' and encoding's bytes.
const MESSAGE_BYTES: usize = 256;

const _: () = assert!(BYTES_MAX / BATCH_BYTES_MIN < GROUP_QUEUE_COMMANDS_MAX);

/// The budget of one partition.
#[derive(Default)]
pub(crate) struct Budget {
    used: AtomicUsize,
}

impl Budget {
    /// A place for these messages, or `None` while too much is under way. A batch larger than the whole budget gets in
    /// when nothing else is.
    pub(super) fn admit(self: &Arc<Self>, messages: &[D2cMessage]) -> Option<Admission> {
        let bytes =
            messages.iter().map(|message| message.body.len() + MESSAGE_BYTES).sum::<usize>();
        let bytes = bytes.max(BATCH_BYTES_MIN);
        let before = self.used.fetch_add(bytes, Ordering::Relaxed);
        let admission = Admission { budget: self.clone(), bytes };
        (before == 0 || before + bytes <= BYTES_MAX).then_some(admission)
    }
}

/// One batch's place; given back when dropped.
pub(super) struct Admission {
    budget: Arc<Budget>,
    bytes: usize,
}

impl Drop for Admission {
    fn drop(&mut self) {
        self.budget.used.fetch_sub(self.bytes, Ordering::Relaxed);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn batch(bytes: usize) -> Vec<D2cMessage> {
        vec![D2cMessage { body: vec![0; bytes].into(), ..D2cMessage::default() }]
    }

    #[test]
    fn what_is_under_way_is_bounded_and_room_comes_back() {
        let budget = Arc::new(Budget::default());
        let large = budget.admit(&batch(BYTES_MAX * 2)).expect("an empty budget takes any batch");
        assert!(budget.admit(&batch(1)).is_none());
        drop(large);
        let small: Vec<_> = std::iter::from_fn(|| budget.admit(&batch(1))).collect();
        assert_eq!(small.len(), BYTES_MAX / BATCH_BYTES_MIN);
        drop(small);
        assert_eq!(budget.used.load(Ordering::Relaxed), 0);
    }
}
