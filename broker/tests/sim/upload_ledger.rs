//! What an onlooker knows of one device's uploads who sees only commands and answers.

use ironhub_domain::HubError;
use ironhub_domain::partition::{Command, Outcome};
use ironhub_domain::time::UnixMs;
use ironhub_domain::upload::UploadResult;
use ironhub_proto as proto;

const OPEN_MAX: usize = 10;

struct Open {
    correlation_id: String,
    blob_name: String,
    expires: UnixMs,
}

/// The uploads that a device has open, oldest first.
#[derive(Default)]
pub struct UploadLedger(Vec<Open>);

impl UploadLedger {
    /// The correlation id of one of them.
    pub fn nth(&self, place: usize) -> Option<&str> {
        self.0.get(place).map(|open| &*open.correlation_id)
    }

    /// Checks the answer to a command about uploads. Gives the name of the file that services must be told of.
    pub fn saw(&mut self, command: &Command, outcome: &Outcome) -> Result<Option<String>, String> {
        match command {
            Command::OpenUpload { ticket, now, .. } => {
                let live = self.0.iter().filter(|open| *now < open.expires).count();
                match outcome {
                    Outcome::Done if live < OPEN_MAX => {
                        self.0.retain(|open| *now < open.expires);
                        self.0.push(Open {
                            correlation_id: ticket.correlation_id.clone(),
                            blob_name: ticket.blob_name.clone(),
                            expires: ticket.expires,
                        });
                        Ok(None)
                    }
                    Outcome::Refused(HubError::TooManyUploads { .. }) if live >= OPEN_MAX => {
                        Ok(None)
                    }
                    other => Err(format!("an upload was answered {other:?} with {live} open")),
                }
            }
            Command::CloseUpload { correlation_id, result, notify, now, .. } => {
                let place = self.0.iter().position(|open| open.correlation_id == *correlation_id);
                let expired = place.map(|place| self.0[place].expires <= *now);
                match (place, expired, outcome) {
                    (None, _, Outcome::Refused(HubError::UploadNotFound(_)))
                    | (_, Some(true), Outcome::Refused(HubError::UploadExpired)) => Ok(None),
                    (Some(place), Some(false), Outcome::Done) => {
                        let ended = self.0.remove(place);
                        let stored = matches!(result, UploadResult::Stored { .. });
                        Ok((stored && *notify).then_some(ended.blob_name))
                    }
                    _ => Err(format!("upload {place:?}, expired {expired:?}, gave {outcome:?}")),
                }
            }
            other => Err(format!("{other:?} is no upload's")),
        }
    }

    /// Compares with what is stored.
    pub fn check(&self, record: &proto::UploadsRecord) -> Result<(), String> {
        let known = self.0.iter().map(|open| (&*open.correlation_id, open.expires.0));
        let stored = record.tickets.iter().map(|open| (&*open.correlation_id, open.expires_ms));
        if stored.clone().eq(known.clone()) {
            return Ok(());
        }
        let (known, stored): (Vec<_>, Vec<_>) = (known.collect(), stored.collect());
        Err(format!("uploads {known:?} are open, stored are {stored:?}"))
    }
}
