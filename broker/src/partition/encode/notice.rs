//! Notices: feedback and uploaded files.

use ironhub_cluster::storage::StorageError;
use ironhub_domain::HubError;
use ironhub_domain::ids::DeviceId;
use ironhub_domain::notice::{FeedbackStatus, Notice, NoticeKind};
use ironhub_domain::partition::Command;
use ironhub_domain::time::UnixMs;
use ironhub_proto as proto;
use ironhub_proto::notice_record::Notice as Kind;
use prost::Message;

use super::command::{read, unreadable};
use super::{damaged, identity};

pub(crate) fn encode(notice: &Notice) -> Vec<u8> {
    let said = match notice {
        Notice::Feedback { original_message_id, identity, generation, status, at: _ } => {
            Kind::Feedback(proto::FeedbackNotice {
                original_message_id: original_message_id.clone(),
                identity: Some(identity::to_proto(identity)),
                generation: generation.clone(),
                status: status_to_proto(*status).into(),
            })
        }
        Notice::FileUpload { device, blob_uri, blob_name, last_updated, bytes, at: _ } => {
            Kind::FileUpload(proto::FileUploadNotice {
                device_id: device.as_str().to_owned(),
                blob_uri: blob_uri.clone(),
                blob_name: blob_name.clone(),
                last_updated_ms: last_updated.0,
                bytes: *bytes,
            })
        }
    };
    proto::NoticeRecord { at_ms: notice.at().0, notice: Some(said) }.encode_to_vec()
}

pub(crate) fn decode(bytes: &[u8]) -> Result<Notice, StorageError> {
    let record = proto::NoticeRecord::decode(bytes).map_err(|error| damaged("notice", error))?;
    from_proto(record).map_err(|error| damaged("notice", error))
}

fn from_proto(record: proto::NoticeRecord) -> Result<Notice, HubError> {
    let at = UnixMs(record.at_ms);
    match record.notice.ok_or_else(|| unreadable("a notice of no kind"))? {
        Kind::Feedback(feedback) => Ok(Notice::Feedback {
            status: status_from_proto(feedback.status())?,
            original_message_id: feedback.original_message_id,
            identity: identity::from_proto(feedback.identity)?,
            generation: feedback.generation,
            at,
        }),
        Kind::FileUpload(file) => Ok(Notice::FileUpload {
            device: DeviceId::new(&file.device_id)?,
            blob_uri: file.blob_uri,
            blob_name: file.blob_name,
            last_updated: UnixMs(file.last_updated_ms),
            bytes: file.bytes,
            at,
        }),
    }
}

/// The numbers of one queue of notices.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Counters {
    /// None is older.
    pub(crate) first: u64,
    pub(crate) next: u64,
    pub(crate) count: u64,
}

impl Default for Counters {
    fn default() -> Self {
        Self { first: 1, next: 1, count: 0 }
    }
}

pub(crate) fn encode_counters(counters: Counters) -> Vec<u8> {
    proto::NoticeCountersRecord {
        first_sequence: counters.first,
        next_sequence: counters.next,
        count: counters.count,
    }
    .encode_to_vec()
}

pub(crate) fn decode_counters(bytes: &[u8]) -> Result<Counters, StorageError> {
    let record = proto::NoticeCountersRecord::decode(bytes)
        .map_err(|error| damaged("counters of notices", error))?;
    Ok(Counters { first: record.first_sequence, next: record.next_sequence, count: record.count })
}

pub(super) fn encode_drop(kind: NoticeKind, sequences: &[u64]) -> Vec<u8> {
    let kind = match kind {
        NoticeKind::Feedback => proto::NoticeKind::Feedback,
        NoticeKind::FileUpload => proto::NoticeKind::FileUpload,
    };
    proto::DropNoticesCommand { kind: kind.into(), sequences: sequences.to_vec() }.encode_to_vec()
}

pub(super) fn decode_drop(bytes: &[u8]) -> Result<Command, HubError> {
    let message: proto::DropNoticesCommand = read(bytes)?;
    let kind = match message.kind() {
        proto::NoticeKind::Feedback => NoticeKind::Feedback,
        proto::NoticeKind::FileUpload => NoticeKind::FileUpload,
        proto::NoticeKind::Unspecified => return Err(unreadable("unknown kind of notice")),
    };
    Ok(Command::DropNotices { kind, sequences: message.sequences })
}

fn status_to_proto(status: FeedbackStatus) -> proto::FeedbackStatus {
    match status {
        FeedbackStatus::Success => proto::FeedbackStatus::Success,
        FeedbackStatus::Expired => proto::FeedbackStatus::Expired,
        FeedbackStatus::DeliveryCountExceeded => proto::FeedbackStatus::DeliveryCountExceeded,
        FeedbackStatus::Rejected => proto::FeedbackStatus::Rejected,
        FeedbackStatus::Purged => proto::FeedbackStatus::Purged,
    }
}

fn status_from_proto(status: proto::FeedbackStatus) -> Result<FeedbackStatus, HubError> {
    match status {
        proto::FeedbackStatus::Success => Ok(FeedbackStatus::Success),
        proto::FeedbackStatus::Expired => Ok(FeedbackStatus::Expired),
        proto::FeedbackStatus::DeliveryCountExceeded => Ok(FeedbackStatus::DeliveryCountExceeded),
        proto::FeedbackStatus::Rejected => Ok(FeedbackStatus::Rejected),
        proto::FeedbackStatus::Purged => Ok(FeedbackStatus::Purged),
        proto::FeedbackStatus::Unspecified => Err(unreadable("unknown feedback status")),
    }
}
