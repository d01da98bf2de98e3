//! Takes a body in: to disk in pieces, or a short one into memory; within sizes and times.

use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use http_body_util::BodyExt;
use hyper::body::{Body, Frame};
use tokio::time::{Instant, timeout, timeout_at};

use crate::blob::checksum::{Checksums, Expected};
use crate::blob::error::BlobError;
use crate::blob::filesystem::containers::Container;
use crate::blob::service::BlobService;
use crate::blob::sink::Sink;

/// A sender has this long for the next [`PROGRESS_BYTES`] of its body, or for its end.
pub const PROGRESS_TIME: Duration = Duration::from_secs(30);
/// Slower than one KiB per second is too slow: a slow radio link is faster, and a place among the transfers is for
/// who makes progress.
pub const PROGRESS_BYTES: usize = 32 * 1024;
/// A body that goes to memory must be complete after this.
const SHORT_BODY_TIME_MAX: Duration = Duration::from_secs(60);

/// Most bytes of a refused request that are taken in and thrown away, so that its sender gets to read why.
const DISCARD_BYTES_MAX: u64 = 1024 * 1024;
/// How long that may take.
const DISCARD_TIME_MAX: Duration = Duration::from_secs(5);

/// Streams a body of at most `max` bytes to a file of its own. Whatever ends this early, a dropped connection included,
/// leaves nothing on disk.
pub(super) async fn to_disk<B>(
    mut body: Pin<&mut B>,
    max: u64,
    expected: Expected,
    service: &Arc<BlobService>,
    container: &Arc<Container>,
) -> Result<Sink, BlobError>
where
    B: Body<Data = Bytes>,
{
    let announced = body.size_hint().lower();
    if announced > max {
        return Err(BlobError::TooLarge { max });
    }
    let place = service.transfer()?;
    let mut sink = Sink::begin(service, container, place, expected, announced).await?;
    let mut deadline = Instant::now() + PROGRESS_TIME;
    let (mut taken, mut progress) = (0u64, 0);
    loop {
        let frame = timeout_at(deadline, body.frame()).await.map_err(|_| BlobError::TooSlow)?;
        let Some(frame) = frame else { break };
        let Some(data) = data(frame)? else { continue };
        taken += data.len() as u64;
        if taken > max {
            return Err(BlobError::TooLarge { max });
        }
        progress += data.len();
        if progress >= PROGRESS_BYTES {
            progress = 0;
            deadline = Instant::now() + PROGRESS_TIME;
        }
        sink.write(&data).await?;
    }
    Ok(sink)
}

/// A body of at most `max` bytes in memory, which grows only with bytes received.
pub(super) async fn to_memory<B>(
    mut body: Pin<&mut B>,
    max: usize,
    expected: Expected,
) -> Result<Vec<u8>, BlobError>
where
    B: Body<Data = Bytes>,
{
    let too_large = || BlobError::TooLarge { max: max as u64 };
    if body.size_hint().lower() > max as u64 {
        return Err(too_large());
    }
    let mut sums = Checksums::new(expected);
    let mut whole = Vec::new();
    let all = async {
        while let Some(frame) = body.frame().await {
            let Some(data) = data(frame)? else { continue };
            if whole.len() + data.len() > max {
                return Err(too_large());
            }
            sums.update(&data);
            whole.extend_from_slice(&data);
        }
        Ok(())
    };
    timeout(SHORT_BODY_TIME_MAX, all).await.map_err(|_| BlobError::TooSlow)??;
    sums.finish()?;
    Ok(whole)
}

/// Throws away what is left of a refused request's body. A client that is still sending when its connection is closed
/// never reads the answer, only that the connection broke. What is announced to be long is not waited for.
pub(super) async fn discard<B>(mut body: Pin<&mut B>)
where
    B: Body<Data = Bytes>,
{
    if body.is_end_stream() || body.size_hint().lower() > DISCARD_BYTES_MAX {
        return;
    }
    let mut taken = 0;
    let all = async {
        while let Some(Ok(frame)) = body.frame().await {
            taken += frame.data_ref().map_or(0, |data| data.len() as u64);
            if taken > DISCARD_BYTES_MAX {
                return;
            }
        }
    };
    // Whether it came to its end is all the same: the answer is sent now.
    let _ = timeout(DISCARD_TIME_MAX, all).await;
}

/// The bytes of a frame; none in trailers, which carry nothing the protocol knows.
fn data<E>(frame: Result<Frame<Bytes>, E>) -> Result<Option<Bytes>, BlobError> {
    let frame = frame.map_err(|_| BlobError::Incomplete)?;
    Ok(frame.into_data().ok())
}
