//! Reads a request body within a size and a time.

use std::pin::Pin;
use std::time::Duration;

use bytes::{Bytes, BytesMut};
use http_body_util::BodyExt;
use hyper::body::Body;
use tokio::time::timeout;

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

/// Most bytes of a refused request that are taken in and thrown away, so that its sender gets to read why.
const DISCARD_BYTES_MAX: usize = 16 * 1024 * 1024;
/// How long that may take.
const DISCARD_TIME_MAX: Duration = Duration::from_secs(5);

/// The whole body, if it is at most `max` bytes and arrives within [`BODY_TIME_MAX`]. An announced length over the
/// limit is refused before a byte is read; memory grows only with bytes received.
pub async fn read<B>(body: Pin<&mut B>, max: usize) -> Result<Bytes, BodyError>
where
    B: Body<Data = Bytes>,
{
    if body.size_hint().lower() > max as u64 {
        return Err(BodyError::TooLarge { max });
    }
    let mut whole = BytesMut::new();
    timeout(BODY_TIME_MAX, take(body, max, |data| whole.extend_from_slice(&data)))
        .await
        .map_err(|_| BodyError::TooSlow)??;
    Ok(whole.freeze())
}

/// Throws away what is left of a refused request's body. A client that is still sending when its connection is closed
/// never reads the answer, only that the connection broke. What is announced to be long is not waited for.
pub async fn discard<B>(body: Pin<&mut B>)
where
    B: Body<Data = Bytes>,
{
    if !body.is_end_stream() && body.size_hint().lower() <= DISCARD_BYTES_MAX as u64 {
        // Whether it came to its end is all the same: the answer is sent now.
        let _ = timeout(DISCARD_TIME_MAX, take(body, DISCARD_BYTES_MAX, drop)).await;
    }
}

async fn take<B: Body<Data = Bytes>>(
    mut body: Pin<&mut B>,
    max: usize,
    mut consume: impl FnMut(Bytes),
) -> Result<(), BodyError> {
    let mut taken = 0;
    while let Some(frame) = body.frame().await {
        let frame = frame.map_err(|_| BodyError::Broken)?;
        // Trailers carry nothing the protocol knows.
        let Ok(data) = frame.into_data() else { continue };
        taken += data.len();
        if taken > max {
            return Err(BodyError::TooLarge { max });
        }
        consume(data);
    }
    Ok(())
}
