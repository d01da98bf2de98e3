//! What one group wants on disk, and the messages that must not leave before it is there.

use raft::eraftpb::Message;

use crate::log::{GroupWrite, HardState, LogEntry, LogStart};

/// Not handed to the log yet.
#[derive(Default)]
struct Unwritten {
    write: GroupWrite,
    /// Something here must be durable; a commit index alone can wait for the next write.
    must_sync: bool,
    messages: Vec<Message>,
}

/// In the log write that is under way.
struct Writing {
    /// The newest ready whose data this or an earlier write holds.
    ready: u64,
    installs: bool,
    messages: Vec<Message>,
}

/// A log write that came to its end.
pub(super) struct Written {
    pub(super) ready: u64,
    pub(super) installs: bool,
    pub(super) messages: Vec<Message>,
}

/// The persistence of one group.
#[derive(Default)]
pub(super) struct Persistence {
    unwritten: Unwritten,
    writing: Option<Writing>,
    newest_ready: u64,
}

impl Persistence {
    pub(super) fn note_ready(&mut self, number: u64) {
        self.newest_ready = number;
    }

    pub(super) fn hard_state(&mut self, hard_state: HardState) {
        self.unwritten.write.hard_state = Some(hard_state);
    }

    pub(super) fn must_sync(&mut self) {
        self.unwritten.must_sync = true;
    }

    /// Everything before is replaced by a snapshot.
    pub(super) fn reset(&mut self, start: LogStart) {
        self.unwritten.write.entries.clear();
        self.unwritten.write.reset_to = Some(start);
    }

    /// Appends entries; they may cut what was appended before and is not written yet.
    pub(super) fn append(&mut self, entries: Vec<LogEntry>) {
        let Some(first) = entries.first() else { return };
        let unwritten = &mut self.unwritten.write.entries;
        let kept = unwritten.partition_point(|entry| entry.index < first.index);
        unwritten.truncate(kept);
        unwritten.extend(entries);
    }

    /// Holds messages until everything before them is durable; gives them back if it is.
    pub(super) fn hold(&mut self, messages: Vec<Message>) -> Vec<Message> {
        if self.unwritten.must_sync {
            self.unwritten.messages.extend(messages);
        } else if let Some(writing) = &mut self.writing {
            writing.messages.extend(messages);
        } else {
            return messages;
        }
        Vec::new()
    }

    /// Whether something that Raft relies on is not durable yet.
    pub(super) fn is_outstanding(&self) -> bool {
        self.unwritten.must_sync || self.writing.is_some()
    }

    pub(super) fn wants_write(&self) -> bool {
        self.unwritten.must_sync
    }

    /// Takes what is to be written; [`finish`](Self::finish) tells when it is.
    pub(super) fn begin(&mut self) -> GroupWrite {
        let unwritten = std::mem::take(&mut self.unwritten);
        self.writing = Some(Writing {
            ready: self.newest_ready,
            installs: unwritten.write.reset_to.is_some(),
            messages: unwritten.messages,
        });
        unwritten.write
    }

    /// The write that was begun is durable.
    pub(super) fn finish(&mut self) -> Option<Written> {
        self.writing.take().map(|writing| Written {
            ready: writing.ready,
            installs: writing.installs,
            messages: writing.messages,
        })
    }
}
