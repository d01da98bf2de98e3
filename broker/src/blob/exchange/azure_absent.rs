//! In the place of `azure.rs` in a program that was built without the feature `cloud-storage`.

use bytes::Bytes;

use super::url::ContainerUrl;
use crate::blob::error::BlobError;
use crate::blob::name::BlobName;

/// A container elsewhere; this program knows none.
pub(super) enum Container {}

impl Container {
    pub(super) fn open(_: &ContainerUrl, _: Option<&[u8]>) -> Result<Self, BlobError> {
        Err(BlobError::Remote(
            "this program reads and writes its own containers only; build it with --features cloud-storage".into(),
        ))
    }

    pub(super) async fn read(&self, _: &BlobName) -> Result<Reader, BlobError> {
        match *self {}
    }

    pub(super) fn write(&self, _: &BlobName) -> Result<Writer, BlobError> {
        match *self {}
    }

    pub(super) async fn delete(&self, _: &BlobName) -> Result<(), BlobError> {
        match *self {}
    }
}

pub(super) enum Reader {}

impl Reader {
    pub(super) fn bytes(&self) -> u64 {
        match *self {}
    }

    pub(super) async fn next(&mut self) -> Result<Option<Bytes>, BlobError> {
        match *self {}
    }
}

pub(super) enum Writer {}

impl Writer {
    pub(super) async fn write(&mut self, _: &[u8]) -> Result<(), BlobError> {
        match *self {}
    }

    pub(super) async fn finish(self) -> Result<(), BlobError> {
        match self {}
    }
}
