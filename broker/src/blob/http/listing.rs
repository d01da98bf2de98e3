//! Lists as storage clients read them: parameters in, XML out (Azure: List Blobs, List Containers).

use std::collections::BTreeMap;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use http::request::Parts;
use hyper::header::HOST;
use ironhub_domain::time::UnixMs;

use super::reply::escape;
use crate::blob::conditions::http_date;
use crate::blob::container::{ContainerFacts, ContainerName};
use crate::blob::error::BlobError;
use crate::blob::filesystem::describe::METADATA;
use crate::blob::filesystem::listing::{Entry, Page};
use crate::blob::filesystem::manifest::Manifest;
use crate::blob::name::NAME_CHARS_MAX;
use crate::blob::query::Query;
use crate::blob::service::ACCOUNT;

/// What `include` may name. `metadata` is looked at; of the others this store has none, so lists are complete without.
const INCLUDED: &[&str] = &[
    "metadata",
    "snapshots",
    "uncommittedblobs",
    "copy",
    "deleted",
    "tags",
    "versions",
    "deletedwithversions",
    "immutabilitypolicy",
    "legalhold",
    "permissions",
    "system",
];

/// The parameters of a list.
pub(super) struct Asked {
    pub prefix: String,
    pub delimiter: Option<String>,
    pub max: usize,
    marker: Option<String>,
    metadata: bool,
}

impl Asked {
    /// Reads them. More than `max` entries are asked for: as many there are in a page then.
    pub(super) fn of(query: &Query, max: usize) -> Result<Self, BlobError> {
        let text = |key: &'static str| match query.only(key) {
            None if query.has(key) => Err(BlobError::QueryValue(key)),
            value => Ok(value.filter(|value| !value.is_empty()).map(str::to_owned)),
        };
        let prefix = text("prefix")?.unwrap_or_default();
        if prefix.chars().nth(NAME_CHARS_MAX).is_some() {
            return Err(BlobError::QueryValue("prefix"));
        }
        let wished = match text("maxresults")? {
            None => max,
            Some(number) => match number.parse() {
                Ok(0) | Err(_) => return Err(BlobError::QueryValue("maxresults")),
                Ok(number) => max.min(number),
            },
        };
        let include = text("include")?.unwrap_or_default().to_ascii_lowercase();
        let included: Vec<&str> = include.split(',').filter(|one| !one.is_empty()).collect();
        if included.iter().any(|one| !INCLUDED.contains(one)) {
            return Err(BlobError::QueryValue("include"));
        }
        Ok(Self {
            prefix,
            delimiter: text("delimiter")?,
            max: wished,
            marker: text("marker")?,
            metadata: included.contains(&"metadata"),
        })
    }

    /// Where the page begins.
    pub(super) fn from(&self) -> Result<String, BlobError> {
        let Some(marker) = &self.marker else { return Ok(String::new()) };
        let name =
            URL_SAFE_NO_PAD.decode(marker).ok().and_then(|name| String::from_utf8(name).ok());
        name.ok_or(BlobError::QueryValue("marker"))
    }
}

/// The address of the account, as the client has it.
pub(super) fn account_url(head: &Parts) -> String {
    let named = head.headers.get(HOST).and_then(|host| host.to_str().ok());
    let host = head.uri.authority().map(http::uri::Authority::as_str).or(named);
    format!("https://{}/{ACCOUNT}/", host.unwrap_or_default())
}

/// A page of blobs.
pub(super) fn blobs(
    account: &str,
    container: &ContainerName,
    asked: &Asked,
    page: &Page,
) -> String {
    let mut xml = Xml::begin(account, Some(container), asked);
    xml.text("<Blobs>");
    for entry in &page.entries {
        match entry {
            Entry::Prefix(prefix) => {
                xml.text("<BlobPrefix>");
                xml.name(prefix);
                xml.text("</BlobPrefix>");
            }
            Entry::Blob(blob) => xml.blob(blob, asked.metadata),
        }
    }
    xml.text("</Blobs>");
    xml.end(page.next.as_deref())
}

/// A page of containers.
pub(super) fn containers(
    account: &str,
    asked: &Asked,
    page: &[(ContainerName, ContainerFacts)],
    next: Option<&str>,
) -> String {
    let mut xml = Xml::begin(account, None, asked);
    xml.text("<Containers>");
    for (name, facts) in page {
        xml.text("<Container>");
        xml.element("Name", name.as_str());
        xml.text("<Properties>");
        xml.element("Last-Modified", &http_date(UnixMs(facts.modified)));
        xml.element("Etag", &facts.etag);
        for (name, value) in [
            ("LeaseStatus", "unlocked"),
            ("LeaseState", "available"),
            ("HasImmutabilityPolicy", "false"),
            ("HasLegalHold", "false"),
        ] {
            xml.element(name, value);
        }
        xml.text("</Properties>");
        if asked.metadata {
            xml.metadata(&facts.metadata);
        }
        xml.text("</Container>");
    }
    xml.text("</Containers>");
    xml.end(next)
}

struct Xml(String);

impl Xml {
    fn begin(account: &str, container: Option<&ContainerName>, asked: &Asked) -> Self {
        let mut xml = Self("<?xml version=\"1.0\" encoding=\"utf-8\"?><EnumerationResults".into());
        xml.text(&format!(" ServiceEndpoint=\"{}\"", escape(account)));
        if let Some(container) = container {
            xml.text(&format!(" ContainerName=\"{container}\""));
        }
        xml.text(">");
        if !asked.prefix.is_empty() {
            xml.element("Prefix", &asked.prefix);
        }
        if let Some(marker) = &asked.marker {
            xml.element("Marker", marker);
        }
        xml.element("MaxResults", &asked.max.to_string());
        if let Some(delimiter) = &asked.delimiter {
            xml.element("Delimiter", delimiter);
        }
        xml
    }

    fn end(mut self, next: Option<&str>) -> String {
        // Opaque to clients; base64, as a name is not always good text for XML and URLs.
        let marker = next.map(|name| URL_SAFE_NO_PAD.encode(name)).unwrap_or_default();
        self.element("NextMarker", &marker);
        self.text("</EnumerationResults>");
        self.0
    }

    fn text(&mut self, text: &str) {
        self.0.push_str(text);
    }

    fn element(&mut self, name: &str, value: &str) {
        let value = escape(value);
        self.text(&format!("<{name}>{value}</{name}>"));
    }

    /// Two characters that names may have and XML may not: such a name is written as in a URL, and says so.
    fn name(&mut self, name: &str) {
        if name.contains(['\u{fffe}', '\u{ffff}']) {
            let encoded = crate::client::percent::encode(name);
            self.text(&format!("<Name Encoded=\"true\">{encoded}</Name>"));
        } else {
            self.element("Name", name);
        }
    }

    fn blob(&mut self, blob: &Manifest, with_metadata: bool) {
        self.text("<Blob>");
        self.name(&blob.name);
        self.text("<Properties>");
        self.element("Creation-Time", &http_date(UnixMs(blob.created)));
        self.element("Last-Modified", &http_date(UnixMs(blob.modified)));
        // Without its quotes, as Azure has it here.
        self.element("Etag", blob.etag.trim_matches('"'));
        self.element("Content-Length", &blob.bytes.to_string());
        for (header, name) in [
            ("content-type", "Content-Type"),
            ("content-encoding", "Content-Encoding"),
            ("content-language", "Content-Language"),
            ("content-disposition", "Content-Disposition"),
            ("cache-control", "Cache-Control"),
        ] {
            if let Some(value) = blob.headers.get(header) {
                self.element(name, value);
            }
        }
        if let Some(md5) = &blob.md5 {
            self.element("Content-MD5", md5);
        }
        for (name, value) in [
            ("BlobType", "BlockBlob"),
            ("LeaseStatus", "unlocked"),
            ("LeaseState", "available"),
            ("ServerEncrypted", "true"),
        ] {
            self.element(name, value);
        }
        self.text("</Properties>");
        if with_metadata {
            self.metadata(&blob.headers);
        }
        self.text("</Blob>");
    }

    fn metadata(&mut self, headers: &BTreeMap<String, String>) {
        self.text("<Metadata>");
        for (name, value) in headers {
            // A header's name may be no name of an element.
            let Some(name) = name.strip_prefix(METADATA).filter(|name| element_name(name)) else {
                continue;
            };
            self.element(name, value);
        }
        self.text("</Metadata>");
    }
}

fn element_name(name: &str) -> bool {
    let first = |c: char| c.is_ascii_alphabetic() || c == '_';
    name.starts_with(first)
        && name.chars().all(|c| first(c) || c.is_ascii_digit() || "-.".contains(c))
}
