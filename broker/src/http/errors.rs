//! The HTTP face of every error: status, numeric code, code name, and the body that SDKs parse
//! (service-protocols.md 2.2).
//!
//! ```json
//! {"Message":"ErrorCode:{name};{text}","ExceptionMessage":"Tracking ID:{id}-G:0-TimeStamp:{time}","errorCode":{number}}
//! ```
//! Node splits `Message`, C# wants the header `iothub-errorcode` to name the same code, Java reads the number from
//! `errorCode`. Body and header therefore always come from one [`Face`].

use bytes::Bytes;
use http_body_util::Full;
use hyper::header::{ALLOW, CONTENT_TYPE, HeaderName, HeaderValue, RETRY_AFTER};
use hyper::{Response, StatusCode};
use ironhub_domain::HubError;
use serde_json::json;
use time::OffsetDateTime;
use time::macros::format_description;

use super::body::BodyError;
use super::route::RouteError;

/// A finished answer.
pub type Reply = Response<Full<Bytes>>;

/// Content type of every JSON answer.
pub const JSON: HeaderValue = HeaderValue::from_static("application/json; charset=utf-8");
/// The header that names the error, as the body does.
pub const ERROR_CODE: HeaderName = HeaderName::from_static("iothub-errorcode");
/// Seconds a client should wait before it repeats a request that the hub could not take now.
const RETRY_AFTER_SECONDS: HeaderValue = HeaderValue::from_static("1");

/// How an error looks from outside.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Face {
    /// HTTP status.
    pub status: StatusCode,
    /// Six digits, the first three are the status.
    pub code: u32,
    /// Name of the code, as SDKs spell it.
    pub name: &'static str,
}

const fn face_of(status: StatusCode, code: u32, name: &'static str) -> Face {
    Face { status, code, name }
}

/// The face of a hub error.
pub fn face(error: &HubError) -> Face {
    let code = error.code();
    let status = StatusCode::from_u16(code.status()).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    face_of(status, code.number, code.name)
}

const ARGUMENT_INVALID: Face = face_of(StatusCode::BAD_REQUEST, 400004, "ArgumentInvalid");
const TOO_LARGE: Face = face_of(StatusCode::PAYLOAD_TOO_LARGE, 413001, "MessageTooLarge");
const NOT_BUILT: Face = face_of(StatusCode::NOT_IMPLEMENTED, 501000, "GenericNotImplemented");

fn route_face(error: &RouteError) -> Face {
    match error {
        RouteError::UnknownPath(_) => face_of(StatusCode::NOT_FOUND, 404000, "GenericNotFound"),
        RouteError::MethodNotAllowed { .. } => {
            face_of(StatusCode::METHOD_NOT_ALLOWED, 405000, "GenericMethodNotAllowed")
        }
        RouteError::BrokenEncoding(_) => ARGUMENT_INVALID,
    }
}

fn body_face(error: &BodyError) -> Face {
    match error {
        BodyError::TooLarge { .. } => TOO_LARGE,
        BodyError::TooSlow => face_of(StatusCode::REQUEST_TIMEOUT, 408000, "GenericTimeout"),
        BodyError::Broken => face_of(StatusCode::BAD_REQUEST, 400006, "IotHubFormatError"),
    }
}

/// Anything that ends a request without its result.
#[derive(Debug, thiserror::Error)]
pub enum HttpError {
    /// The hub refused or failed.
    #[error("{0}")]
    Hub(#[from] HubError),
    /// No such operation.
    #[error("{0}")]
    Route(#[from] RouteError),
    /// The body did not arrive as it must.
    #[error("{0}")]
    Body(#[from] BodyError),
    /// The body is not the JSON it must be.
    #[error("{0}")]
    Json(String),
    /// A device answered a method with what is no JSON.
    #[error("the device's answer is no JSON")]
    BadDeviceResponse,
    /// The protocol has this call, this version does not.
    #[error("not built yet in this version of Ironhub: {0}")]
    NotBuilt(&'static str),
}

impl HttpError {
    /// How it looks from outside.
    pub fn face(&self) -> Face {
        match self {
            Self::Hub(error) => face(error),
            Self::Route(error) => route_face(error),
            Self::Body(error) => body_face(error),
            Self::Json(_) => ARGUMENT_INVALID,
            Self::BadDeviceResponse => {
                face_of(StatusCode::BAD_GATEWAY, 502000, "BadDeviceResponse")
            }
            Self::NotBuilt(_) => NOT_BUILT,
        }
    }

    /// The answer to send. `tracking_id` finds the request in the log; `now` is wall time.
    pub fn reply(&self, tracking_id: u128, now: OffsetDateTime) -> Reply {
        let face = self.face();
        let (message, exception) = self.texts(face, tracking_id, now);
        let body = json!({
            "Message": message,
            "ExceptionMessage": exception,
            "errorCode": face.code,
        });
        let mut reply = Reply::new(Full::new(body.to_string().into()));
        *reply.status_mut() = face.status;
        let headers = reply.headers_mut();
        headers.insert(CONTENT_TYPE, JSON);
        headers.insert(ERROR_CODE, HeaderValue::from_static(face.name));
        let retry_helps =
            [StatusCode::SERVICE_UNAVAILABLE, StatusCode::TOO_MANY_REQUESTS].contains(&face.status);
        if retry_helps {
            headers.insert(RETRY_AFTER, RETRY_AFTER_SECONDS);
        }
        if let Self::Route(RouteError::MethodNotAllowed { allowed, .. }) = self
            && let Ok(value) = HeaderValue::from_str(&allowed.join(", "))
        {
            headers.insert(ALLOW, value);
        }
        reply
    }
}

impl HttpError {
    /// `Message`, which SDKs parse, and `ExceptionMessage`. Direct methods that failed speak the second dialect: JSON in a
    /// string, and no exception beside it, because Java's SDK appends that to the JSON before it reads the code from it
    /// (service-protocols.md 2.2).
    fn texts(&self, face: Face, tracking_id: u128, now: OffsetDateTime) -> (String, String) {
        let waited = match self {
            Self::Hub(
                HubError::NotOnline { waited_seconds } | HubError::MethodTimeout { waited_seconds },
            ) => *waited_seconds,
            Self::Hub(HubError::DeviceWentAway) => 0,
            _ => {
                let stamp = now
                    .format(format_description!("[month]/[day]/[year] [hour]:[minute]:[second]"))
                    .unwrap_or_default();
                return (
                    format!("ErrorCode:{};{self}", face.name),
                    format!("Tracking ID:{tracking_id:032x}-G:0-TimeStamp:{stamp}"),
                );
            }
        };
        let stamp = now
            .format(format_description!("[year]-[month]-[day]T[hour]:[minute]:[second]Z"))
            .unwrap_or_default();
        let (hours, minutes, seconds) = (waited / 3600, waited / 60 % 60, waited % 60);
        let message = json!({
            "errorCode": face.code,
            "trackingId": format!("{tracking_id:032x}-G:0-TimeStamp:{stamp}"),
            "message": self.to_string(),
            "info": {"timeout": format!("{hours:02}:{minutes:02}:{seconds:02}")},
            "timestampUtc": stamp,
        });
        (message.to_string(), String::new())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_number_begins_with_the_status_and_the_body_is_what_sdks_parse() {
        let device = || "d1".to_string();
        let cases: Vec<(HttpError, u32, &str)> = vec![
            (HubError::DeviceNotFound(device()).into(), 404001, "DeviceNotFound"),
            (HubError::DeviceAlreadyExists(device()).into(), 409001, "DeviceAlreadyExists"),
            (HubError::DeviceDisabled(device()).into(), 401002, "IotHubUnauthorizedAccess"),
            (
                HubError::PreconditionFailed { current: device() }.into(),
                412001,
                "PreconditionFailed",
            ),
            (HubError::Unauthorized(device()).into(), 401003, "IotHubUnauthorized"),
            (HubError::Forbidden(device()).into(), 401002, "IotHubUnauthorizedAccess"),
            (HubError::InvalidArgument(device()).into(), 400004, "ArgumentInvalid"),
            (HubError::MessageTooLarge { size: 2, max: 1 }.into(), 413001, "MessageTooLarge"),
            (HubError::Busy.into(), 429001, "ThrottlingException"),
            (HubError::NoLeader { partition: 1 }.into(), 503001, "ServiceUnavailable"),
            (HubError::StorageFull.into(), 503001, "ServiceUnavailable"),
            (HubError::OutcomeUnknown.into(), 500008, "GenericTimeout"),
            (HubError::Internal(device()).into(), 500001, "ServerError"),
            (BodyError::TooSlow.into(), 408000, "GenericTimeout"),
            (BodyError::Broken.into(), 400006, "IotHubFormatError"),
            (HttpError::NotBuilt("twins"), 501000, "GenericNotImplemented"),
        ];
        for (error, code, name) in cases {
            let face = error.face();
            assert_eq!((face.code, face.name), (code, name), "{error}");
            assert_eq!(face.code / 1000, u32::from(face.status.as_u16()), "{error}");
            let reply = error.reply(7, OffsetDateTime::UNIX_EPOCH);
            assert_eq!(reply.headers()["iothub-errorcode"], name);
            assert_eq!(reply.status(), face.status);
        }
    }

    #[test]
    fn only_errors_of_direct_methods_are_json_in_the_message_and_have_no_exception() {
        let texts = |error: HubError| {
            let error = HttpError::from(error);
            error.texts(error.face(), 7, OffsetDateTime::UNIX_EPOCH)
        };
        let (message, exception) = texts(HubError::NotOnline { waited_seconds: 3661 });
        let message: serde_json::Value = serde_json::from_str(&message).unwrap();
        assert_eq!(message["errorCode"], 404103);
        assert_eq!(message["info"]["timeout"], "01:01:01");
        assert_eq!(exception, "");
        let (message, exception) = texts(HubError::DeviceNotFound("d1".into()));
        assert!(message.starts_with("ErrorCode:DeviceNotFound;"), "{message}");
        assert!(exception.starts_with("Tracking ID:"), "{exception}");
    }
}
