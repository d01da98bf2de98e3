//! What the hub says about a sender in words (service-protocols.md 4.8).

use crate::event::message::{AuthMethod, AuthScope, AuthType};

impl AuthMethod {
    /// The value of `iothub-connection-auth-method`: JSON in a string.
    ///
    /// A device's key is never sent, only tokens signed with it, so it shows as `sas` as a policy's does; what tells them
    /// apart is the scope.
    pub fn json(self) -> &'static str {
        match (self.scope, self.kind) {
            (AuthScope::Hub, AuthType::Sas | AuthType::SymmetricKey) => {
                r#"{"scope":"hub","type":"sas","issuer":"iothub","acceptingIpFilterRule":null}"#
            }
            (AuthScope::Device, AuthType::Sas | AuthType::SymmetricKey) => {
                r#"{"scope":"device","type":"sas","issuer":"iothub","acceptingIpFilterRule":null}"#
            }
            (AuthScope::Module, AuthType::Sas | AuthType::SymmetricKey) => {
                r#"{"scope":"module","type":"sas","issuer":"iothub","acceptingIpFilterRule":null}"#
            }
            (AuthScope::Hub, AuthType::X509) => {
                r#"{"scope":"hub","type":"x509","issuer":"iothub","acceptingIpFilterRule":null}"#
            }
            (AuthScope::Device, AuthType::X509) => {
                r#"{"scope":"device","type":"x509","issuer":"iothub","acceptingIpFilterRule":null}"#
            }
            (AuthScope::Module, AuthType::X509) => {
                r#"{"scope":"module","type":"x509","issuer":"iothub","acceptingIpFilterRule":null}"#
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_auth_method_is_json_with_scope_and_type() {
        for (scope, scope_text) in
            [(AuthScope::Hub, "hub"), (AuthScope::Device, "device"), (AuthScope::Module, "module")]
        {
            for (kind, kind_text) in
                [(AuthType::SymmetricKey, "sas"), (AuthType::Sas, "sas"), (AuthType::X509, "x509")]
            {
                let value: serde_json::Value =
                    serde_json::from_str(AuthMethod { scope, kind }.json()).unwrap();
                assert_eq!(
                    value,
                    serde_json::json!({ "scope": scope_text, "type": kind_text, "issuer": "iothub",
                        "acceptingIpFilterRule": null })
                );
            }
        }
    }
}
