//! What a token is good for: a path on the hub, which covers everything below it.

use std::fmt;

use crate::auth::percent;

/// A resource as `{host}/{segment}/{segment}…`: a token's scope, or what somebody wants to use.
#[derive(Clone, PartialEq, Eq)]
pub struct Resource {
    /// Lower case, without port.
    host: String,
    segments: Vec<String>,
}

/// Segments whose successor is an id, and ids are case-sensitive; every other segment is not
/// (service-protocols.md 0).
const BEFORE_AN_ID: [&str; 4] = ["devices", "modules", "twins", "configurations"];

impl Resource {
    /// Reads decoded text: an optional scheme (`sb://`, `amqps://`, `https://`), the host with an optional port, the path.
    /// A trailing `/` and a trailing `api-version=…` are not part of it (device-protocols.md 1.2).
    pub fn parse(text: &str) -> Self {
        let rest = text.split_once("://").map_or(text, |(_, rest)| rest);
        let (authority, path) = rest.split_once('/').unwrap_or((rest, ""));
        let path = path.split_once('?').map_or(path, |(path, _)| path);
        let mut segments: Vec<String> =
            path.split('/').filter(|segment| !segment.is_empty()).map(str::to_owned).collect();
        segments.pop_if(|last| last.to_ascii_lowercase().starts_with("api-version="));
        Self { host: host_of(authority), segments }
    }

    /// The scopes that a token's `sr` can mean. SDKs encode it not at all, once or (C#, for the id) twice, and a raw id
    /// may look encoded; each reading that differs is tried.
    pub fn readings(sr_raw: &str) -> Vec<Self> {
        let once = percent::decode(sr_raw);
        let twice = percent::decode(&once);
        let mut readings = vec![Self::parse(&once)];
        for text in [&*twice, sr_raw] {
            let reading = Self::parse(text);
            if !readings.contains(&reading) {
                readings.push(reading);
            }
        }
        readings
    }

    /// The host, lower case, without port.
    pub fn host(&self) -> &str {
        &self.host
    }

    /// The path's segments.
    pub fn segments(&self) -> &[String] {
        &self.segments
    }

    /// Whether this scope is on `host` (compared without case and port).
    pub fn is_on(&self, host: &str) -> bool {
        self.host == host_of(host)
    }

    /// Whether this scope covers `path` on its own host: whole segments only, so `/devices/dev1` covers
    /// `/devices/dev1/messages` but not `/devices/dev10`.
    pub fn covers(&self, path: &[&str]) -> bool {
        self.segments.len() <= path.len()
            && self.segments.iter().zip(path).enumerate().all(|(at, (own, wanted))| {
                let is_id = at > 0
                    && BEFORE_AN_ID
                        .iter()
                        .any(|word| self.segments[at - 1].eq_ignore_ascii_case(word));
                if is_id { own == wanted } else { own.eq_ignore_ascii_case(wanted) }
            })
    }
}

/// Without case, and without the port that some clients sign along.
fn host_of(authority: &str) -> String {
    let host = match authority.rsplit_once(':') {
        Some((host, port)) if port.bytes().all(|byte| byte.is_ascii_digit()) => host,
        _ => authority,
    };
    host.to_ascii_lowercase()
}

impl fmt::Display for Resource {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.host)?;
        self.segments.iter().try_for_each(|segment| write!(f, "/{segment}"))
    }
}

impl fmt::Debug for Resource {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Resource({self})")
    }
}
