//! Where devices connect, and a device's own connection string.

use std::path::Path;

use super::{
    AMQPS_PORT, ConnectionArgs, ConnectionError, DATA_DIR, HTTPS_PORT, MQTTS_PORT, address, are_of,
    files,
};
use crate::cli::hub_files::HubFiles;
use crate::client::{Address, DeviceConnectionString, Trust};

/// The listeners that devices use.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DeviceAddresses {
    /// MQTT over TLS.
    pub mqtts: Address,
    /// AMQP over TLS.
    pub amqps: Address,
    /// HTTPS, and WebSocket for both.
    pub https: Address,
}

impl DeviceAddresses {
    pub(super) fn of(host: &str, port: Option<u16>, files: Option<&HubFiles>) -> Self {
        Self {
            mqtts: address(host, port, files.and_then(|files| files.mqtts), MQTTS_PORT),
            amqps: address(host, port, files.and_then(|files| files.amqps), AMQPS_PORT),
            https: address(host, port, files.and_then(|files| files.https), HTTPS_PORT),
        }
    }
}

/// A hub as one device knows it.
#[derive(Clone, Debug)]
pub struct DeviceConnection {
    /// Who.
    pub account: DeviceConnectionString,
    /// Where. A port in the connection string is that of whichever listener is used.
    pub addresses: DeviceAddresses,
    /// What vouches for the hub.
    pub trust: Trust,
}

impl DeviceConnection {
    /// What the options say if their connection string is a device's; `None` if it is not, or there is none.
    pub fn find(args: &ConnectionArgs) -> Result<Option<Self>, ConnectionError> {
        Self::find_with(args, Path::new(DATA_DIR))
    }

    pub(super) fn find_with(
        args: &ConnectionArgs,
        default_dir: &Path,
    ) -> Result<Option<Self>, ConnectionError> {
        let Some(text) = args.given().filter(|text| DeviceConnectionString::is_one(text)) else {
            return Ok(None);
        };
        let account = DeviceConnectionString::parse(text)?;
        let (_, files) = files(args, default_dir)?;
        let files = files.as_ref().filter(|files| are_of(files, &account.host));
        let beside_ca = files.and_then(|files| files.ca_file.clone());
        Ok(Some(Self {
            addresses: DeviceAddresses::of(&account.host, account.port, files),
            trust: Trust { ca_file: args.ca_file.clone().or(beside_ca) },
            account,
        }))
    }
}
