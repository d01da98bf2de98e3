//! What services are told on the hub's own account: `[feedback]` on cloud-to-device messages, and `[file_notifications]`.

use std::ops::RangeInclusive;
use std::time::Duration;

use serde::Deserialize;

use super::ConfigError;
use crate::router::NoticeSettings;

/// Seconds that a notice may live (service-protocols.md 2.12): a minute to two days.
const TTL_SECONDS: RangeInclusive<u64> = 60..=2 * 24 * 3600;
/// Seconds that a service may hold one (service-protocols.md 2.12).
const LOCK_SECONDS: RangeInclusive<u64> = 5..=300;
/// How often one may be delivered (service-protocols.md 2.12).
const DELIVERIES: RangeInclusive<u64> = 1..=100;

/// Flags and variables.
#[derive(Clone, Debug, Default, clap::Args)]
pub struct NoticeArgs {
    /// Seconds that feedback on cloud-to-device messages waits for a service, 60 to 172800 [default: 3600]
    #[arg(long, env = "IRONHUB_FEEDBACK_TTL_SECONDS", value_name = "SECONDS")]
    pub feedback_ttl_seconds: Option<u64>,
    /// Seconds that a service may hold a batch of feedback before it is delivered again, 5 to 300 [default: 60]
    #[arg(long, env = "IRONHUB_FEEDBACK_LOCK_SECONDS", value_name = "SECONDS")]
    pub feedback_lock_seconds: Option<u64>,
    /// Feedback that was given back this often is not delivered again, 1 to 100 [default: 10]
    #[arg(long, env = "IRONHUB_FEEDBACK_MAX_DELIVERY_COUNT", value_name = "N")]
    pub feedback_max_delivery_count: Option<u64>,
    /// Seconds that the notification of an upload waits for a service, 60 to 172800 [default: 3600]
    #[arg(long, env = "IRONHUB_FILE_NOTIFICATIONS_TTL_SECONDS", value_name = "SECONDS")]
    pub file_notifications_ttl_seconds: Option<u64>,
    /// Seconds that a service may hold the notification of an upload before it is delivered again, 5 to 300 [default: 60]
    #[arg(long, env = "IRONHUB_FILE_NOTIFICATIONS_LOCK_SECONDS", value_name = "SECONDS")]
    pub file_notifications_lock_seconds: Option<u64>,
    /// The notification of an upload that was given back this often is not delivered again, 1 to 100 [default: 100]
    #[arg(long, env = "IRONHUB_FILE_NOTIFICATIONS_MAX_DELIVERY_COUNT", value_name = "N")]
    pub file_notifications_max_delivery_count: Option<u64>,
}

/// The `[feedback]` table, and the `[file_notifications]` table.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct NoticeFile {
    /// See [`NoticeSettings::ttl`].
    pub ttl_seconds: Option<u64>,
    /// See [`NoticeSettings::lock`].
    pub lock_seconds: Option<u64>,
    /// See [`NoticeSettings::deliveries_max`].
    pub max_delivery_count: Option<u64>,
}

pub(super) fn feedback(args: &NoticeArgs, file: NoticeFile) -> Result<NoticeSettings, ConfigError> {
    let args = NoticeFile {
        ttl_seconds: args.feedback_ttl_seconds,
        lock_seconds: args.feedback_lock_seconds,
        max_delivery_count: args.feedback_max_delivery_count,
    };
    merge("feedback", args, file, NoticeSettings::FEEDBACK)
}

pub(super) fn file_notifications(
    args: &NoticeArgs,
    file: NoticeFile,
) -> Result<NoticeSettings, ConfigError> {
    let args = NoticeFile {
        ttl_seconds: args.file_notifications_ttl_seconds,
        lock_seconds: args.file_notifications_lock_seconds,
        max_delivery_count: args.file_notifications_max_delivery_count,
    };
    merge("file_notifications", args, file, NoticeSettings::FILE_UPLOAD)
}

fn merge(
    table: &str,
    args: NoticeFile,
    file: NoticeFile,
    default: NoticeSettings,
) -> Result<NoticeSettings, ConfigError> {
    let checked = |key: &str, value: u64, allowed: RangeInclusive<u64>| {
        let (least, most) = (allowed.start(), allowed.end());
        allowed.contains(&value).then_some(value).ok_or_else(|| {
            ConfigError(format!("{table}.{key}: {value} is outside {least} to {most}"))
        })
    };
    let ttl = args.ttl_seconds.or(file.ttl_seconds).unwrap_or(default.ttl.as_secs());
    let lock = args.lock_seconds.or(file.lock_seconds).unwrap_or(default.lock.as_secs());
    let deliveries = args.max_delivery_count.or(file.max_delivery_count);
    let deliveries = deliveries.unwrap_or(default.deliveries_max.into());
    Ok(NoticeSettings {
        ttl: Duration::from_secs(checked("ttl_seconds", ttl, TTL_SECONDS)?),
        lock: Duration::from_secs(checked("lock_seconds", lock, LOCK_SECONDS)?),
        // At most 100.
        deliveries_max: checked("max_delivery_count", deliveries, DELIVERIES)? as u32,
    })
}
