//! Connection strings (service-protocols.md 1.4): `Name=value;Name=value`, a value may contain `=`.

use std::fmt;

use super::ClientError;
use super::sas::{KeyForm, expiry_from_now, token};

/// `HostName=…;SharedAccessKeyName=…;SharedAccessKey=…`.
#[derive(Clone, PartialEq, Eq)]
pub struct ServiceConnectionString {
    /// The hub's name, without port.
    pub host: String,
    /// A port written behind the name.
    pub port: Option<u16>,
    /// Shared access policy.
    pub policy: String,
    /// One of its keys, as text.
    pub key: String,
}

/// `HostName=…;DeviceId=…;SharedAccessKey=…`.
#[derive(Clone, PartialEq, Eq)]
pub struct DeviceConnectionString {
    /// The hub's name, without port.
    pub host: String,
    /// A port written behind the name.
    pub port: Option<u16>,
    /// The device.
    pub device: String,
    /// One of its keys, as text.
    pub key: String,
}

/// `Endpoint=sb://…/;SharedAccessKeyName=…;SharedAccessKey=…;EntityPath=…`.
#[derive(Clone, PartialEq, Eq)]
pub struct EventHubConnectionString {
    /// The namespace's name, without port.
    pub host: String,
    /// A port written behind the name.
    pub port: Option<u16>,
    /// Shared access policy.
    pub policy: String,
    /// One of its keys, as text.
    pub key: String,
    /// The event hub's name.
    pub entity_path: String,
}

impl ServiceConnectionString {
    /// Reads one; names compare without letter case, unknown ones are ignored.
    pub fn parse(text: &str) -> Result<Self, ClientError> {
        let fields = Fields::parse(text)?;
        if fields.get("DeviceId").is_some() {
            return Err(ClientError::ConnectionString(
                "it is a device's; this needs one of a shared access policy, like iothubowner"
                    .into(),
            ));
        }
        let (host, port) = split_port(fields.need("HostName")?)?;
        let policy = fields.need("SharedAccessKeyName")?.to_owned();
        let key = fields.need("SharedAccessKey")?.to_owned();
        Ok(Self { host, port, policy, key })
    }
}

impl DeviceConnectionString {
    /// Whether the text is a device's string, usable or not, and none of a policy.
    pub fn is_one(text: &str) -> bool {
        Fields::parse(text).is_ok_and(|fields| fields.get("DeviceId").is_some())
    }

    /// Reads one of a device with a key of its own; names compare without letter case, unknown ones are ignored.
    pub fn parse(text: &str) -> Result<Self, ClientError> {
        let fields = Fields::parse(text)?;
        for (name, what) in [("ModuleId", "a module's"), ("x509", "for a certificate")] {
            if fields.get(name).is_some() {
                let reason = format!("it is {what}; this needs one of a device with a key");
                return Err(ClientError::ConnectionString(reason));
            }
        }
        let (host, port) = split_port(fields.need("HostName")?)?;
        let device = fields.need("DeviceId")?.to_owned();
        let key = fields.need("SharedAccessKey")?.to_owned();
        Ok(Self { host, port, device, key })
    }

    /// A fresh token for all that is the device's. Fails if the key is not base64.
    pub fn token(&self) -> Result<String, ClientError> {
        let resource = format!("{}/devices/{}", self.host, self.device);
        // An empty policy stands for the device's own key (device-protocols.md 1.3).
        token(&resource, "", &self.key, KeyForm::Decoded, expiry_from_now())
    }
}

impl EventHubConnectionString {
    /// Reads one; names compare without letter case, unknown ones are ignored.
    pub fn parse(text: &str) -> Result<Self, ClientError> {
        let fields = Fields::parse(text)?;
        let endpoint = fields.need("Endpoint")?;
        let authority = endpoint.split_once("://").map_or(endpoint, |(_, rest)| rest);
        let authority = authority.split_once('/').map_or(authority, |(host, _)| host);
        let (host, port) = split_port(authority)?;
        let policy = fields.need("SharedAccessKeyName")?.to_owned();
        let key = fields.need("SharedAccessKey")?.to_owned();
        let entity_path = fields.need("EntityPath")?.to_owned();
        Ok(Self { host, port, policy, key, entity_path })
    }
}

struct Fields<'t>(Vec<(&'t str, &'t str)>);

impl<'t> Fields<'t> {
    fn parse(text: &'t str) -> Result<Self, ClientError> {
        let pairs = text.trim().split(';').filter(|part| !part.trim().is_empty());
        pairs
            .map(|part| part.trim().split_once('='))
            .collect::<Option<Vec<_>>>()
            .map(Self)
            .ok_or_else(|| {
                ClientError::ConnectionString("it is not of the form Name=value;Name=value".into())
            })
    }

    fn get(&self, name: &str) -> Option<&'t str> {
        let found = self.0.iter().find(|(key, _)| key.eq_ignore_ascii_case(name));
        found.map(|(_, value)| *value).filter(|value| !value.is_empty())
    }

    fn need(&self, name: &str) -> Result<&'t str, ClientError> {
        self.get(name).ok_or_else(|| ClientError::ConnectionString(format!("it has no {name}")))
    }
}

fn split_port(authority: &str) -> Result<(String, Option<u16>), ClientError> {
    match authority.rsplit_once(':') {
        None => Ok((authority.to_owned(), None)),
        Some((host, port)) => {
            let port = port.parse().map_err(|_| {
                ClientError::ConnectionString(format!("{port:?} is not a port number"))
            })?;
            Ok((host.to_owned(), Some(port)))
        }
    }
}

/// Keys never reach a log.
impl fmt::Debug for ServiceConnectionString {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "ServiceConnectionString({:?}, {:?})", self.host, self.policy)
    }
}

/// Keys never reach a log.
impl fmt::Debug for DeviceConnectionString {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "DeviceConnectionString({:?}, {:?})", self.host, self.device)
    }
}

/// Keys never reach a log.
impl fmt::Debug for EventHubConnectionString {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "EventHubConnectionString({:?}, {:?}, {:?})",
            self.host, self.policy, self.entity_path
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(text: &str, expected: Result<&str, &str>) {
        let found = ServiceConnectionString::parse(text)
            .map(|c| format!("{} {:?} {} {}", c.host, c.port, c.policy, c.key))
            .map_err(|error| error.to_string());
        match expected {
            Ok(expected) => assert_eq!(found.as_deref(), Ok(expected), "{text}"),
            Err(part) => {
                assert!(found.as_ref().is_err_and(|e| e.contains(part)), "{text}: {found:?}")
            }
        }
    }

    #[test]
    fn a_service_string_needs_host_policy_and_key() {
        let good = "HostName=h;SharedAccessKeyName=iothubowner;SharedAccessKey=abc==";
        check(good, Ok("h None iothubowner abc=="));
        check(&format!(" {good}; \n"), Ok("h None iothubowner abc=="));
        check("hostname=h:8443;sharedaccesskeyname=p;sharedaccesskey=k", Ok("h Some(8443) p k"));
        check("HostName=h;SharedAccessKeyName=p", Err("no SharedAccessKey"));
        check("HostName=;SharedAccessKeyName=p;SharedAccessKey=k", Err("no HostName"));
        check("HostName=h:x;SharedAccessKeyName=p;SharedAccessKey=k", Err("not a port"));
        check("nonsense", Err("Name=value"));
        check("", Err("no HostName"));
        check("HostName=h;DeviceId=d;SharedAccessKey=k", Err("it is a device's"));
    }

    #[test]
    fn a_device_string_names_a_device_with_a_key() {
        let good = "HostName=h:8443;DeviceId=d=1;SharedAccessKey=abc==";
        assert!(DeviceConnectionString::is_one(good));
        let found = DeviceConnectionString::parse(good).unwrap();
        assert_eq!((found.host.as_str(), found.port), ("h", Some(8443)));
        assert_eq!((found.device.as_str(), found.key.as_str()), ("d=1", "abc=="));
        for (text, part) in [
            ("HostName=h;DeviceId=d", "no SharedAccessKey"),
            ("HostName=h;DeviceId=d;ModuleId=m;SharedAccessKey=k", "a module's"),
            ("HostName=h;DeviceId=d;x509=true", "certificate"),
        ] {
            let error = DeviceConnectionString::parse(text).unwrap_err().to_string();
            assert!(
                DeviceConnectionString::is_one(text) && error.contains(part),
                "{text}: {error}"
            );
        }
        assert!(!DeviceConnectionString::is_one("HostName=h;SharedAccessKeyName=p"));
        assert!(!DeviceConnectionString::is_one("nonsense"));
    }

    #[test]
    fn an_event_hub_string_gives_host_and_entity() {
        let text = "Endpoint=sb://localhost/;SharedAccessKeyName=p;SharedAccessKey=k=;EntityPath=e";
        let found = EventHubConnectionString::parse(text).unwrap();
        assert_eq!((found.host.as_str(), found.port), ("localhost", None));
        assert_eq!((found.key.as_str(), found.entity_path.as_str()), ("k=", "e"));
        let text = "Endpoint=sb://h:15671;SharedAccessKeyName=p;SharedAccessKey=k;EntityPath=e";
        assert_eq!(EventHubConnectionString::parse(text).unwrap().port, Some(15671));
    }
}
