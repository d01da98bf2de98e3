//! What an operator may choose about devices: `[c2d]`, `[twin]` and `limits.profile`.

use std::time::Duration;

use ironhub_domain::limits::{
    C2D_TTL_MS_MAX, METHOD_PAYLOAD_BYTES_MAX, METHOD_PAYLOAD_BYTES_MAX_CLASSIC, TwinLimits,
};

use super::file::{C2d, Twin};
use super::{ConfigError, ServeArgs};
use crate::actor::DeviceSettings;

/// Shortest time to live that can be the default, in seconds (device-protocols.md 6.2).
const TTL_SECONDS_MIN: u64 = 60;
/// Longest time to live, in seconds.
const TTL_SECONDS_MAX: u64 = C2D_TTL_MS_MAX / 1000;
/// Most deliveries that can be asked for (device-protocols.md 6.2).
const DELIVERIES_MAX: u32 = 100;

pub(super) fn merge(
    args: &ServeArgs,
    c2d: &C2d,
    twin: &Twin,
    profile: Option<&str>,
) -> Result<DeviceSettings, ConfigError> {
    let default = DeviceSettings::default();
    let ttl = args
        .c2d_default_ttl_seconds
        .or(c2d.default_ttl_seconds)
        .unwrap_or(default.c2d_ttl.as_secs());
    if !(TTL_SECONDS_MIN..=TTL_SECONDS_MAX).contains(&ttl) {
        return Err(ConfigError(format!(
            "c2d.default_ttl_seconds: {ttl} is outside {TTL_SECONDS_MIN} to {TTL_SECONDS_MAX}"
        )));
    }
    let deliveries = args
        .c2d_max_delivery_count
        .or(c2d.max_delivery_count)
        .unwrap_or(default.c2d_deliveries_max);
    if !(1..=DELIVERIES_MAX).contains(&deliveries) {
        return Err(ConfigError(format!(
            "c2d.max_delivery_count: {deliveries} is outside 1 to {DELIVERIES_MAX}"
        )));
    }
    let profile = args.limits_profile.as_deref().or(profile).unwrap_or("default");
    let (twin_limits, method_payload_bytes_max) = match profile {
        "default" => (TwinLimits::DEFAULT, METHOD_PAYLOAD_BYTES_MAX),
        "classic" => (TwinLimits::CLASSIC, METHOD_PAYLOAD_BYTES_MAX_CLASSIC),
        other => {
            return Err(ConfigError(format!(
                "limits.profile: {other:?} is neither \"default\" nor \"classic\""
            )));
        }
    };
    Ok(DeviceSettings {
        c2d_ttl: Duration::from_secs(ttl),
        c2d_deliveries_max: deliveries,
        notify_at_reconnect: args
            .twin_notify_at_reconnect
            .or(twin.notify_at_reconnect)
            .unwrap_or(default.notify_at_reconnect),
        twin_limits,
        method_payload_bytes_max,
    })
}
