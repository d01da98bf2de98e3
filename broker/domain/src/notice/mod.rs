//! What the hub tells services of on its own: feedback on cloud-to-device messages, and uploaded files
//! (service-protocols.md 3.6, 3.7).
//!
//! Each partition keeps its notices, in order, until a service completes them or their time is over. Who holds which of
//! them locked is known to the leader only: after a change of leader they are delivered again.

mod json;

use crate::ids::{DeviceId, IdentityId};
use crate::time::UnixMs;

pub use json::{FEEDBACK_TYPE, FILE_UPLOAD_TYPE};

/// Which of the two queues.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum NoticeKind {
    /// Outcomes of cloud-to-device messages.
    Feedback,
    /// Files that devices uploaded.
    FileUpload,
}

/// What became of a cloud-to-device message (device-protocols.md 7.4).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FeedbackStatus {
    /// Completed.
    Success,
    /// Its time was over.
    Expired,
    /// Abandoned too often.
    DeliveryCountExceeded,
    /// Rejected by the device.
    Rejected,
    /// Purged by a service.
    Purged,
}

impl FeedbackStatus {
    /// The word of the record's `statusCode`.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Success => "Success",
            Self::Expired => "Expired",
            Self::DeliveryCountExceeded => "DeliveryCountExceeded",
            Self::Rejected => "Rejected",
            Self::Purged => "Purged",
        }
    }
}

/// One notice.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Notice {
    /// Feedback.
    Feedback {
        /// Message id of the message.
        original_message_id: String,
        /// Whose queue it was in.
        identity: IdentityId,
        /// Generation id of the device.
        generation: String,
        /// What became of it.
        status: FeedbackStatus,
        /// When.
        at: UnixMs,
    },
    /// A file was uploaded.
    FileUpload {
        /// By which device.
        device: DeviceId,
        /// Where the blob is.
        blob_uri: String,
        /// `{deviceId}/{name}`
        blob_name: String,
        /// When the blob was last written.
        last_updated: UnixMs,
        /// Its size.
        bytes: u64,
        /// When the device said so.
        at: UnixMs,
    },
}

impl Notice {
    /// Which queue it belongs to.
    pub const fn kind(&self) -> NoticeKind {
        match self {
            Self::Feedback { .. } => NoticeKind::Feedback,
            Self::FileUpload { .. } => NoticeKind::FileUpload,
        }
    }

    /// When it was made; its time to live counts from here.
    pub const fn at(&self) -> UnixMs {
        match self {
            Self::Feedback { at, .. } | Self::FileUpload { at, .. } => *at,
        }
    }
}
