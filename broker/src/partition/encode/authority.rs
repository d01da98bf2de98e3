//! Certificate authorities.

use ironhub_cluster::storage::StorageError;
use ironhub_domain::auth::Authority;
use ironhub_domain::time::UnixMs;
use ironhub_proto as proto;
use prost::Message;

use super::damaged;

pub(crate) fn encode(authorities: &[Authority]) -> Vec<u8> {
    proto::AuthoritiesRecord { authorities: authorities.iter().map(to_proto).collect() }
        .encode_to_vec()
}

pub(crate) fn decode(bytes: &[u8]) -> Result<Vec<Authority>, StorageError> {
    let record =
        proto::AuthoritiesRecord::decode(bytes).map_err(|error| damaged("authorities", error))?;
    Ok(record.authorities.into_iter().map(from_proto).collect())
}

pub(super) fn to_proto(authority: &Authority) -> proto::AuthorityRecord {
    proto::AuthorityRecord {
        name: authority.name.clone(),
        certificate: authority.certificate.clone(),
        subject: authority.subject.clone(),
        thumbprint: authority.thumbprint.clone(),
        expires_ms: authority.expires.0,
        verified: authority.verified,
        etag: authority.etag.clone(),
        created_ms: authority.created.0,
        updated_ms: authority.updated.0,
    }
}

pub(super) fn from_proto(record: proto::AuthorityRecord) -> Authority {
    Authority {
        name: record.name,
        certificate: record.certificate,
        subject: record.subject,
        thumbprint: record.thumbprint,
        expires: UnixMs(record.expires_ms),
        verified: record.verified,
        etag: record.etag,
        created: UnixMs(record.created_ms),
        updated: UnixMs(record.updated_ms),
    }
}
