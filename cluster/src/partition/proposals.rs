//! Commands of one group on their way: queued for an entry, or in an entry that is not applied yet.

use std::collections::VecDeque;

use bytes::Bytes;

use super::batch::BatchWriter;
use super::defect::{Defect, Defects};
use super::error::ProposeError;
use super::limits::{
    COMMAND_BYTES_MAX, ENTRY_BYTES_FULL, ENTRY_COMMANDS_MAX, GROUP_QUEUE_BYTES_MAX,
    GROUP_QUEUE_COMMANDS_MAX,
};

/// Replies that wait for the entry at `index` to be applied.
struct Waiter<P> {
    index: u64,
    term: u64,
    replies: Vec<P>,
}

/// The commands of one group that were not answered yet.
pub(crate) struct Proposals<P> {
    queue: VecDeque<(Bytes, P)>,
    queue_bytes: usize,
    /// In log order.
    waiters: VecDeque<Waiter<P>>,
}

/// The commands of one entry, and who waits for them.
pub(crate) struct ProposedEntry<P> {
    pub(crate) data: Vec<u8>,
    pub(crate) command_bytes: usize,
    pub(crate) replies: Vec<P>,
}

impl<P> Default for Proposals<P> {
    fn default() -> Self {
        Self { queue: VecDeque::new(), queue_bytes: 0, waiters: VecDeque::new() }
    }
}

impl<P> Proposals<P> {
    pub(crate) fn queued(&self) -> usize {
        self.queue.len()
    }

    /// Queues a command, or gives its reply back with the reason.
    pub(crate) fn push(&mut self, command: Bytes, reply: P) -> Result<(), (P, ProposeError)> {
        let bytes = command.len();
        if bytes > COMMAND_BYTES_MAX {
            return Err((reply, ProposeError::TooLarge { bytes, max: COMMAND_BYTES_MAX }));
        }
        if self.queue.len() >= GROUP_QUEUE_COMMANDS_MAX
            || self.queue_bytes + bytes > GROUP_QUEUE_BYTES_MAX
        {
            return Err((reply, ProposeError::Busy));
        }
        self.queue_bytes += bytes;
        self.queue.push_back((command, reply));
        Ok(())
    }

    /// Bytes of the commands that the next entry would take.
    pub(crate) fn next_entry_bytes(&self) -> usize {
        self.queue_bytes.min(ENTRY_BYTES_FULL + COMMAND_BYTES_MAX)
    }

    /// Takes the commands of the next entry from the queue.
    pub(crate) fn next_entry(&mut self) -> ProposedEntry<P> {
        let (mut count, mut command_bytes) = (0, 0);
        for (command, _) in self.queue.iter().take(ENTRY_COMMANDS_MAX) {
            if command_bytes >= ENTRY_BYTES_FULL {
                break;
            }
            count += 1;
            command_bytes += command.len();
        }
        let mut batch = BatchWriter::with_capacity(count, command_bytes);
        let mut replies = Vec::with_capacity(count);
        for (command, reply) in self.queue.drain(..count) {
            batch.push(&command);
            replies.push(reply);
        }
        self.queue_bytes -= command_bytes;
        ProposedEntry { data: batch.finish(), command_bytes, replies }
    }

    /// The entry with these replies is in the log at this position. Whoever waits for an older entry at this place or
    /// behind it was cut off from this log, but might come back with another leader: `unknown` tells them.
    pub(crate) fn wait(
        &mut self,
        index: u64,
        term: u64,
        replies: Vec<P>,
        mut unknown: impl FnMut(P),
    ) {
        while self.waiters.back().is_some_and(|waiter| waiter.index >= index) {
            if let Some(waiter) = self.waiters.pop_back() {
                waiter.replies.into_iter().for_each(&mut unknown);
            }
        }
        self.waiters.push_back(Waiter { index, term, replies });
    }

    /// Refuses everything that is queued. Returns the bytes that left the queue.
    pub(crate) fn refuse_queued(&mut self, mut answer: impl FnMut(P)) -> usize {
        self.queue.drain(..).for_each(|(_, reply)| answer(reply));
        std::mem::take(&mut self.queue_bytes)
    }

    /// Gives up on all entries that are not applied yet.
    pub(crate) fn give_up(&mut self, answer: impl FnMut(P)) {
        self.waiters.drain(..).flat_map(|waiter| waiter.replies).for_each(answer);
    }

    /// Gives up on entries up to `index`, whose places in the log were skipped by a snapshot.
    pub(crate) fn give_up_to(&mut self, index: u64, mut answer: impl FnMut(P)) {
        while self.waiters.front().is_some_and(|waiter| waiter.index <= index) {
            if let Some(waiter) = self.waiters.pop_front() {
                waiter.replies.into_iter().for_each(&mut answer);
            }
        }
    }

    /// The entry at this position is applied: who waits for it? Whoever waited for another entry at this index or
    /// below has lost its place and is told by `dropped`.
    pub(crate) fn applied(
        &mut self,
        index: u64,
        term: u64,
        defects: Defects,
        mut dropped: impl FnMut(P),
    ) -> Option<Vec<P>> {
        while self.waiters.front().is_some_and(|waiter| waiter.index <= index) {
            let Some(waiter) = self.waiters.pop_front() else { break };
            let same =
                waiter.index == index && (waiter.term == term || defects.has(Defect::IgnoreTerm));
            if same {
                return Some(waiter.replies);
            }
            waiter.replies.into_iter().for_each(&mut dropped);
        }
        None
    }

    pub(crate) fn has_waiters(&self) -> bool {
        !self.waiters.is_empty()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn waiting(waiters: &[(u64, u64, u32)]) -> (Proposals<u32>, Vec<u32>) {
        let (mut proposals, mut unknown) = (Proposals::default(), Vec::new());
        for (index, term, reply) in waiters {
            proposals.wait(*index, *term, vec![*reply], |reply| unknown.push(reply));
        }
        (proposals, unknown)
    }

    /// Who is answered, and who is told that the command was dropped, when an entry is applied.
    fn check(waiters: &[(u64, u64, u32)], applied: (u64, u64), answered: &[u32], dropped: &[u32]) {
        let (mut proposals, _) = waiting(waiters);
        let mut told = Vec::new();
        let replies =
            proposals.applied(applied.0, applied.1, Defects::default(), |reply| told.push(reply));
        assert_eq!(replies.unwrap_or_default(), answered, "answered at {applied:?}");
        assert_eq!(told, dropped, "dropped at {applied:?}");
    }

    #[test]
    fn answer_goes_to_the_entry_of_the_same_index_and_term_only() {
        check(&[(7, 2, 1)], (7, 2), &[1], &[]);
        check(&[(7, 2, 1)], (7, 3), &[], &[1]);
        check(&[(7, 2, 1)], (6, 2), &[], &[]);
        check(&[(7, 2, 1), (8, 2, 2)], (8, 2), &[2], &[1]);
    }

    #[test]
    fn entries_cut_off_by_an_own_later_term_are_of_unknown_outcome() {
        let (_, unknown) = waiting(&[(7, 2, 1), (8, 2, 2), (9, 2, 3), (8, 4, 4)]);
        assert_eq!(unknown, [3, 2]);
    }

    #[test]
    fn entry_closes_when_it_is_full_and_takes_one_large_command_whole() {
        let mut proposals = Proposals::default();
        for _ in 0..3 {
            assert!(proposals.push(Bytes::from(vec![0; ENTRY_BYTES_FULL / 2]), ()).is_ok());
        }
        assert!(proposals.push(Bytes::from(vec![0; COMMAND_BYTES_MAX]), ()).is_ok());
        let sizes: Vec<usize> =
            std::iter::from_fn(|| (proposals.queued() > 0).then(|| proposals.next_entry()))
                .map(|entry| entry.replies.len())
                .collect();
        assert_eq!(sizes, [2, 2]);
    }

    #[test]
    fn queue_is_bounded_in_commands_and_in_bytes() {
        let mut proposals = Proposals::default();
        for _ in 0..GROUP_QUEUE_COMMANDS_MAX {
            assert!(proposals.push(Bytes::new(), ()).is_ok());
        }
        assert_eq!(proposals.push(Bytes::new(), ()), Err(((), ProposeError::Busy)));
        let mut proposals = Proposals::default();
        let large = Bytes::from(vec![0; COMMAND_BYTES_MAX]);
        for _ in 0..GROUP_QUEUE_BYTES_MAX / COMMAND_BYTES_MAX {
            assert!(proposals.push(large.clone(), ()).is_ok());
        }
        assert_eq!(proposals.push(Bytes::from_static(b"x"), ()), Err(((), ProposeError::Busy)));
    }
}
