//! Everything that keeps a blob from being stored or read.

use std::io;

use super::blocks::{ID_BYTES_MAX, ListError, PENDING_BLOCKS_MAX};
use super::checksum::Mismatch;
use super::filesystem::containers::CONTAINERS_MAX;
use super::name::NameError;
use super::sas::SasError;

/// Why a call of the storage failed. The text is for the client; [`BlobError::Io`] and [`BlobError::Remote`] are for the
/// log, too.
#[derive(Debug, thiserror::Error)]
pub enum BlobError {
    /// Not a name.
    #[error("{0}")]
    Name(#[from] NameError),
    /// Not permitted.
    #[error("{0}")]
    Sas(#[from] SasError),
    /// A header that the operation needs is missing.
    #[error("the header {0} is missing")]
    HeaderMissing(&'static str),
    /// A header has a value that it cannot have.
    #[error("the header {0} has a value that is not supported")]
    HeaderValue(String),
    /// A parameter of the query has a value that it cannot have.
    #[error("the query parameter {0} has a value that is not supported")]
    QueryValue(&'static str),
    /// The operation is none of this surface.
    #[error("this operation is not supported")]
    Unsupported,
    /// There is no such blob.
    #[error("the blob does not exist")]
    NotFound,
    /// The blob was to be created, and is there.
    #[error("the blob already exists")]
    AlreadyExists,
    /// Not the name of a container.
    #[error(
        "a container's name has 3 to 63 lower-case letters, digits and single hyphens between them"
    )]
    ContainerName,
    /// There is no such container.
    #[error("the container does not exist")]
    ContainerNotFound,
    /// The container was to be created, and is there.
    #[error("the container already exists")]
    ContainerExists,
    /// What would be done to this container only the hub itself may do.
    #[error("the container of uploads belongs to the hub")]
    ContainerOfHub,
    /// The hub holds as many as it can.
    #[error("a hub has at most {CONTAINERS_MAX} containers")]
    TooManyContainers,
    /// Not the URL of a container with a signature.
    #[error("the container's URL {0}")]
    ContainerUrl(&'static str),
    /// A line of a blob that is read line by line.
    #[error("a line of the blob has more than {max} bytes, or is not UTF-8")]
    Line {
        /// Limit.
        max: usize,
    },
    /// `x-ms-meta-` with nothing behind it.
    #[error("the name of a metadata item is empty")]
    EmptyMetadataName,
    /// A condition of the request does not hold.
    #[error("a condition of the request is not met")]
    ConditionNotMet,
    /// A reader has the blob already.
    #[error("the blob was not modified")]
    NotModified,
    /// The range begins behind the end.
    #[error("the range begins behind the last byte of the blob")]
    Range {
        /// Bytes of the blob.
        size: u64,
    },
    /// Not a list of blocks.
    #[error("{0}")]
    BlockList(#[from] ListError),
    /// The list names a block that is not there.
    #[error("the block list names a block that was not sent")]
    UnknownBlock,
    /// Not the id of a block, or not one beside those that wait.
    #[error("block ids are base64 of 1 to {ID_BYTES_MAX} bytes, all of a blob of the same length")]
    BlockId,
    /// More blocks wait than one list could name.
    #[error("at most {PENDING_BLOCKS_MAX} blocks of a blob may wait for their list")]
    TooManyBlocks,
    /// More bytes than one request may carry.
    #[error("the body has more than {max} bytes")]
    TooLarge {
        /// Limit.
        max: u64,
    },
    /// The body ended before its announced length, or its framing broke.
    #[error("the body ended before its announced length")]
    Incomplete,
    /// The body came too slowly.
    #[error("the body did not arrive in time")]
    TooSlow,
    /// The body is not what its sender said.
    #[error("{0}")]
    Checksum(#[from] Mismatch),
    /// The disk has no room for it.
    #[error("there is not enough disk space")]
    Full,
    /// Too many transfers at once; later it may work.
    #[error("too many transfers at a time")]
    Busy,
    /// The disk failed.
    #[error("storage failed: {0}")]
    Io(io::Error),
    /// The configured storage answered something that it should not.
    #[error("the storage refused or failed: {0}")]
    Remote(String),
}

impl From<io::Error> for BlobError {
    fn from(error: io::Error) -> Self {
        match error.kind() {
            io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded => Self::Full,
            _ => Self::Io(error),
        }
    }
}
