//! How often the runs came to what they are to prove.

use std::ops::AddAssign;

use ironhub_domain::HubError;
use ironhub_domain::notice::FeedbackStatus;
use ironhub_domain::partition::Outcome;

use crate::queue_ledger::Feedback;

#[derive(Clone, Copy, Debug, Default)]
pub struct Coverage {
    full: u64,
    delivered: u64,
    lock_lost: u64,
    feedback: u64,
    expired: u64,
    exceeded: u64,
    stale_etag: u64,
    disabled: u64,
    sent_again: u64,
    modules: u64,
    uploads_full: u64,
    uploads_expired: u64,
    files: u64,
}

impl Coverage {
    fn counters(&mut self) -> [&mut u64; 13] {
        [
            &mut self.full,
            &mut self.delivered,
            &mut self.lock_lost,
            &mut self.feedback,
            &mut self.expired,
            &mut self.exceeded,
            &mut self.stale_etag,
            &mut self.disabled,
            &mut self.sent_again,
            &mut self.modules,
            &mut self.uploads_full,
            &mut self.uploads_expired,
            &mut self.files,
        ]
    }

    /// Whether every one of these was seen.
    pub fn all_happened(mut self) -> bool {
        self.counters().into_iter().all(|count| *count > 0)
    }

    /// An answer that was right.
    pub fn answered(&mut self, outcome: &Outcome) {
        let counter = match outcome {
            Outcome::Locked(deliveries) => {
                self.delivered += deliveries.len() as u64;
                let again = deliveries.iter().filter(|delivery| delivery.sent_before);
                self.sent_again += again.count() as u64;
                return;
            }
            Outcome::Module(_) => &mut self.modules,
            Outcome::Refused(HubError::QueueFull { .. }) => &mut self.full,
            Outcome::Refused(HubError::LockLost) => &mut self.lock_lost,
            Outcome::Refused(HubError::PreconditionFailed { .. }) => &mut self.stale_etag,
            Outcome::Refused(HubError::DeviceDisabled(_)) => &mut self.disabled,
            Outcome::Refused(HubError::TooManyUploads { .. }) => &mut self.uploads_full,
            Outcome::Refused(HubError::UploadExpired) => &mut self.uploads_expired,
            _ => return,
        };
        *counter += 1;
    }

    /// Feedback was written.
    pub fn told(&mut self, feedback: &Feedback) {
        self.feedback += 1;
        self.expired += u64::from(feedback.1 == FeedbackStatus::Expired);
        self.exceeded += u64::from(feedback.1 == FeedbackStatus::DeliveryCountExceeded);
    }

    /// The notice of a file was written.
    pub fn told_of_file(&mut self) {
        self.files += 1;
    }
}

impl AddAssign for Coverage {
    fn add_assign(&mut self, mut other: Self) {
        for (sum, more) in self.counters().into_iter().zip(other.counters()) {
            *sum += *more;
        }
    }
}
