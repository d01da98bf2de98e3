//! Reads a request body within a size and a time.

use std::time::Duration;

use bytes::{Bytes, BytesMut};
use http_body_util::BodyExt;
use hyper::body::Body;

/// Largest JSON body of a registry call. One device with the longest fields is under 8 KB; the rest is room for
/// what callers put beside it (they send whole documents back, unknown fields included).
pub const JSON_BODY_BYTES_MAX: usize = 64 * 1024;

/// A body that is not complete after this is given up. Bounds what a slow sender can hold.
pub const BODY_TIME_MAX: Duration = Duration::from_secs(30);

/// Why a body could not be had.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum BodyError {
    /// More bytes than allowed, or announced to be.
    #[error("the request body has more than {max} bytes")]
    TooLarge {
        /// Limit.
        max: usize,
    },
    /// Not complete in time.
    #[error("the request body did not arrive within {} seconds", BODY_TIME_MAX.as_secs())]
    TooSlow,
    /// The connection ended or the framing broke before the announced end.
    #[error("the request body ended before its announced length")]
    Broken,
}

/// The whole body, if it is at most `max` bytes and arrives within [`BODY_TIME_MAX`]. An announced length over the
/// limit is refused before a byte is read; memory grows only with bytes received.
pub async fn read<B>(body: B, max: usize) -> Result<Bytes, BodyError>
where
    B: Body<Data = Bytes>,
{
    if body.size_hint().lower() > max as u64 {
        return Err(BodyError::TooLarge { max });
    }
    tokio::time::timeout(BODY_TIME_MAX, collect(body, max)).await.map_err(|_| BodyError::TooSlow)?
}

async fn collect<B: Body<Data = Bytes>>(body: B, max: usize) -> Result<Bytes, BodyError> {
    let mut body = std::pin::pin!(body);
    let mut whole = BytesMut::new();
    while let Some(frame) = body.frame().await {
        let frame = frame.map_err(|_| BodyError::Broken)?;
        // Trailers carry nothing the protocol knows.
        let Ok(data) = frame.into_data() else { continue };
        if whole.len() + data.len() > max {
            return Err(BodyError::TooLarge { max });
        }
        whole.extend_from_slice(&data);
    }
    Ok(whole.freeze())
}
