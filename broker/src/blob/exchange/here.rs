//! A container of this node: its files, and its tokens, which are looked at as for a client.

use std::sync::Arc;

use bytes::Bytes;
use ironhub_domain::time::UnixMs;

use super::url::ContainerUrl;
use crate::blob::checksum::Expected;
use crate::blob::conditions::Conditions;
use crate::blob::container::ContainerName;
use crate::blob::error::BlobError;
use crate::blob::filesystem::{NewBlob, containers};
use crate::blob::name::BlobName;
use crate::blob::query::Query;
use crate::blob::reading::Reading;
use crate::blob::sas::{Grant, Permission, Resource, SasError};
use crate::blob::service::BlobService;
use crate::blob::sink::Sink;

/// Content type of what the hub itself writes.
const CONTENT_TYPE: &str = "application/octet-stream";

pub(super) struct Container {
    service: Arc<BlobService>,
    name: ContainerName,
    token: Query,
}

impl Container {
    pub(super) fn open(
        service: &Arc<BlobService>,
        url: &ContainerUrl,
        now: UnixMs,
    ) -> Result<Self, BlobError> {
        let (name, token) = (url.container.clone(), Query::parse(&url.query));
        let container = Self { service: service.clone(), name, token };
        // Whatever it permits: that it is ours and has not expired.
        match container.grant(Permission::Look, now) {
            Ok(_) | Err(SasError::Permission) => Ok(container),
            Err(error) => Err(error.into()),
        }
    }

    fn grant(&self, needed: Permission, now: UnixMs) -> Result<Grant, SasError> {
        self.service.key.check(Resource::Container(&self.name), &self.token, needed, now)
    }

    pub(super) async fn read(&self, name: &BlobName, now: UnixMs) -> Result<Reader, BlobError> {
        self.grant(Permission::Read, now)?;
        let container = self.service.containers.get(&self.name)?;
        let place = self.service.own_transfer().await?;
        let (files, wanted) = (container.clone(), name.clone());
        let blob = self.service.blocking(move |_| Ok(files.store.read(&wanted)?)).await?;
        let blob = blob.ok_or(BlobError::NotFound)?;
        let all = 0..blob.bytes;
        let reading = Reading::new(container, name.clone(), blob.segments, all, place);
        Ok(Reader { bytes: blob.bytes, reading: Some(reading) })
    }

    pub(super) async fn write(&self, name: &BlobName, now: UnixMs) -> Result<Writer, BlobError> {
        let grant = self.grant(Permission::Write, now)?;
        let container = match self.service.containers.get(&self.name) {
            Err(BlobError::ContainerNotFound) => self.create(now).await?,
            found => found?,
        };
        let place = self.service.own_transfer().await?;
        let sink = Sink::begin(&self.service, &container, place, Expected::default(), 0).await?;
        Ok(Writer { container, name: name.clone(), sink, create_only: grant.create_only })
    }

    async fn create(&self, now: UnixMs) -> Result<Arc<containers::Container>, BlobError> {
        if self.grant(Permission::CreateContainer, now).is_err() {
            return Err(BlobError::ContainerNotFound);
        }
        let name = self.name.clone();
        let make = move |service: &BlobService| {
            match service.containers.create(&name, Default::default(), now) {
                // Somebody else made it meanwhile.
                Err(BlobError::ContainerExists) => service.containers.get(&name),
                outcome => outcome,
            }
        };
        self.service.blocking(make).await
    }

    pub(super) async fn delete(&self, name: &BlobName, now: UnixMs) -> Result<(), BlobError> {
        self.grant(Permission::Delete, now)?;
        let container = self.service.containers.get(&self.name)?;
        let (name, any) = (name.clone(), Conditions::default());
        self.service.blocking(move |_| container.store.delete(&name, &any)).await
    }
}

pub(super) struct Reader {
    bytes: u64,
    /// Gone after an error.
    reading: Option<Reading>,
}

impl Reader {
    pub(super) fn bytes(&self) -> u64 {
        self.bytes
    }

    pub(super) async fn next(&mut self) -> Result<Option<Bytes>, BlobError> {
        let reading = self.reading.take().ok_or(BlobError::Incomplete)?;
        let (piece, reading) = reading.next_off_thread().await?;
        self.reading = Some(reading);
        Ok(piece)
    }
}

pub(super) struct Writer {
    container: Arc<containers::Container>,
    name: BlobName,
    sink: Sink,
    create_only: bool,
}

impl Writer {
    pub(super) async fn write(&mut self, data: &[u8]) -> Result<(), BlobError> {
        self.sink.write(data).await
    }

    pub(super) async fn finish(self, now: UnixMs) -> Result<(), BlobError> {
        let conditions = Conditions::of_token(self.create_only);
        let headers = [("content-type".to_owned(), CONTENT_TYPE.to_owned())].into();
        let new = NewBlob { headers, md5: None, conditions };
        self.sink.store(&self.container, &self.name, new, now).await?;
        Ok(())
    }
}
