//! Linearizable reads: a barrier is passed when this node leads, still led after the barrier was asked for, and has
//! applied everything that was committed by then.

use std::collections::VecDeque;

use super::error::ProposeError;
use super::limits::GROUP_BARRIERS_MAX;

/// The read barriers of one group.
///
/// One question to the quorum is under way at a time; barriers that come meanwhile share the next one.
pub(crate) struct Barriers<D> {
    waiting: Vec<D>,
    asked: Option<(u64, Vec<D>)>,
    /// Confirmed; passed once `index` is applied.
    confirmed: VecDeque<(u64, Vec<D>)>,
    next_question: u64,
    open: usize,
}

impl<D> Default for Barriers<D> {
    fn default() -> Self {
        Self {
            waiting: Vec::new(),
            asked: None,
            confirmed: VecDeque::new(),
            next_question: 1,
            open: 0,
        }
    }
}

impl<D> Barriers<D> {
    pub(crate) fn push(&mut self, reply: D) -> Result<(), (D, ProposeError)> {
        if self.open >= GROUP_BARRIERS_MAX {
            return Err((reply, ProposeError::Busy));
        }
        self.open += 1;
        self.waiting.push(reply);
        Ok(())
    }

    /// Whether a question should be asked now.
    pub(crate) fn wants_question(&self) -> bool {
        !self.waiting.is_empty() && self.asked.is_none()
    }

    /// The question to hand to Raft, for all barriers that wait.
    pub(crate) fn ask(&mut self) -> Vec<u8> {
        let question = self.next_question;
        self.next_question += 1;
        self.asked = Some((question, std::mem::take(&mut self.waiting)));
        question.to_be_bytes().to_vec()
    }

    /// Raft confirmed a question at a commit index.
    pub(crate) fn confirm(&mut self, question: &[u8], index: u64) {
        if let Some((asked, replies)) = self.asked.take() {
            if asked.to_be_bytes() == question {
                self.confirmed.push_back((index, replies));
            } else {
                self.asked = Some((asked, replies));
            }
        }
    }

    /// Entries up to `index` are applied.
    pub(crate) fn applied(&mut self, index: u64, mut passed: impl FnMut(D)) {
        while self.confirmed.front().is_some_and(|(needed, _)| *needed <= index) {
            if let Some((_, replies)) = self.confirmed.pop_front() {
                self.open -= replies.len();
                replies.into_iter().for_each(&mut passed);
            }
        }
    }

    /// Leadership is lost: no barrier can be passed here.
    pub(crate) fn refuse_all(&mut self, mut answer: impl FnMut(D)) {
        self.open = 0;
        self.waiting.drain(..).for_each(&mut answer);
        if let Some((_, replies)) = self.asked.take() {
            replies.into_iter().for_each(&mut answer);
        }
        for (_, replies) in self.confirmed.drain(..) {
            replies.into_iter().for_each(&mut answer);
        }
    }
}
