//! From the first byte to a session: CONNECT, who it is, whether it may (device-protocols.md 2.1 to 2.3).

use std::future::poll_fn;
use std::sync::Arc;
use std::time::Duration;

use ironhub_domain::HubError;
use ironhub_domain::auth::PeerCertificate;
use ironhub_domain::ids::{DeviceId, IdentityId, ModuleId};
use ironhub_wire::mqtt::decode::decode;
use ironhub_wire::mqtt::encode::{self, ConnackCode};
use ironhub_wire::mqtt::framer::{CONNECT_BYTES_MAX, Frame, PACKET_BYTES_MAX, Step, next_frame};
use ironhub_wire::mqtt::packet::{Connect, OtherVersion, Packet};
use ironhub_wire::mqtt::username;
use tokio::io::{AsyncRead, AsyncWrite, AsyncWriteExt};
use tokio::time::{Instant, timeout};

use super::d2c::{self, Identity};
use super::deadlines::Deadlines;
use super::downlink::Downlink;
use super::errors::{Cause, connack_code};
use super::inbox::Inbox;
use super::metrics;
use super::outbox::Outbox;
use super::session::Session;
use super::signal::Signal;
use super::{MqttContext, wall_clock};
use crate::net::Peer;
use crate::router::DeviceSession;
use crate::router::request::{ConnectRequest, Credentials, SessionStart};

/// A refusal that the client does not take within this time is not delivered.
const REFUSAL_TIME_MAX: Duration = Duration::from_secs(5);

/// Why a connection was not let in.
#[derive(Debug, thiserror::Error)]
pub(super) enum Refusal {
    /// The client is told.
    #[error("CONNECT refused with code {}: {why}", metrics::code_label(*.code))]
    Code { code: ConnackCode, why: String },
    /// The client is told in the form of MQTT 5.
    #[error("MQTT 5 is not offered")]
    Version5,
    /// There is nothing to tell: what came is not a CONNECT of MQTT.
    #[error("{0}")]
    NotMqtt(String),
    #[error("no complete CONNECT in time")]
    Slow,
    #[error("the client closed the connection before its CONNECT")]
    EndOfStream,
    #[error("the node is stopping")]
    Draining,
    #[error("the connection failed: {0}")]
    Io(#[from] std::io::Error),
}

impl Refusal {
    pub(super) fn label(&self) -> &'static str {
        match self {
            Self::Code { code, .. } => metrics::code_label(*code),
            Self::Version5 => "version5",
            Self::NotMqtt(_) => "malformed",
            Self::Slow => "slow",
            Self::EndOfStream => "end_of_stream",
            Self::Draining => "draining",
            Self::Io(_) => "io",
        }
    }

    fn not_authorized(why: impl ToString) -> Self {
        Self::Code { code: ConnackCode::NotAuthorized, why: why.to_string() }
    }

    fn hub(error: &HubError) -> Self {
        Self::Code { code: connack_code(error), why: error.to_string() }
    }
}

/// Lets a connection in, or refuses it and says so to the client.
pub(super) async fn open<S>(
    mut stream: S,
    peer: Peer,
    context: Arc<MqttContext>,
) -> Result<Box<Session<S>>, Refusal>
where
    S: AsyncRead + AsyncWrite + Unpin,
{
    let mut inbox = Inbox::default();
    match greet(&mut stream, &mut inbox, peer.certificate, &context).await {
        Ok(entered) => {
            let mut outbox = Outbox::default();
            encode::connack(outbox.end(), ConnackCode::Accepted, entered.session_present);
            Ok(Box::new(Session::new(stream, peer.line, inbox, outbox, entered)))
        }
        Err(refusal) => {
            tell(stream, &refusal).await;
            Err(refusal)
        }
    }
}

/// What a session begins with.
pub(super) struct Entered {
    pub(super) identity: Identity,
    pub(super) will: Option<Box<ironhub_domain::event::D2cMessage>>,
    pub(super) device: DeviceSession,
    pub(super) signal: Arc<Signal>,
    pub(super) deadlines: Deadlines,
    pub(super) downlink: Downlink,
    pub(super) session_present: bool,
}

async fn greet<S>(
    stream: &mut S,
    inbox: &mut Inbox,
    certificate: Option<Arc<PeerCertificate>>,
    context: &MqttContext,
) -> Result<Entered, Refusal>
where
    S: AsyncRead + Unpin,
{
    let mut draining = context.draining.clone();
    // Only waiting for the client is bounded: once the owner was asked, its answer must not be lost.
    let frame = tokio::select! {
        biased;
        frame = timeout(context.handshake_timeout, first_frame(stream, inbox)) => frame.map_err(|_| Refusal::Slow)??,
        Ok(_) = draining.wait_for(|draining| *draining) => return Err(Refusal::Draining),
    };
    match decode(&frame) {
        Ok(Packet::Connect(connect)) => enter(&connect, certificate, context).await,
        Ok(Packet::OtherVersion(OtherVersion::Five)) => Err(Refusal::Version5),
        Ok(Packet::OtherVersion(OtherVersion::Level(level))) => Err(Refusal::Code {
            code: ConnackCode::UnacceptableProtocol,
            why: format!("protocol level {level}"),
        }),
        Ok(_) => Err(Refusal::NotMqtt("the first packet is not a CONNECT".into())),
        Err(error) => Err(Refusal::NotMqtt(error.to_string())),
    }
}

async fn first_frame<S>(stream: &mut S, inbox: &mut Inbox) -> Result<Frame, Refusal>
where
    S: AsyncRead + Unpin,
{
    loop {
        let mut input = poll_fn(|cx| inbox.poll_read(stream, cx)).await?;
        if input.is_empty() {
            return Err(Refusal::EndOfStream);
        }
        match next_frame(&mut input, CONNECT_BYTES_MAX) {
            Ok(Step::Item(frame)) => {
                // A client may send on without waiting for the CONNACK.
                inbox.keep(&input, PACKET_BYTES_MAX);
                return Ok(frame);
            }
            Ok(Step::NeedMore) => inbox.keep(&input, CONNECT_BYTES_MAX),
            Err(error) => return Err(Refusal::NotMqtt(error.to_string())),
        }
    }
}

async fn enter(
    connect: &Connect<'_>,
    certificate: Option<Arc<PeerCertificate>>,
    context: &MqttContext,
) -> Result<Entered, Refusal> {
    let name = connect.username.ok_or_else(|| Refusal::not_authorized("no user name"))?;
    let name = username::parse(name, connect.client_id).map_err(Refusal::not_authorized)?;
    check_host(name.host, context.router.hub_host())?;
    let identity = Identity {
        device: DeviceId::new(name.device).map_err(Refusal::not_authorized)?,
        module: name.module.map(ModuleId::new).transpose().map_err(Refusal::not_authorized)?,
    };
    let token = connect.password.map(std::str::from_utf8).transpose();
    let token = token.map_err(|_| Refusal::not_authorized("the password is not text"))?;
    let will = connect.will.as_ref().map(|will| d2c::will(will, &identity)).transpose();
    let will = will
        .map_err(|cause: Cause| Refusal::not_authorized(format!("will: {cause}")))?
        .map(Box::new);
    let signal = Arc::new(Signal::default());
    let request = ConnectRequest {
        identity: IdentityId { device: identity.device.clone(), module: identity.module.clone() },
        credentials: Credentials { token: token.map(str::to_owned), certificate },
        start: if connect.clean_session { SessionStart::Clean } else { SessionStart::Resume },
        model_id: name.model_id.map(|model_id| model_id.into_owned()),
        protocol: "mqtt",
        sink: signal.clone(),
    };
    let device = context.router.connect(request).await.map_err(|error| Refusal::hub(&error))?;
    tracing::debug!(
        device = %identity.device,
        module = identity.module(),
        client = name.client_type.as_deref(),
        api_version = name.api_version.as_deref(),
        "MQTT session opened"
    );
    let expires = device.info().token_expires;
    let deadlines = Deadlines::new(
        Instant::now(),
        wall_clock(),
        connect.keep_alive,
        expires,
        context.sas_grace,
    );
    let resumed = device.info().resumed.as_ref();
    let session_present = resumed.is_some();
    let mut downlink = Downlink::new(!connect.clean_session, resumed, &identity, Instant::now());
    downlink.tell_owner(&device);
    Ok(Entered { identity, will, device, signal, deadlines, downlink, session_present })
}

/// The hub's full name, or its first label (device-protocols.md 2.1).
fn check_host(given: &str, hub_host: &str) -> Result<(), Refusal> {
    let short = hub_host.split('.').next().unwrap_or(hub_host);
    if given.eq_ignore_ascii_case(hub_host) || given.eq_ignore_ascii_case(short) {
        return Ok(());
    }
    Err(Refusal::not_authorized(format!("the user name is for the hub {given:?}")))
}

async fn tell<S>(mut stream: S, refusal: &Refusal)
where
    S: AsyncWrite + Unpin,
{
    let mut answer = Vec::with_capacity(8);
    match refusal {
        Refusal::Code { code, .. } => encode::connack(&mut answer, *code, false),
        Refusal::Version5 => encode::connack_v5_unsupported(&mut answer),
        Refusal::NotMqtt(_)
        | Refusal::Slow
        | Refusal::EndOfStream
        | Refusal::Draining
        | Refusal::Io(_) => {}
    }
    let told = async {
        stream.write_all(&answer).await?;
        stream.shutdown().await
    };
    // A client that does not listen has chosen so.
    let _ = timeout(REFUSAL_TIME_MAX, told).await;
}
