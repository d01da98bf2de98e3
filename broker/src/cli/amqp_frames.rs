//! AMQP frames over a connection: what a client reads and writes, one after the other.

use std::io;
use std::time::Duration;

use bytes::{Bytes, BytesMut};
use ironhub_wire::amqp::Error;
use ironhub_wire::amqp::frame::{
    AMQP_HEADER, Frame, FrameKind, SASL_HEADER, next_frame, put_frame,
};
use ironhub_wire::amqp::performative::Performative;
use ironhub_wire::amqp::sasl::{SaslCode, SaslFrame};
use ironhub_wire::amqp::{DecodeError, Symbol};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::time::timeout;

use crate::cli::CommandError;
use crate::client::{Address, ClientError, Stream, Trust, tls};

/// Largest frame we take: an event of the largest size comes in one.
pub(super) const FRAME_BYTES_MAX: u32 = 1024 * 1024;
/// How long an answer may take.
pub(super) const ANSWER_TIME_MAX: Duration = Duration::from_secs(30);

/// A connection behind its headers.
pub(super) struct Frames {
    stream: Box<dyn Stream>,
    input: BytesMut,
    address: String,
}

/// A performative, the channel it came on, and what stood behind it.
pub(super) type Read = (u16, Performative, Bytes);

impl Frames {
    /// Connects over TLS, and passes SASL without proof: a token follows.
    pub(super) async fn connect(address: &Address, trust: &Trust) -> Result<Self, CommandError> {
        let stream = tls::connect(address, trust, &[]).await?;
        Self::open(Box::new(stream), &address.connect_to).await
    }

    /// The same over a connection that there is, to `address`.
    pub(super) async fn open(stream: Box<dyn Stream>, address: &str) -> Result<Self, CommandError> {
        let mut frames = Self { stream, input: BytesMut::new(), address: address.to_owned() };
        let mut out = BytesMut::from(&SASL_HEADER[..]);
        let init = SaslFrame::Init {
            mechanism: Symbol::from_static("ANONYMOUS"),
            initial_response: None,
            hostname: None,
        };
        put_frame(&mut out, FrameKind::Sasl, 0, |out| init.encode(out));
        frames.write(&out).await?;
        frames.header(SASL_HEADER).await?;
        loop {
            let frame = frames.answer().await?;
            match SaslFrame::decode(&frame.body).map_err(|error| frames.bad(&error))? {
                SaslFrame::Outcome { code: SaslCode::Ok, .. } => break,
                SaslFrame::Mechanisms(_) => {}
                _ => return Err(frames.strange("it refuses clients that bring their token later")),
            }
        }
        frames.write(&AMQP_HEADER).await?;
        frames.header(AMQP_HEADER).await?;
        Ok(frames)
    }

    /// Writes one performative and what stands behind it.
    pub(super) async fn send(
        &mut self,
        channel: u16,
        performative: &Performative,
        payload: &[u8],
    ) -> Result<(), CommandError> {
        let mut out = BytesMut::new();
        put_frame(&mut out, FrameKind::Amqp, channel, |out| {
            performative.encode(out);
            out.extend_from_slice(payload);
        });
        self.write(&out).await
    }

    /// A sign of life.
    pub(super) async fn heartbeat(&mut self) -> Result<(), CommandError> {
        let mut out = BytesMut::new();
        put_frame(&mut out, FrameKind::Amqp, 0, |_| {});
        self.write(&out).await
    }

    /// The next performative, however long it takes. Nothing is lost if this is dropped while it waits.
    pub(super) async fn next(&mut self) -> Result<Read, CommandError> {
        loop {
            let frame = self.frame().await?;
            if frame.body.is_empty() {
                continue;
            }
            let decoded = Performative::decode(&frame.body).map_err(|error| self.bad(&error))?;
            if let (Performative::Close(close), _) = &decoded {
                return Err(refused("closed the connection", close.error.as_deref()));
            }
            return Ok((frame.channel, decoded.0, decoded.1));
        }
    }

    /// The next performative, which must come soon.
    pub(super) async fn soon(&mut self) -> Result<Read, CommandError> {
        match timeout(ANSWER_TIME_MAX, self.next()).await {
            Ok(read) => read,
            Err(_) => Err(self.late()),
        }
    }

    /// Answers that nobody waits for are not waited for.
    pub(super) async fn shutdown(mut self) {
        let _ = timeout(Duration::from_secs(1), self.stream.shutdown()).await;
    }

    /// The hub said something that a hub does not say.
    pub(super) fn strange(&self, reason: &str) -> CommandError {
        let address = self.address.clone();
        ClientError::BadReply { address, reason: reason.to_owned() }.into()
    }

    pub(super) fn bad(&self, error: &DecodeError) -> CommandError {
        self.strange(&error.to_string())
    }

    async fn answer(&mut self) -> Result<Frame, CommandError> {
        match timeout(ANSWER_TIME_MAX, self.frame()).await {
            Ok(frame) => frame,
            Err(_) => Err(self.late()),
        }
    }

    async fn frame(&mut self) -> Result<Frame, CommandError> {
        loop {
            match next_frame(&mut self.input, FRAME_BYTES_MAX) {
                Ok(Some(frame)) => return Ok(frame),
                Ok(None) => self.read().await?,
                Err(error) => return Err(self.strange(&error.to_string())),
            }
        }
    }

    async fn header(&mut self, expected: [u8; 8]) -> Result<(), CommandError> {
        let arrived = timeout(ANSWER_TIME_MAX, async {
            while self.input.len() < expected.len() {
                self.read().await?;
            }
            Ok::<(), CommandError>(())
        });
        match arrived.await {
            Ok(outcome) => outcome?,
            Err(_) => return Err(self.late()),
        }
        if self.input.split_to(expected.len())[..] != expected {
            return Err(self.strange("it does not speak AMQP 1.0"));
        }
        Ok(())
    }

    async fn read(&mut self) -> Result<(), CommandError> {
        self.input.reserve(16 * 1024);
        match self.stream.read_buf(&mut self.input).await {
            Ok(0) => Err(self.lost(io::ErrorKind::UnexpectedEof.into())),
            Ok(_) => Ok(()),
            Err(error) => Err(self.lost(error)),
        }
    }

    async fn write(&mut self, bytes: &[u8]) -> Result<(), CommandError> {
        let written = async {
            self.stream.write_all(bytes).await?;
            self.stream.flush().await
        };
        written.await.map_err(|error| self.lost(error))
    }

    fn late(&self) -> CommandError {
        ClientError::Timeout { address: self.address.clone(), waited: ANSWER_TIME_MAX }.into()
    }

    fn lost(&self, error: io::Error) -> CommandError {
        CommandError::Refused(format!("the connection to {} was lost: {error}", self.address))
    }
}

/// The hub says no, and why.
pub(super) fn refused(what: &str, error: Option<&Error>) -> CommandError {
    let why = error.map_or_else(|| "no reason given".to_owned(), ToString::to_string);
    CommandError::Refused(format!("the hub {what}: {why}"))
}
