//! Mistakes that can be switched on, so that tests prove that the simulator would notice them.
//!
//! Without the feature `testing` there is nothing to switch on and every question is a constant `false`.

/// One deliberate mistake.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Defect {
    /// A proposal is answered when it is handed to the log, before the log is on disk.
    AckBeforeSync,
    /// The applied index is not in the batch of the state it describes, so a restart applies entries again.
    ApplyTwice,
    /// A proposer is answered by index only: whatever entry stands there counts as its own.
    IgnoreTerm,
    /// What becomes committed by a finished log write is now and then not applied.
    DropAfterPersist,
    /// After a restart the state machine hands out numbers again. (A defect of the state machine, seeded by the workload.)
    ReuseSequence,
}

/// Which mistake is switched on.
#[derive(Clone, Copy, Debug, Default)]
pub struct Defects {
    #[cfg(feature = "testing")]
    on: Option<Defect>,
}

impl Defects {
    /// Switches one mistake on.
    #[cfg(feature = "testing")]
    pub fn seeded(defect: Option<Defect>) -> Self {
        Self { on: defect }
    }

    /// Whether this mistake is to be made.
    #[cfg(feature = "testing")]
    pub fn has(&self, defect: Defect) -> bool {
        self.on == Some(defect)
    }

    /// Whether this mistake is to be made.
    #[cfg(not(feature = "testing"))]
    #[inline(always)]
    pub fn has(&self, _defect: Defect) -> bool {
        false
    }
}
