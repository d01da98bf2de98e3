//! The HTTP face of answers and errors, as storage clients expect it.
//!
//! An error has its code in the header `x-ms-error-code` and, unless the request was HEAD, in an XML body:
//! `<Error><Code>BlobNotFound</Code><Message>…</Message></Error>`.

use bytes::Bytes;
use http::request::Parts;
use http_body_util::{BodyExt, Full};
use hyper::header::{CONTENT_RANGE, CONTENT_TYPE, HeaderName, HeaderValue, RETRY_AFTER};
use hyper::{Method, Response, StatusCode};
use ironhub_domain::time::UnixMs;
use tracing::{debug, error};

use super::Reply;
use crate::blob::blocks::ListError;
use crate::blob::checksum::Mismatch;
use crate::blob::error::BlobError;
use crate::blob::sas::{SasError, VERSION};

const REQUEST_ID: HeaderName = HeaderName::from_static("x-ms-request-id");
const CLIENT_REQUEST_ID: HeaderName = HeaderName::from_static("x-ms-client-request-id");
const MS_VERSION: HeaderName = HeaderName::from_static("x-ms-version");
const ERROR_CODE: HeaderName = HeaderName::from_static("x-ms-error-code");
/// Content type of every XML answer.
pub(super) const XML: HeaderValue = HeaderValue::from_static("application/xml");
/// Longest id of a request that is sent back, in bytes (Azure's own limit).
const CLIENT_REQUEST_ID_BYTES_MAX: usize = 1024;

/// A reply with a body that is in memory.
pub(super) fn with_body(status: StatusCode, body: impl Into<Bytes>) -> Reply {
    let body = Full::new(body.into()).map_err(|never| match never {}).boxed_unsync();
    let mut reply = Response::new(body);
    *reply.status_mut() = status;
    reply
}

/// A reply that says everything in its head.
pub(super) fn empty(status: StatusCode) -> Reply {
    with_body(status, Bytes::new())
}

/// Status and code of an error.
pub(super) fn face(error: &BlobError) -> (StatusCode, &'static str) {
    match error {
        BlobError::Name(_) => (StatusCode::BAD_REQUEST, "InvalidUri"),
        BlobError::Sas(SasError::Signature | SasError::Expired) => {
            (StatusCode::FORBIDDEN, "AuthenticationFailed")
        }
        BlobError::Sas(SasError::Permission) => {
            (StatusCode::FORBIDDEN, "AuthorizationPermissionMismatch")
        }
        BlobError::HeaderMissing(_) => (StatusCode::BAD_REQUEST, "MissingRequiredHeader"),
        BlobError::HeaderValue(_) => (StatusCode::BAD_REQUEST, "InvalidHeaderValue"),
        BlobError::QueryValue(_) => (StatusCode::BAD_REQUEST, "InvalidQueryParameterValue"),
        BlobError::Unsupported => (StatusCode::METHOD_NOT_ALLOWED, "UnsupportedHttpVerb"),
        BlobError::NotFound => (StatusCode::NOT_FOUND, "BlobNotFound"),
        BlobError::AlreadyExists => (StatusCode::CONFLICT, "BlobAlreadyExists"),
        BlobError::ContainerName => (StatusCode::BAD_REQUEST, "InvalidResourceName"),
        BlobError::ContainerNotFound => (StatusCode::NOT_FOUND, "ContainerNotFound"),
        BlobError::ContainerExists => (StatusCode::CONFLICT, "ContainerAlreadyExists"),
        BlobError::ContainerOfHub => (StatusCode::FORBIDDEN, "AuthorizationFailure"),
        BlobError::TooManyContainers => (StatusCode::CONFLICT, "ContainerLimitExceeded"),
        BlobError::ContainerUrl(_) => (StatusCode::BAD_REQUEST, "InvalidUri"),
        BlobError::Line { .. } => (StatusCode::BAD_REQUEST, "InvalidInput"),
        BlobError::EmptyMetadataName => (StatusCode::BAD_REQUEST, "EmptyMetadataKey"),
        BlobError::ConditionNotMet => (StatusCode::PRECONDITION_FAILED, "ConditionNotMet"),
        BlobError::NotModified => (StatusCode::NOT_MODIFIED, "ConditionNotMet"),
        BlobError::Range { .. } => (StatusCode::RANGE_NOT_SATISFIABLE, "InvalidRange"),
        BlobError::BlockList(ListError::Xml) => (StatusCode::BAD_REQUEST, "InvalidXmlDocument"),
        BlobError::BlockList(ListError::Id) | BlobError::UnknownBlock => {
            (StatusCode::BAD_REQUEST, "InvalidBlockList")
        }
        BlobError::BlockList(ListError::TooLong) => (StatusCode::BAD_REQUEST, "BlockListTooLong"),
        BlobError::BlockId => (StatusCode::BAD_REQUEST, "InvalidBlobOrBlock"),
        BlobError::TooManyBlocks => (StatusCode::CONFLICT, "BlockCountExceedsLimit"),
        BlobError::TooLarge { .. } => (StatusCode::PAYLOAD_TOO_LARGE, "RequestBodyTooLarge"),
        BlobError::Incomplete => (StatusCode::BAD_REQUEST, "InvalidInput"),
        BlobError::TooSlow => (StatusCode::REQUEST_TIMEOUT, "OperationTimedOut"),
        BlobError::Checksum(Mismatch::Md5) => (StatusCode::BAD_REQUEST, "Md5Mismatch"),
        BlobError::Checksum(Mismatch::Crc64) => (StatusCode::BAD_REQUEST, "Crc64Mismatch"),
        BlobError::Full => (StatusCode::INSUFFICIENT_STORAGE, "InsufficientStorage"),
        BlobError::Busy => (StatusCode::SERVICE_UNAVAILABLE, "ServerBusy"),
        BlobError::Io(_) | BlobError::Remote(_) => {
            (StatusCode::INTERNAL_SERVER_ERROR, "InternalError")
        }
    }
}

/// What of a request its answer repeats.
pub(super) struct Asked {
    head_only: bool,
    version: HeaderValue,
    client_request_id: Option<HeaderValue>,
}

impl Asked {
    pub fn of(head: &Parts) -> Self {
        let version =
            head.headers.get(&MS_VERSION).filter(|version| version.len() <= VERSION.len());
        let id = head.headers.get(&CLIENT_REQUEST_ID);
        Self {
            head_only: head.method == Method::HEAD,
            version: version.cloned().unwrap_or(HeaderValue::from_static(VERSION)),
            client_request_id: id.filter(|id| id.len() <= CLIENT_REQUEST_ID_BYTES_MAX).cloned(),
        }
    }

    /// Adds what every answer carries.
    pub fn answer(self, reply: Reply) -> Reply {
        self.identified(reply, &request_id())
    }

    /// The answer to a request that failed, with an id that leads from the client's report to our log.
    pub fn refuse(self, error: &BlobError, now: UnixMs) -> Reply {
        let id = request_id();
        match error {
            BlobError::Io(_) | BlobError::Remote(_) => {
                error!(request = id, %error, "blob request failed")
            }
            _ => debug!(request = id, %error, "blob request refused"),
        }
        let (status, code) = face(error);
        // Paths of ours are for the log only.
        let text = match error {
            BlobError::Io(_) | BlobError::Remote(_) => "the storage failed".to_owned(),
            _ => escape(&error.to_string()),
        };
        let mut reply = if self.head_only || status == StatusCode::NOT_MODIFIED {
            empty(status)
        } else {
            let xml = format!(
                "<?xml version=\"1.0\" encoding=\"utf-8\"?><Error><Code>{code}</Code><Message>{text}\n\
                 RequestId:{id}\nTime:{}</Message></Error>",
                now.iso8601()
            );
            let mut reply = with_body(status, xml);
            reply.headers_mut().insert(CONTENT_TYPE, XML);
            reply
        };
        let headers = reply.headers_mut();
        headers.insert(ERROR_CODE, HeaderValue::from_static(code));
        if let BlobError::Range { size } = error
            && let Ok(value) = HeaderValue::from_str(&format!("bytes */{size}"))
        {
            headers.insert(CONTENT_RANGE, value);
        }
        if status == StatusCode::SERVICE_UNAVAILABLE {
            headers.insert(RETRY_AFTER, HeaderValue::from_static("1"));
        }
        self.identified(reply, &id)
    }

    fn identified(self, mut reply: Reply, id: &str) -> Reply {
        let headers = reply.headers_mut();
        if let Ok(id) = HeaderValue::from_str(id) {
            headers.insert(REQUEST_ID, id);
        }
        headers.insert(MS_VERSION, self.version);
        if let Some(id) = self.client_request_id {
            headers.insert(CLIENT_REQUEST_ID, id);
        }
        reply
    }
}

/// A random id in the form of a UUID, as clients log it.
fn request_id() -> String {
    let hex = format!("{:032x}", rand::random::<u128>());
    let parts = [&hex[..8], &hex[8..12], &hex[12..16], &hex[16..20], &hex[20..]];
    parts.join("-")
}

/// Text inside an XML element or attribute.
pub(super) fn escape(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;").replace('"', "&quot;")
}
