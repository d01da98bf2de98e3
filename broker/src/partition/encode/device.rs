//! Identities.

use ironhub_cluster::storage::StorageError;
use ironhub_domain::HubError;
use ironhub_domain::auth::SymmetricKeys;
use ironhub_domain::device::{Authentication, DeviceIdentity, DeviceStatus, Thumbprints};
use ironhub_domain::ids::DeviceId;
use ironhub_domain::registry::AuthenticationRequest;
use ironhub_domain::time::UnixMs;
use ironhub_proto as proto;
use ironhub_proto::authentication::Kind;
use prost::Message;

use super::command::unreadable;
use super::damaged;

pub(crate) fn encode(device: &DeviceIdentity) -> Vec<u8> {
    proto::DeviceRecord {
        device_id: device.id.as_str().to_owned(),
        generation: device.generation.clone(),
        etag: device.etag.clone(),
        disabled: device.status == DeviceStatus::Disabled,
        status_reason: device.status_reason.clone(),
        status_updated_ms: device.status_updated.map(|time| time.0),
        authentication: Some(authentication_to_proto(&device.authentication)),
        iot_edge: device.iot_edge,
        device_scope: device.device_scope.clone(),
        parent_scopes: device.parent_scopes.clone(),
        created_ms: device.created.0,
    }
    .encode_to_vec()
}

pub(crate) fn decode(bytes: &[u8]) -> Result<DeviceIdentity, StorageError> {
    let record = proto::DeviceRecord::decode(bytes).map_err(|error| damaged("identity", error))?;
    Ok(DeviceIdentity {
        id: DeviceId::new(&record.device_id).map_err(|error| damaged("identity", error))?,
        generation: record.generation,
        etag: record.etag,
        status: status_from_proto(record.disabled),
        status_reason: record.status_reason,
        status_updated: record.status_updated_ms.map(UnixMs),
        authentication: authentication_from_proto(record.authentication)
            .ok_or_else(|| damaged("identity", "no authentication"))?,
        iot_edge: record.iot_edge,
        device_scope: record.device_scope,
        parent_scopes: record.parent_scopes,
        created: UnixMs(record.created_ms),
    })
}

pub(super) fn authentication_to_proto(authentication: &Authentication) -> proto::Authentication {
    let kind = match authentication {
        Authentication::Sas(keys) => Kind::Sas(keys_to_proto(keys)),
        Authentication::SelfSigned(thumbprints) => {
            Kind::SelfSigned(thumbprints_to_proto(thumbprints))
        }
        Authentication::CertificateAuthority => Kind::CertificateAuthority(proto::NoCredentials {}),
        Authentication::None => Kind::None(proto::NoCredentials {}),
    };
    proto::Authentication { kind: Some(kind) }
}

/// `None` if it says nothing, or what only later versions know.
pub(super) fn authentication_from_proto(
    authentication: Option<proto::Authentication>,
) -> Option<Authentication> {
    Some(match authentication?.kind? {
        Kind::Sas(keys) => Authentication::Sas(keys_from_proto(keys)),
        Kind::SelfSigned(thumbprints) => {
            Authentication::SelfSigned(thumbprints_from_proto(thumbprints))
        }
        Kind::CertificateAuthority(proto::NoCredentials {}) => Authentication::CertificateAuthority,
        Kind::None(proto::NoCredentials {}) => Authentication::None,
    })
}

pub(super) fn status_from_proto(disabled: bool) -> DeviceStatus {
    if disabled { DeviceStatus::Disabled } else { DeviceStatus::Enabled }
}

pub(super) fn keys_to_proto(keys: &SymmetricKeys) -> proto::SymmetricKeys {
    proto::SymmetricKeys { primary: keys.primary.clone(), secondary: keys.secondary.clone() }
}

pub(super) fn keys_from_proto(keys: proto::SymmetricKeys) -> SymmetricKeys {
    SymmetricKeys { primary: keys.primary, secondary: keys.secondary }
}

pub(super) fn thumbprints_to_proto(thumbprints: &Thumbprints) -> proto::Thumbprints {
    proto::Thumbprints {
        primary: thumbprints.primary.clone(),
        secondary: thumbprints.secondary.clone(),
    }
}

pub(super) fn thumbprints_from_proto(thumbprints: proto::Thumbprints) -> Thumbprints {
    Thumbprints { primary: thumbprints.primary, secondary: thumbprints.secondary }
}

pub(super) fn request_to_proto(request: &AuthenticationRequest) -> proto::Authentication {
    let kind = match request {
        AuthenticationRequest::Sas(keys) => Kind::Sas(keys_to_proto(keys)),
        AuthenticationRequest::SelfSigned(thumbprints) => {
            Kind::SelfSigned(thumbprints_to_proto(thumbprints))
        }
        AuthenticationRequest::CertificateAuthority => {
            Kind::CertificateAuthority(proto::NoCredentials {})
        }
        AuthenticationRequest::None => Kind::None(proto::NoCredentials {}),
    };
    proto::Authentication { kind: Some(kind) }
}

pub(super) fn request_from_proto(
    request: Option<proto::Authentication>,
) -> Result<AuthenticationRequest, HubError> {
    match request.and_then(|request| request.kind) {
        Some(Kind::Sas(keys)) => Ok(AuthenticationRequest::Sas(keys_from_proto(keys))),
        Some(Kind::SelfSigned(thumbprints)) => {
            Ok(AuthenticationRequest::SelfSigned(thumbprints_from_proto(thumbprints)))
        }
        Some(Kind::CertificateAuthority(proto::NoCredentials {})) => {
            Ok(AuthenticationRequest::CertificateAuthority)
        }
        Some(Kind::None(proto::NoCredentials {})) => Ok(AuthenticationRequest::None),
        None => Err(unreadable("unknown authentication")),
    }
}
