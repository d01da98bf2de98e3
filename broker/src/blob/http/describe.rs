//! Set Blob Metadata, Set Blob Properties.

use std::sync::Arc;

use hyper::StatusCode;

use super::upload::{changed, conditions};
use super::{BlobCall, Reply, headers};
use crate::blob::error::BlobError;
use crate::blob::filesystem::describe::Change;
use crate::blob::service::BlobService;

/// `PUT {blob}?comp=metadata`: all metadata anew.
pub(super) async fn set_metadata(
    call: &BlobCall,
    service: &Arc<BlobService>,
) -> Result<Reply, BlobError> {
    let metadata = headers::metadata(&call.head.headers)?;
    describe(call, Change::Metadata(metadata), service).await
}

/// `PUT {blob}?comp=properties`: content type and its like anew, all of them.
pub(super) async fn set_properties(
    call: &BlobCall,
    service: &Arc<BlobService>,
) -> Result<Reply, BlobError> {
    let asked = &call.head.headers;
    let md5 = headers::text(asked, "x-ms-blob-content-md5")?.map(str::to_owned);
    describe(call, Change::Properties(headers::properties(asked)?, md5), service).await
}

async fn describe(
    call: &BlobCall,
    change: Change,
    service: &Arc<BlobService>,
) -> Result<Reply, BlobError> {
    headers::check_refused(&call.head.headers)?;
    // A blob that is there cannot be described by who may only create blobs.
    let (container, name, conditions) =
        (call.container.clone(), call.name.clone(), conditions(call));
    let now = call.now();
    let blob = service
        .blocking(move |_| container.store.describe(&name, change, &conditions, now))
        .await?;
    Ok(changed(StatusCode::OK, &blob.etag, blob.modified))
}
