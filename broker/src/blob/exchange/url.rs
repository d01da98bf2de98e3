//! `https://{host}[/{account}]/{container}?{token}`: a container and what opens it, in one text.

use crate::blob::container::ContainerName;
use crate::blob::error::BlobError;
use crate::blob::service::ACCOUNT;

/// Longest URL that is looked at, in bytes: names, token and room.
const URL_BYTES_MAX: usize = 4096;

/// A URL in its parts.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct ContainerUrl {
    /// `https://host[:port]`; plain HTTP is for a storage beside, as Azurite is.
    pub origin: String,
    /// Where the account stands in the path.
    pub account: Option<String>,
    /// The container.
    pub container: ContainerName,
    /// The token, without its `?`.
    pub query: String,
}

impl ContainerUrl {
    /// Reads a URL.
    pub(super) fn parse(text: &str) -> Result<Self, BlobError> {
        let bad = BlobError::ContainerUrl;
        if text.len() > URL_BYTES_MAX {
            return Err(bad("is too long"));
        }
        if !text.bytes().all(|b| b.is_ascii_graphic()) || text.contains('#') {
            return Err(bad("has a character that no such URL has"));
        }
        let (address, query) = text.split_once('?').ok_or(bad("has no signature"))?;
        if !query.split('&').any(|part| part.starts_with("sig=")) {
            return Err(bad("has no signature"));
        }
        let (scheme, rest) =
            address.split_once("://").ok_or(bad("does not begin with https://"))?;
        if !["https", "http"].iter().any(|known| scheme.eq_ignore_ascii_case(known)) {
            return Err(bad("does not begin with https://"));
        }
        let (authority, path) = rest.split_once('/').ok_or(bad("names no container"))?;
        if authority.is_empty() || authority.contains('@') {
            return Err(bad("names no host"));
        }
        let path = path.strip_suffix('/').unwrap_or(path);
        let (account, container) = match path.split_once('/') {
            Some((account, container)) => (Some(account), container),
            None => (None, path),
        };
        let plain = |b: u8| b.is_ascii_alphanumeric() || b == b'-';
        if account.is_some_and(|account| account.is_empty() || !account.bytes().all(plain)) {
            return Err(bad("names no container"));
        }
        Ok(Self {
            origin: format!("{}://{authority}", scheme.to_ascii_lowercase()),
            account: account.map(str::to_owned),
            container: ContainerName::new(container).map_err(|_| bad("names no container"))?,
            query: query.to_owned(),
        })
    }

    /// Host without port.
    pub(super) fn host(&self) -> &str {
        let authority = self.origin.split_once("://").map_or("", |(_, authority)| authority);
        match authority.rsplit_once(':') {
            Some((host, port)) if port.bytes().all(|b| b.is_ascii_digit()) => host,
            _ => authority,
        }
    }

    /// Whether the container is one of the hub with this DNS name, whichever port the hub is reached by.
    pub(super) fn is_of(&self, hostname: &str) -> bool {
        self.account.as_deref() == Some(ACCOUNT) && self.host().eq_ignore_ascii_case(hostname)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(text: &str, expected: Option<(&str, Option<&str>, &str)>) {
        let url = ContainerUrl::parse(text).ok();
        let shown =
            url.as_ref().map(|u| (u.origin.as_str(), u.account.as_deref(), u.container.as_str()));
        assert_eq!(shown, expected, "{text}");
    }

    #[test]
    fn a_url_names_host_account_and_container() {
        check(
            "https://acct.blob.core.windows.net/files?sv=1&sig=x%3D",
            Some(("https://acct.blob.core.windows.net", None, "files")),
        );
        check(
            "http://127.0.0.1:10000/devstoreaccount1/files/?sig=x",
            Some(("http://127.0.0.1:10000", Some("devstoreaccount1"), "files")),
        );
        check("HTTPS://h/abc?sig=x", Some(("https://h", None, "abc")));
    }

    #[test]
    fn what_is_no_such_url_is_refused() {
        for text in [
            "",
            "https://h/abc",
            "https://h/abc?sv=1",
            "https://h?sig=x",
            "https:///abc?sig=x",
            "https://u:p@h/abc?sig=x",
            "https://h/a/b/abc?sig=x",
            "https://h/../abc?sig=x",
            "https://h/a%2fb/abc?sig=x",
            "https://h/ABC?sig=x",
            "https://h/abc?sig=x#y",
            "https://h/abc?sig=x\r\nHost: y",
            "https://h/a bc?sig=x",
            "ftp://h/abc?sig=x",
            "file:///etc/abc?sig=x",
            "h/abc?sig=x",
            &format!("https://h/abc?sig={}", "x".repeat(URL_BYTES_MAX)),
        ] {
            check(text, None);
        }
    }

    #[test]
    fn a_hub_knows_its_own_containers() {
        let of = |text: &str| ContainerUrl::parse(text).unwrap().is_of("hub.test");
        assert!(of("https://hub.test/ironhub-storage/abc?sig=x"));
        assert!(of("https://Hub.Test:8443/ironhub-storage/abc?sig=x"));
        assert!(!of("https://hub.test.evil.test/ironhub-storage/abc?sig=x"));
        assert!(!of("https://hub.test:10000/devstoreaccount1/abc?sig=x"));
        assert!(!of("https://hub.test/abc?sig=x"));
    }
}
