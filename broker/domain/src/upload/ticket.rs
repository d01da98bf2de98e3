//! Which uploads a device has open, and how one ends (device-protocols.md 5.3).

use crate::HubError;
use crate::ids::DeviceId;
use crate::limits::{BLOB_NAME_CHARS_MAX, DEVICE_ID_CHARS_MAX, RECORD_TEXT_BYTES_MAX, UPLOADS_MAX};
use crate::notice::Notice;
use crate::time::UnixMs;
use crate::upload::{UploadResult, UploadTicket};

/// The device's open uploads with one more. Those whose time is over go, and do not count.
pub fn open(
    mut tickets: Vec<UploadTicket>,
    ticket: UploadTicket,
    now: UnixMs,
) -> Result<Vec<UploadTicket>, HubError> {
    let chars = ticket.blob_name.chars().count();
    if chars > DEVICE_ID_CHARS_MAX + 1 + BLOB_NAME_CHARS_MAX
        || ticket.correlation_id.len() > RECORD_TEXT_BYTES_MAX
    {
        return Err(HubError::InvalidArgument(format!(
            "a blob's name has at most {BLOB_NAME_CHARS_MAX} characters"
        )));
    }
    tickets.retain(|ticket| now < ticket.expires);
    if tickets.len() >= UPLOADS_MAX {
        return Err(HubError::TooManyUploads { max: UPLOADS_MAX });
    }
    tickets.push(ticket);
    Ok(tickets)
}

/// The device's open uploads without this one, however it ended, and what services are told of it. An upload whose time is
/// over cannot end any more; its ticket goes when the device opens the next one.
pub fn close(
    mut tickets: Vec<UploadTicket>,
    device: &DeviceId,
    correlation_id: &str,
    result: UploadResult,
    now: UnixMs,
) -> Result<(Vec<UploadTicket>, Option<Notice>), HubError> {
    let place = tickets.iter().position(|ticket| ticket.correlation_id == correlation_id);
    let place = place.ok_or_else(|| HubError::UploadNotFound(correlation_id.to_owned()))?;
    if tickets[place].expires <= now {
        return Err(HubError::UploadExpired);
    }
    let ticket = tickets.remove(place);
    let notice = match result {
        UploadResult::Stored { blob_uri, bytes, last_updated } => Some(Notice::FileUpload {
            device: device.clone(),
            blob_uri,
            blob_name: ticket.blob_name,
            last_updated,
            bytes,
            at: now,
        }),
        UploadResult::Failed => None,
    };
    Ok((tickets, notice))
}
