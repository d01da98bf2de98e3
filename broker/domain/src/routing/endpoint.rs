//! Where routed messages go, beside the built-in endpoint.

use super::blob_name::BlobNameFormat;

/// An endpoint.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Endpoint {
    /// Letters, digits, `-`, `.`, `_`; unlike every other's in any case, and none of `events`, `fileNotifications` and
    /// `$default`.
    pub name: String,
    /// What it is.
    pub kind: EndpointKind,
}

/// What an endpoint is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum EndpointKind {
    /// An event log of this hub, of the endpoint's name, read as the built-in one is.
    EventLog,
    /// A server that takes messages over HTTP.
    Webhook(Webhook),
    /// Blobs.
    Storage(Storage),
}

/// A server that takes messages over HTTP, and how often it is tried.
#[derive(Clone, PartialEq, Eq)]
pub struct Webhook {
    /// `https://` or `http://`
    pub url: String,
    /// What signs the messages.
    pub secret: String,
    /// How long it may take to answer.
    pub timeout_seconds: u64,
    /// How often a message is sent until it goes to the dead letters.
    pub attempts: u64,
    /// The first pause between two attempts. Each is twice as long as the one before.
    pub pause_seconds: u64,
    /// The longest pause.
    pub pause_seconds_max: u64,
    /// The endpoint, not a webhook, that gets what this one never took; `None` if it is dropped.
    pub dead_letters: Option<String>,
}

/// The secret stays out of logs.
impl std::fmt::Debug for Webhook {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Webhook").field("url", &self.url).finish_non_exhaustive()
    }
}

/// Blobs in a container, each with the messages of a time.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Storage {
    /// In which container.
    pub container: Container,
    /// What the blobs are called.
    pub name_format: BlobNameFormat,
    /// How long messages are gathered for one.
    pub batch_seconds: u64,
    /// How many bytes are gathered for one.
    pub batch_bytes: u64,
    /// How messages are written.
    pub encoding: Encoding,
}

/// Where blobs are.
#[derive(Clone, PartialEq, Eq)]
pub enum Container {
    /// A container of the hub's own blob store.
    Own(String),
    /// A container's URI with its signature.
    Uri(String),
}

/// The signature stays out of logs.
impl std::fmt::Debug for Container {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Own(name) => f.debug_tuple("Own").field(name).finish(),
            Self::Uri(uri) => {
                f.debug_tuple("Uri").field(&uri.split('?').next().unwrap_or_default()).finish()
            }
        }
    }
}

/// How messages are written to a blob.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Encoding {
    /// An Avro container file.
    #[default]
    Avro,
    /// A JSON object on each line.
    JsonLines,
}

impl Encoding {
    /// As the API writes it.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Avro => "Avro",
            Self::JsonLines => "JSON",
        }
    }

    /// Reads what [`as_str`](Self::as_str) writes, in any case.
    pub fn parse(text: &str) -> Option<Self> {
        [Self::Avro, Self::JsonLines].into_iter().find(|e| e.as_str().eq_ignore_ascii_case(text))
    }
}

impl Endpoint {
    /// The URL that it sends to, if it is a webhook's or container's.
    pub fn url(&self) -> Option<&str> {
        match &self.kind {
            EndpointKind::Webhook(webhook) => Some(&webhook.url),
            EndpointKind::Storage(Storage { container: Container::Uri(uri), .. }) => Some(uri),
            EndpointKind::Storage(Storage { container: Container::Own(_), .. })
            | EndpointKind::EventLog => None,
        }
    }
}
