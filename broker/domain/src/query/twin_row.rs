//! The row of a device or module in `devices` and `devices.modules`: what a service sees of its twin
//! (service-protocols.md 2.6), looked up part by part.

use serde_json::{Value, json};

use super::datum::Datum;
use super::evaluate::Row;
use super::expression::Step;
use super::walk::walk_members;
use crate::configuration::Assigned;
use crate::device::{Authentication, DeviceStatus, Thumbprints};
use crate::time::UnixMs;
use crate::twin::{Metadata, Section, Twin};

/// What of a row is not the twin's but the identity's, its connection's or its queue's.
#[derive(Clone, Debug)]
pub struct IdentityFacts<'a> {
    /// `deviceId`
    pub device: &'a str,
    /// `moduleId`; a device has none.
    pub module: Option<&'a str>,
    /// `status`; a module's is its device's.
    pub status: DeviceStatus,
    /// `statusReason`
    pub status_reason: Option<&'a str>,
    /// `statusUpdateTime`
    pub status_updated: Option<UnixMs>,
    /// `connectionState`: `Connected` or `Disconnected`.
    pub connected: bool,
    /// `connectionStateUpdatedTime`
    pub connection_updated: Option<UnixMs>,
    /// `lastActivityTime`
    pub last_activity: Option<UnixMs>,
    /// `cloudToDeviceMessageCount`
    pub c2d_count: u64,
    /// `authenticationType` and `x509Thumbprint`
    pub authentication: &'a Authentication,
    /// `capabilities.iotEdge`
    pub iot_edge: bool,
    /// `deviceEtag`: the identity's ETag.
    pub etag: &'a str,
    /// `modelId`; empty if none was announced.
    pub model_id: Option<&'a str>,
    /// `deviceScope`; undefined if there is none.
    pub device_scope: Option<&'a str>,
    /// `parentScopes`; undefined if there are none.
    pub parent_scopes: &'a [String],
}

/// One row. Times are texts as results show them ([`UnixMs::registry_time`]), so they compare as texts do.
#[derive(Clone, Debug)]
pub struct TwinRow<'a> {
    /// The identity's part.
    pub identity: IdentityFacts<'a>,
    /// The twin.
    pub twin: &'a Twin,
    /// `configurations`; `None` if there are none.
    pub configurations: Option<&'a Assigned>,
}

impl Row for TwinRow<'_> {
    fn value(&self, path: &[Step]) -> Option<Datum<'_>> {
        let (Step::Name(name), rest) = path.split_first()? else { return None };
        match (name.as_str(), rest) {
            ("tags", rest) => walk_members(&self.twin.tags, rest),
            ("properties", rest) => self.properties(rest),
            ("configurations", rest) => self.configuration(rest),
            ("capabilities", []) => Some(json!({ "iotEdge": self.identity.iot_edge }).into()),
            ("capabilities", [Step::Name(name)]) if name == "iotEdge" => {
                Some(Datum::Bool(self.identity.iot_edge))
            }
            ("x509Thumbprint", rest) => self.thumbprint(rest),
            ("parentScopes", rest) => self.parents(rest),
            (name, []) => self.scalar(name),
            _ => None,
        }
    }
}

impl TwinRow<'_> {
    fn scalar(&self, name: &str) -> Option<Datum<'_>> {
        let identity = &self.identity;
        let time = |time: Option<UnixMs>| Datum::owned(time.unwrap_or_default().registry_time());
        Some(match name {
            "deviceId" => Datum::text(identity.device),
            "moduleId" => Datum::text(identity.module?),
            "status" => Datum::text(identity.status.as_str()),
            "statusReason" => identity.status_reason.map_or(Datum::Null, Datum::text),
            // The twin's name of it, and the identity's, by which Azure IoT Explorer asks.
            "statusUpdateTime" | "statusUpdatedTime" => time(identity.status_updated),
            "connectionState" => {
                Datum::text(if identity.connected { "Connected" } else { "Disconnected" })
            }
            "connectionStateUpdatedTime" => time(identity.connection_updated),
            "lastActivityTime" => time(identity.last_activity),
            "cloudToDeviceMessageCount" => Datum::Number(identity.c2d_count.into()),
            "authenticationType" => Datum::text(identity.authentication.type_name()),
            "etag" => Datum::owned(self.twin.etag()),
            "deviceEtag" => Datum::text(identity.etag),
            "version" => Datum::Number(self.twin.version.into()),
            "modelId" => Datum::text(identity.model_id.unwrap_or_default()),
            "deviceScope" => Datum::text(identity.device_scope?),
            _ => return None,
        })
    }

    fn thumbprint(&self, path: &[Step]) -> Option<Datum<'_>> {
        const NONE: &Thumbprints = &Thumbprints { primary: None, secondary: None };
        let thumbprints = match self.identity.authentication {
            Authentication::SelfSigned(thumbprints) => thumbprints,
            Authentication::Sas(_)
            | Authentication::CertificateAuthority
            | Authentication::None => NONE,
        };
        let shown =
            |thumbprint: &Option<String>| thumbprint.clone().map_or(Value::Null, Into::into);
        match path {
            [] => Some(
                json!({
                    "primaryThumbprint": thumbprints.primary,
                    "secondaryThumbprint": thumbprints.secondary,
                })
                .into(),
            ),
            [Step::Name(name)] if name == "primaryThumbprint" => {
                Some(shown(&thumbprints.primary).into())
            }
            [Step::Name(name)] if name == "secondaryThumbprint" => {
                Some(shown(&thumbprints.secondary).into())
            }
            _ => None,
        }
    }

    fn parents(&self, path: &[Step]) -> Option<Datum<'_>> {
        let scopes = self.identity.parent_scopes;
        match path {
            [] => (!scopes.is_empty()).then(|| json!(scopes).into()),
            [Step::Index(at)] => scopes.get(*at).map(|scope| Datum::text(scope)),
            _ => None,
        }
    }

    fn properties(&self, path: &[Step]) -> Option<Datum<'_>> {
        let Some((Step::Name(name), rest)) = path.split_first() else {
            let whole = self.twin.service_view().remove("properties");
            return whole.filter(|_| path.is_empty()).map(Datum::from);
        };
        match name.as_str() {
            "desired" => section(&self.twin.desired, rest),
            "reported" => section(&self.twin.reported, rest),
            _ => None,
        }
    }

    fn configuration(&self, path: &[Step]) -> Option<Datum<'_>> {
        let all = self.configurations?;
        match path {
            [] => Some(all.json().into()),
            [Step::Name(id)] => Some(json!({ "status": all.status(id)?.as_str() }).into()),
            [Step::Name(id), Step::Name(name)] if name.eq_ignore_ascii_case("status") => {
                all.status(id).map(|status| Datum::text(status.as_str()))
            }
            _ => None,
        }
    }
}

fn section<'a>(section: &'a Section, path: &[Step]) -> Option<Datum<'a>> {
    match path {
        [] => {
            let mut whole = section.values.clone();
            whole.insert("$version".into(), section.version.into());
            whole.insert("$metadata".into(), section.metadata.to_json().into());
            Some(Value::Object(whole).into())
        }
        [Step::Name(name)] if name == "$version" => Some(Datum::Number(section.version.into())),
        [Step::Name(name), rest @ ..] if name == "$metadata" => metadata(&section.metadata, rest),
        path => walk_members(&section.values, path),
    }
}

fn metadata<'a>(of: &'a Metadata, path: &[Step]) -> Option<Datum<'a>> {
    match path {
        [] => Some(Value::Object(of.to_json()).into()),
        [Step::Name(name)] if name == "$lastUpdated" => {
            Some(Datum::owned(of.stamp.updated.iso8601()))
        }
        [Step::Name(name)] if name == "$lastUpdatedVersion" => {
            of.stamp.version.map(|version| Datum::Number(version.into()))
        }
        [Step::Name(name), rest @ ..] => metadata(of.members.get(name)?, rest),
        [Step::Index(_), ..] => None,
    }
}
