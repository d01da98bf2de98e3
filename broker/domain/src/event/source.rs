//! What an event tells of (service-protocols.md 4.10).

/// Where an event comes from: a device's message, or something that happened to it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum MessageSource {
    /// A device or module sent it.
    #[default]
    Telemetry,
    /// A twin changed.
    TwinChange,
    /// An identity was created or deleted.
    DeviceLifecycle,
    /// A device or module connected or disconnected.
    ConnectionState,
    /// A job did something to a device.
    JobLifecycle,
}

impl MessageSource {
    /// All of them.
    pub const ALL: [Self; 5] = [
        Self::Telemetry,
        Self::TwinChange,
        Self::DeviceLifecycle,
        Self::ConnectionState,
        Self::JobLifecycle,
    ];

    /// `iothub-message-source`
    pub const fn annotation(self) -> &'static str {
        match self {
            Self::Telemetry => "Telemetry",
            Self::TwinChange => "twinChangeEvents",
            Self::DeviceLifecycle => "deviceLifecycleEvents",
            Self::ConnectionState => "deviceConnectionStateEvents",
            Self::JobLifecycle => "deviceJobLifecycleEvents",
        }
    }

    /// `iothub-message-schema`; telemetry has none of the hub's.
    pub const fn schema(self) -> &'static str {
        match self {
            Self::Telemetry => "",
            Self::TwinChange => "twinChangeNotification",
            Self::DeviceLifecycle => "deviceLifecycleNotification",
            Self::ConnectionState => "deviceConnectionStateNotification",
            Self::JobLifecycle => "deviceJobLifecycleNotification",
        }
    }
}
