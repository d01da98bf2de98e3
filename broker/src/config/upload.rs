//! File uploads: where they go and how long a device has (device-protocols.md 5).

use std::fmt;
use std::time::Duration;

use serde::Deserialize;

use super::ConfigError;

/// Shortest, usual and longest life of an upload's URL (device-protocols.md 5.3).
const SAS_SECONDS_MIN: u64 = 60;
const SAS_SECONDS_DEFAULT: u64 = 3600;
const SAS_SECONDS_MAX: u64 = 24 * 3600;

/// Flags and variables.
#[derive(Clone, Debug, Default, clap::Args)]
pub struct UploadArgs {
    /// Where uploaded files go: `local`, `azure://ACCOUNT/CONTAINER[?endpoint=URL]` or
    /// `s3://BUCKET?region=REGION[&endpoint=URL]` [default: local, the data directory]
    #[arg(long, env = "IRONHUB_UPLOAD_STORAGE", value_name = "URL")]
    pub upload_storage: Option<String>,
    /// Access key id for s3:// storage
    #[arg(long, env = "IRONHUB_UPLOAD_KEY_ID", value_name = "ID")]
    pub upload_key_id: Option<String>,
    /// Account key for azure:// storage, secret access key for s3://; better given as a variable or in the file
    #[arg(long, env = "IRONHUB_UPLOAD_KEY", value_name = "KEY", hide_env_values = true)]
    pub upload_key: Option<String>,
    /// Seconds that a device has for an upload, 60 to 86400 [default: 3600]
    #[arg(long, env = "IRONHUB_UPLOAD_SAS_SECONDS", value_name = "SECONDS")]
    pub upload_sas_seconds: Option<u64>,
    /// Whether services are told of finished uploads [default: true]
    #[arg(long, env = "IRONHUB_UPLOAD_NOTIFICATIONS", value_name = "BOOL")]
    pub upload_notifications: Option<bool>,
}

/// The `[upload]` table.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct UploadFile {
    /// See [`UploadArgs::upload_storage`].
    pub storage: Option<String>,
    /// See [`UploadArgs::upload_key_id`].
    pub key_id: Option<String>,
    /// See [`UploadArgs::upload_key`].
    pub key: Option<String>,
    /// See [`UploadArgs::upload_sas_seconds`].
    pub sas_seconds: Option<u64>,
    /// See [`UploadArgs::upload_notifications`].
    pub notifications: Option<bool>,
}

/// A key that no log shows.
#[derive(Clone, PartialEq, Eq)]
pub struct Secret(pub String);

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("***")
    }
}

/// Where uploaded files go.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum UploadStorage {
    /// The data directory; the hub's HTTPS listener serves them.
    Local,
    /// A container of Azure Blob Storage, or of something that speaks its protocol.
    Azure {
        /// Storage account.
        account: String,
        /// Container; must exist.
        container: String,
        /// Base URL of a service that has the account in its paths (Azurite); `None` is Azure itself.
        endpoint: Option<String>,
        /// Account key, base64.
        key: Secret,
    },
    /// A bucket of S3, or of something that speaks its protocol.
    S3 {
        /// Bucket; must exist.
        bucket: String,
        /// Region that requests are signed for.
        region: String,
        /// Base URL of another service than AWS.
        endpoint: Option<String>,
        /// Access key id.
        key_id: String,
        /// Secret access key.
        key: Secret,
    },
}

/// The checked settings.
#[derive(Clone, Debug)]
pub struct Upload {
    /// Where files go.
    pub storage: UploadStorage,
    /// How long an upload's URL works.
    pub sas_ttl: Duration,
    /// Whether services are told of finished uploads.
    pub notifications: bool,
}

impl Upload {
    pub(super) fn merge(args: UploadArgs, file: UploadFile) -> Result<Self, ConfigError> {
        let sas = args.upload_sas_seconds.or(file.sas_seconds).unwrap_or(SAS_SECONDS_DEFAULT);
        if !(SAS_SECONDS_MIN..=SAS_SECONDS_MAX).contains(&sas) {
            return Err(ConfigError(format!(
                "upload.sas_seconds: {sas} is outside {SAS_SECONDS_MIN} to {SAS_SECONDS_MAX}"
            )));
        }
        let storage = args.upload_storage.or(file.storage).unwrap_or_else(|| "local".into());
        let key_id = args.upload_key_id.or(file.key_id);
        let key = args.upload_key.or(file.key).map(Secret);
        Ok(Self {
            storage: parse_storage(&storage, key_id, key)?,
            sas_ttl: Duration::from_secs(sas),
            notifications: args.upload_notifications.or(file.notifications).unwrap_or(true),
        })
    }
}

fn parse_storage(
    text: &str,
    key_id: Option<String>,
    key: Option<Secret>,
) -> Result<UploadStorage, ConfigError> {
    if text == "local" {
        return Ok(UploadStorage::Local);
    }
    let bad = |what: &str| ConfigError(format!("upload.storage: {text:?}: {what}"));
    let missing = |name: &str| ConfigError(format!("upload.{name}: missing; {text} needs it"));
    let (scheme, rest) = text.split_once("://").ok_or_else(|| {
        bad("is not `local`, `azure://ACCOUNT/CONTAINER` or `s3://BUCKET?region=REGION`")
    })?;
    let (place, query) = rest.split_once('?').unwrap_or((rest, ""));
    let (mut endpoint, mut region) = (None, None);
    for option in query.split('&').filter(|option| !option.is_empty()) {
        match option.split_once('=') {
            Some(("endpoint", url)) => {
                endpoint = Some(
                    check_endpoint(url)
                        .ok_or_else(|| bad("endpoint is not http(s)://HOST[:PORT]"))?,
                )
            }
            Some(("region", name)) if scheme == "s3" => region = Some(name.to_owned()),
            _ => return Err(bad("knows the options endpoint and, for s3, region")),
        }
    }
    let name_ok = |name: &str| {
        !name.is_empty()
            && name
                .bytes()
                .all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b"-.$".contains(&b))
    };
    match scheme {
        "azure" => {
            let (account, container) =
                place.split_once('/').ok_or_else(|| bad("is not azure://ACCOUNT/CONTAINER"))?;
            if !name_ok(account) || !name_ok(container) {
                return Err(bad("account or container is not a name that Azure allows"));
            }
            Ok(UploadStorage::Azure {
                account: account.into(),
                container: container.into(),
                endpoint,
                key: key.ok_or_else(|| missing("key"))?,
            })
        }
        "s3" => {
            if !name_ok(place) {
                return Err(bad("the bucket is not a name that S3 allows"));
            }
            Ok(UploadStorage::S3 {
                bucket: place.into(),
                region: region.ok_or_else(|| bad("needs ?region=REGION"))?,
                endpoint,
                key_id: key_id.ok_or_else(|| missing("key_id"))?,
                key: key.ok_or_else(|| missing("key"))?,
            })
        }
        _ => Err(bad("only local, azure:// and s3:// are known")),
    }
}

/// `http(s)://HOST[:PORT]` without what would not survive in an upload's URL.
fn check_endpoint(url: &str) -> Option<String> {
    let url = url.strip_suffix('/').unwrap_or(url);
    let host = url.strip_prefix("https://").or_else(|| url.strip_prefix("http://"))?;
    let plain = |b: u8| b.is_ascii_alphanumeric() || b"-._:[]".contains(&b);
    (!host.is_empty() && host.bytes().all(plain)).then(|| url.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(text: &str, key_id: bool, key: bool, expected: Result<UploadStorage, &str>) {
        let given = |there: bool, text: &str| there.then(|| text.to_owned());
        let storage = parse_storage(text, given(key_id, "id"), given(key, "k").map(Secret));
        match (storage, expected) {
            (Ok(storage), Ok(expected)) => assert_eq!(storage, expected, "{text}"),
            (Err(error), Err(start)) => {
                assert!(error.to_string().starts_with(start), "{text}: {error}");
            }
            (storage, expected) => panic!("{text}: {storage:?}, not {expected:?}"),
        }
    }

    #[test]
    fn a_place_is_named_by_a_url() {
        check("local", false, false, Ok(UploadStorage::Local));
        let azure = |endpoint: Option<&str>| UploadStorage::Azure {
            account: "acct".into(),
            container: "files".into(),
            endpoint: endpoint.map(str::to_owned),
            key: Secret("k".into()),
        };
        check("azure://acct/files", false, true, Ok(azure(None)));
        let azurite = Ok(azure(Some("http://127.0.0.1:10000")));
        check("azure://acct/files?endpoint=http://127.0.0.1:10000/", false, true, azurite);
        let s3 = |endpoint: Option<&str>| UploadStorage::S3 {
            bucket: "files.example".into(),
            region: "eu-central-1".into(),
            endpoint: endpoint.map(str::to_owned),
            key_id: "id".into(),
            key: Secret("k".into()),
        };
        check("s3://files.example?region=eu-central-1", true, true, Ok(s3(None)));
        let other = Ok(s3(Some("https://s3.example.net")));
        check(
            "s3://files.example?endpoint=https://s3.example.net&region=eu-central-1",
            true,
            true,
            other,
        );
    }

    #[test]
    fn refusals_name_the_setting() {
        for (text, key_id, key, setting) in [
            ("disk", true, true, "upload.storage"),
            ("ftp://x", true, true, "upload.storage"),
            ("azure://acct", true, true, "upload.storage"),
            ("azure://acct/Files", true, true, "upload.storage"),
            ("azure://acct/files/more", true, true, "upload.storage"),
            ("azure://acct/files?region=x", true, true, "upload.storage"),
            ("azure://acct/files?endpoint=ftp://x", true, true, "upload.storage"),
            ("azure://acct/files?endpoint=http://x/y", true, true, "upload.storage"),
            ("azure://acct/files", true, false, "upload.key:"),
            ("s3://b", true, true, "upload.storage"),
            ("s3://b?region=r", false, true, "upload.key_id:"),
            ("s3://b?region=r", true, false, "upload.key:"),
        ] {
            check(text, key_id, key, Err(setting));
        }
        let short = UploadFile { sas_seconds: Some(59), ..UploadFile::default() };
        let error = Upload::merge(UploadArgs::default(), short).unwrap_err();
        assert!(error.to_string().starts_with("upload.sas_seconds"));
    }

    #[test]
    fn a_key_is_not_shown() {
        assert_eq!(format!("{:?}", Secret("k".into())), "***");
    }
}
