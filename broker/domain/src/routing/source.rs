//! What a route takes messages from: the sources, as the API of routes names them.

use crate::event::MessageSource;

impl MessageSource {
    /// As the API of routes writes it (service-protocols.md 4.11).
    pub const fn route_name(self) -> &'static str {
        match self {
            Self::Telemetry => "DeviceMessages",
            Self::TwinChange => "TwinChangeEvents",
            Self::DeviceLifecycle => "DeviceLifecycleEvents",
            Self::ConnectionState => "DeviceConnectionStateEvents",
            Self::JobLifecycle => "DeviceJobLifecycleEvents",
        }
    }

    /// Reads what [`route_name`](Self::route_name) writes, in any case.
    pub fn of_route(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|source| source.route_name().eq_ignore_ascii_case(name))
    }
}
