//! What a request asks for, by its method and the parameters `comp` and `restype`.

use hyper::Method;

use crate::blob::error::BlobError;
use crate::blob::query::Query;
use crate::blob::sas::Permission;

/// An operation of the protocol.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Operation {
    PutBlob,
    PutBlock,
    PutBlockList,
    SetMetadata,
    SetProperties,
    GetBlob,
    GetProperties,
    GetBlockList,
    DeleteBlob,
    CreateContainer,
    GetContainer,
    SetContainerMetadata,
    DeleteContainer,
    ListBlobs,
    ListContainers,
}

impl Operation {
    /// Reads method and query. What would be another operation in Azure (a lease, a snapshot, tags) is refused, not taken for one
    /// that is known.
    pub(super) fn of(method: &Method, query: &Query) -> Result<Self, BlobError> {
        // An older state of a blob.
        if let Some(key) = ["snapshot", "versionid"].iter().find(|key| query.has(key)) {
            return Err(BlobError::QueryValue(key));
        }
        let one = |key: &'static str| {
            let value = query.only(key).map(str::to_ascii_lowercase);
            if value.is_none() && query.has(key) {
                Err(BlobError::QueryValue(key))
            } else {
                Ok(value)
            }
        };
        let (restype, comp) = (one("restype")?, one("comp")?);
        let found = match (method.as_str(), restype.as_deref(), comp.as_deref()) {
            ("PUT", None, None) => Self::PutBlob,
            ("PUT", None, Some("block")) => Self::PutBlock,
            ("PUT", None, Some("blocklist")) => Self::PutBlockList,
            ("PUT", None, Some("metadata")) => Self::SetMetadata,
            ("PUT", None, Some("properties")) => Self::SetProperties,
            ("GET", None, None) => Self::GetBlob,
            ("GET", None, Some("blocklist")) => Self::GetBlockList,
            ("HEAD", None, None) | ("GET" | "HEAD", None, Some("metadata")) => Self::GetProperties,
            ("DELETE", None, None) => Self::DeleteBlob,
            ("GET", None, Some("list")) => Self::ListContainers,
            ("PUT", Some("container"), None) => Self::CreateContainer,
            ("PUT", Some("container"), Some("metadata")) => Self::SetContainerMetadata,
            ("GET" | "HEAD", Some("container"), None | Some("metadata")) => Self::GetContainer,
            ("GET", Some("container"), Some("list")) => Self::ListBlobs,
            ("DELETE", Some("container"), None) => Self::DeleteContainer,
            ("PUT" | "GET" | "HEAD" | "DELETE", Some("container") | None, _) => {
                return Err(BlobError::QueryValue("comp"));
            }
            ("PUT" | "GET" | "HEAD" | "DELETE", Some(_), _) => {
                return Err(BlobError::QueryValue("restype"));
            }
            _ => return Err(BlobError::Unsupported),
        };
        Ok(found)
    }

    /// What a token must permit.
    pub(super) fn permission(self) -> Permission {
        match self {
            Self::PutBlob
            | Self::PutBlock
            | Self::PutBlockList
            | Self::SetMetadata
            | Self::SetProperties => Permission::Write,
            Self::GetBlob | Self::GetProperties | Self::GetBlockList => Permission::Read,
            Self::DeleteBlob => Permission::Delete,
            Self::CreateContainer => Permission::CreateContainer,
            Self::GetContainer => Permission::Look,
            Self::SetContainerMetadata => Permission::WriteContainer,
            Self::DeleteContainer => Permission::DeleteContainer,
            Self::ListBlobs | Self::ListContainers => Permission::List,
        }
    }

    /// Whether the path names a blob.
    pub(super) fn of_blob(self) -> bool {
        match self {
            Self::PutBlob
            | Self::PutBlock
            | Self::PutBlockList
            | Self::SetMetadata
            | Self::SetProperties
            | Self::GetBlob
            | Self::GetProperties
            | Self::GetBlockList
            | Self::DeleteBlob => true,
            Self::CreateContainer
            | Self::GetContainer
            | Self::SetContainerMetadata
            | Self::DeleteContainer
            | Self::ListBlobs
            | Self::ListContainers => false,
        }
    }

    /// Its name among the metrics.
    pub(super) fn label(self) -> &'static str {
        match self {
            Self::PutBlob => "put_blob",
            Self::PutBlock => "put_block",
            Self::PutBlockList => "put_block_list",
            Self::SetMetadata => "set_blob_metadata",
            Self::SetProperties => "set_blob_properties",
            Self::GetBlob => "get_blob",
            Self::GetProperties => "get_blob_properties",
            Self::GetBlockList => "get_block_list",
            Self::DeleteBlob => "delete_blob",
            Self::CreateContainer => "create_container",
            Self::GetContainer => "get_container_properties",
            Self::SetContainerMetadata => "set_container_metadata",
            Self::DeleteContainer => "delete_container",
            Self::ListBlobs => "list_blobs",
            Self::ListContainers => "list_containers",
        }
    }
}
