//! Names of the blobs that routes write.

use crate::HubError;
use crate::limits::BLOB_NAME_CHARS_MAX;
use crate::time::UnixMs;

/// `{iothub}/{partition}/{YYYY}/{MM}/{DD}/{HH}/{mm}`, or the same parts in another order with other text between them; each
/// stands in it once.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BlobNameFormat(String);

const PARTS: [&str; 7] = ["{iothub}", "{partition}", "{YYYY}", "{MM}", "{DD}", "{HH}", "{mm}"];

/// What the parts may be replaced by: a hub's name is the longest.
const FILLED_CHARS_MAX: usize = 128;

impl Default for BlobNameFormat {
    fn default() -> Self {
        Self("{iothub}/{partition}/{YYYY}/{MM}/{DD}/{HH}/{mm}".to_owned())
    }
}

impl BlobNameFormat {
    /// Checks a format.
    pub fn new(format: &str) -> Result<Self, HubError> {
        let wrong = |why: String| Err(HubError::InvalidArgument(format!("fileNameFormat: {why}")));
        if let Some(part) = PARTS.iter().find(|part| format.matches(**part).count() != 1) {
            return wrong(format!("{part} must stand in it once"));
        }
        let rest = PARTS.iter().fold(format.to_owned(), |rest, part| rest.replace(part, ""));
        if let Some(bad) =
            rest.chars().find(|c| !c.is_ascii_alphanumeric() && !"/-_.=".contains(*c))
        {
            return wrong(format!("it has the character {bad:?}"));
        }
        if format.starts_with('/') || format.contains("//") || format.contains("..") {
            return wrong("it has an empty name or two full stops".to_owned());
        }
        if rest.len() + FILLED_CHARS_MAX > BLOB_NAME_CHARS_MAX {
            return wrong(format!("it has more than {BLOB_NAME_CHARS_MAX} characters"));
        }
        Ok(Self(format.to_owned()))
    }

    /// The text.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The name of a blob that is begun at a time (UTC).
    pub fn name(&self, hub: &str, partition: u32, at: UnixMs) -> String {
        let time = at.iso8601();
        let digits = |begin: usize, end: usize| time.get(begin..end).unwrap_or_default();
        let partition = format!("{partition:02}");
        let filled = [
            hub,
            &partition,
            digits(0, 4),
            digits(5, 7),
            digits(8, 10),
            digits(11, 13),
            digits(14, 16),
        ];
        PARTS
            .iter()
            .zip(filled)
            .fold(self.0.clone(), |name, (part, value)| name.replace(part, value))
    }
}
