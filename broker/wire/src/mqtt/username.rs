//! Client id and user name of a CONNECT (device-protocols.md 2.1).
//!
//! ```text
//! username  = hub-host "/" client-id [ "/" [ "?" ] query ]
//! client-id = device-id [ "/" module-id ]          never encoded
//! query     = [ param *( "&" param ) ]             names and values percent-encoded or raw, any order
//! ```
//!
//! Device ids may hold `?`, `=` and `%`, so the ids are found by the client id, never by looking for a mark.

use std::borrow::Cow;

use super::percent::{self, NotUtf8};

/// Longest model id that is kept: the DTDL v2 limit of an interface's identifier. It is stamped on each event, hence the bound.
pub const MODEL_ID_BYTES_MAX: usize = 2048;

/// Why the names of a CONNECT are refused (CONNACK 5).
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum UsernameError {
    /// No device id, an empty module id, or more than one `/`.
    #[error("client id is neither a device id nor a device id, a slash and a module id")]
    ClientId,
    /// The user name does not start with a host and a slash.
    #[error("user name does not start with a host name and a slash")]
    Host,
    /// The user name does not name what the client id names.
    #[error("user name and client id differ")]
    ClientIdDiffers,
    /// See [`NotUtf8`].
    #[error("model id: {0}")]
    ModelId(#[from] NotUtf8),
    /// Over [`MODEL_ID_BYTES_MAX`].
    #[error("model id has {0} bytes, at most {MODEL_ID_BYTES_MAX} are accepted")]
    ModelIdTooLong(usize),
}

/// Who a CONNECT says it is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Username<'a> {
    /// The hub's name as the client wrote it; the caller compares it, without regard to case.
    pub host: &'a str,
    /// Not empty; the grammar of ids is not checked here.
    pub device: &'a str,
    /// Not empty.
    pub module: Option<&'a str>,
    /// As given. The hub behaves the same for all.
    pub api_version: Option<Cow<'a, str>>,
    /// Decoded; `None` when absent or empty.
    pub model_id: Option<Cow<'a, str>>,
    /// What kind of client it is, for logs: decoded, or as given when that is not text.
    pub client_type: Option<Cow<'a, str>>,
}

/// Reads both together.
pub fn parse<'a>(username: &'a str, client_id: &'a str) -> Result<Username<'a>, UsernameError> {
    let (device, module) = identity(client_id)?;
    let (host, rest) = username.split_once('/').ok_or(UsernameError::Host)?;
    if host.is_empty() {
        return Err(UsernameError::Host);
    }
    let rest = rest.strip_prefix(client_id).ok_or(UsernameError::ClientIdDiffers)?;
    let query = match rest.strip_prefix('/') {
        Some(query) => query.strip_prefix('?').unwrap_or(query),
        None if rest.is_empty() => "",
        None => return Err(UsernameError::ClientIdDiffers),
    };
    let mut name =
        Username { host, device, module, api_version: None, model_id: None, client_type: None };
    for param in query.split('&') {
        let Some((key, value)) = param.split_once('=') else { continue };
        // A name that cannot be decoded is none of ours.
        match percent::decode(key).unwrap_or(Cow::Borrowed(key)).as_ref() {
            "api-version" => name.api_version = Some(text_or_raw(value)),
            "DeviceClientType" => name.client_type = Some(text_or_raw(value)),
            "model-id" => name.model_id = model_id(value)?,
            _ => {}
        }
    }
    Ok(name)
}

fn identity(client_id: &str) -> Result<(&str, Option<&str>), UsernameError> {
    let (device, module) = match client_id.split_once('/') {
        Some((device, module)) => (device, Some(module)),
        None => (client_id, None),
    };
    let bad_module = module.is_some_and(|module| module.is_empty() || module.contains('/'));
    if device.is_empty() || bad_module {
        return Err(UsernameError::ClientId);
    }
    Ok((device, module))
}

fn model_id(value: &str) -> Result<Option<Cow<'_, str>>, UsernameError> {
    let model_id = percent::decode(value)?;
    match model_id.len() {
        0 => Ok(None),
        length if MODEL_ID_BYTES_MAX < length => Err(UsernameError::ModelIdTooLong(length)),
        _ => Ok(Some(model_id)),
    }
}

fn text_or_raw(value: &str) -> Cow<'_, str> {
    percent::decode(value).unwrap_or(Cow::Borrowed(value))
}
