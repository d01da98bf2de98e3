//! What a shared access policy allows (service-protocols.md 1.1).

use std::fmt;
use std::ops::BitOr;

use crate::HubError;

/// A set of permissions.
#[derive(Clone, Copy, Default, PartialEq, Eq, Hash)]
pub struct Permissions(u8);

impl Permissions {
    /// Nothing.
    pub const NONE: Self = Self(0);
    /// Read identities.
    pub const REGISTRY_READ: Self = Self(1);
    /// Create, change and delete identities.
    pub const REGISTRY_WRITE: Self = Self(2);
    /// Everything a back end does: read events, twins, methods, C2D.
    pub const SERVICE_CONNECT: Self = Self(4);
    /// Act as any device.
    pub const DEVICE_CONNECT: Self = Self(8);
    /// All of the above.
    pub const ALL: Self = Self(15);

    /// The set as stored: bit 0 RegistryRead, 1 RegistryWrite, 2 ServiceConnect, 3 DeviceConnect.
    pub const fn bits(self) -> u8 {
        self.0
    }

    /// The set stored as `bits`; bits that this version does not know are dropped.
    pub const fn from_bits(bits: u8) -> Self {
        Self(bits & Self::ALL.0)
    }

    /// Whether every permission of `wanted` is in this set.
    pub const fn contains(self, wanted: Self) -> bool {
        self.0 & wanted.0 == wanted.0
    }

    /// Reads documented names with commas between them, in any case and order.
    pub fn parse(text: &str) -> Result<Self, HubError> {
        text.split(',').map(str::trim).try_fold(Self::NONE, |all, name| {
            let known = Self::NAMES.iter().find(|(_, known)| known.eq_ignore_ascii_case(name));
            let shown: String = name.chars().take(64).collect();
            let (flag, _) = known.ok_or_else(|| {
                HubError::InvalidArgument(format!(
                    "{shown:?} is none of RegistryRead, RegistryWrite, ServiceConnect, DeviceConnect"
                ))
            })?;
            Ok(all | *flag)
        })
    }

    const NAMES: [(Self, &'static str); 4] = [
        (Self::REGISTRY_READ, "RegistryRead"),
        (Self::REGISTRY_WRITE, "RegistryWrite"),
        (Self::SERVICE_CONNECT, "ServiceConnect"),
        (Self::DEVICE_CONNECT, "DeviceConnect"),
    ];
}

impl BitOr for Permissions {
    type Output = Self;

    fn bitor(self, other: Self) -> Self {
        Self(self.0 | other.0)
    }
}

/// The documented names, joined by `, `; `nothing` for the empty set.
impl fmt::Display for Permissions {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let names: Vec<_> =
            Self::NAMES.iter().filter(|(flag, _)| self.contains(*flag)).map(|(_, n)| *n).collect();
        f.write_str(if names.is_empty() { "nothing".into() } else { names.join(", ") }.as_str())
    }
}

impl fmt::Debug for Permissions {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Permissions({self})")
    }
}
