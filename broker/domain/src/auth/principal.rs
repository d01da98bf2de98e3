//! Somebody who proved a right: what they may do and until when.

use crate::HubError;
use crate::auth::permission::Permissions;
use crate::auth::resource::Resource;
use crate::time::UnixMs;

/// The bearer of a good token of a shared access policy.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Principal {
    /// The policy's name.
    pub policy: String,
    /// What the token is good for; one of these readings of its `sr` must cover what is used.
    pub(crate) scopes: Vec<Resource>,
    /// What the policy allows.
    pub permissions: Permissions,
    /// When the token ends, by its own account.
    pub expires: UnixMs,
}

impl Principal {
    /// Whether this principal may use `path` (without host, with or without slashes at its ends, ids not encoded) with
    /// this permission. The empty path is the hub itself, which only a token of hub scope covers.
    pub fn may(&self, permission: Permissions, path: &str) -> bool {
        self.permissions.contains(permission) && self.covers(path)
    }

    /// As [`Principal::may`], with the reason.
    pub fn check(&self, permission: Permissions, path: &str) -> Result<(), HubError> {
        if !self.permissions.contains(permission) {
            return Err(HubError::Forbidden(format!(
                "policy {:?} does not allow {permission}",
                self.policy
            )));
        }
        if !self.covers(path) {
            return Err(HubError::Forbidden(format!("the token's scope does not cover {path:?}")));
        }
        Ok(())
    }

    fn covers(&self, path: &str) -> bool {
        let path: Vec<&str> = path.split('/').filter(|segment| !segment.is_empty()).collect();
        self.scopes.iter().any(|scope| scope.covers(&path))
    }
}
