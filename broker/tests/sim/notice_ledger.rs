//! What services must be told of one group, as an onlooker knows who sees only commands and answers.

use std::collections::BTreeMap;

use ironhub_domain::ids::DeviceId;
use ironhub_domain::notice::NoticeKind;
use ironhub_proto as proto;
use proto::notice_record::Notice;

use crate::queue_ledger::Feedback;
use crate::stored::Stored;

/// The newest are looked at: the older ones were, when they were new.
const LOOK_AT: usize = 60;

/// Notices that no service has completed.
#[derive(Default)]
pub struct NoticeLedger {
    /// With whose it is.
    feedback: BTreeMap<u64, (DeviceId, Feedback)>,
    last_feedback: u64,
    /// Names of blobs.
    files: BTreeMap<u64, String>,
    last_file: u64,
}

impl NoticeLedger {
    pub fn feedback(&mut self, device: &DeviceId, feedback: Feedback) {
        self.last_feedback += 1;
        self.feedback.insert(self.last_feedback, (device.clone(), feedback));
    }

    pub fn file(&mut self, blob_name: String) {
        self.last_file += 1;
        self.files.insert(self.last_file, blob_name);
    }

    /// The oldest of a kind.
    pub fn oldest(&self, kind: NoticeKind, count: usize) -> Vec<u64> {
        match kind {
            NoticeKind::Feedback => self.feedback.keys().take(count).copied().collect(),
            NoticeKind::FileUpload => self.files.keys().take(count).copied().collect(),
        }
    }

    pub fn dropped(&mut self, kind: NoticeKind, sequences: &[u64]) {
        match kind {
            NoticeKind::Feedback => self.feedback.retain(|number, _| !sequences.contains(number)),
            NoticeKind::FileUpload => self.files.retain(|number, _| !sequences.contains(number)),
        }
    }

    /// A deleted device takes its feedback along; its files are there, and so is what is told of them.
    pub fn deleted(&mut self, device: &DeviceId) {
        self.feedback.retain(|_, (whose, _)| whose != device);
    }

    /// Compares with what is stored.
    pub fn check(&self, stored: &Stored<'_, '_>) -> Result<(), String> {
        for (kind, name, known) in
            [(1, "feedback records", self.feedback.len()), (2, "files", self.files.len())]
        {
            let counters: proto::NoticeCountersRecord =
                stored.get(&[0x35, kind])?.unwrap_or_default();
            if counters.count != known as u64 {
                return Err(format!("{known} {name} are due, {} are stored", counters.count));
            }
        }
        for (sequence, (id, (message, status))) in self.feedback.iter().rev().take(LOOK_AT) {
            let Some(Notice::Feedback(found)) = notice(stored, 1, *sequence)? else {
                return Err(format!("feedback {sequence} on {message} of {id} is lost"));
            };
            let word = found.status().as_str_name().replace('_', "").to_lowercase();
            let expected = format!("feedbackstatus{}", status.as_str().to_lowercase());
            if found.original_message_id != *message || word != expected {
                return Err(format!("{message} ended as {status:?}, its feedback says {found:?}"));
            }
        }
        for (sequence, blob) in self.files.iter().rev().take(LOOK_AT) {
            match notice(stored, 2, *sequence)? {
                Some(Notice::FileUpload(found)) if found.blob_name == *blob => {}
                other => return Err(format!("{sequence} tells of {blob}, stored is {other:?}")),
            }
        }
        Ok(())
    }
}

fn notice(stored: &Stored<'_, '_>, kind: u8, sequence: u64) -> Result<Option<Notice>, String> {
    let key = [&[0x36, kind][..], &sequence.to_be_bytes()].concat();
    let record: Option<proto::NoticeRecord> = stored.get(&key)?;
    Ok(record.and_then(|record| record.notice))
}
