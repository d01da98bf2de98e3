//! A device over HTTPS: telemetry, and cloud-to-device messages that it asks for every second (device-protocols.md 4).
//! There is no twin and there are no methods.
//!
//! A task of its own makes the requests, one after the other, so that no answer is lost while the device does something
//! else.

use std::collections::VecDeque;
use std::time::Duration;

use bytes::Bytes;
use tokio::sync::mpsc;
use tokio::task::JoinHandle;
use tokio::time::{Instant, sleep_until, timeout};

use super::device::IN_FLIGHT_MAX;
use super::happening::{Action, Happening, Received, Ticket};
use super::transport::{Failure, Identity, Transport};
use crate::client::device_http::LockedMessage;
use crate::client::{Address, ClientError, DeviceHttp, Trust};

/// How often the queue is looked at.
const POLL_EVERY: Duration = Duration::from_secs(1);
/// How long the last request may take.
const CLOSE_TIME_MAX: Duration = Duration::from_secs(2);
/// Requests that wait: telemetry, one look at the queue, one completion.
const REQUESTS_MAX: usize = IN_FLIGHT_MAX + 2;

enum Request {
    Send { number: u64, body: Bytes },
    Receive,
    Complete { lock: String, id: Option<String> },
}

enum Answer {
    Happened(Happening),
    /// The queue is empty, or a lock is lost.
    Nothing,
}

/// A connection whose key the hub has accepted.
pub struct Https {
    requests: mpsc::Sender<Request>,
    answers: mpsc::Receiver<Result<Answer, Failure>>,
    arrived: Option<Result<Answer, Failure>>,
    /// What has happened and was not taken yet.
    ready: VecDeque<Happening>,
    worker: JoinHandle<()>,
    /// When the queue is looked at next; `None` while it is.
    poll: Option<Instant>,
}

impl Https {
    /// Connects, and looks at the queue for the first time: that also shows whether the key is right.
    pub async fn open(
        address: &Address,
        trust: &Trust,
        identity: &Identity,
    ) -> Result<Self, Failure> {
        let mut http = DeviceHttp::connect(&identity.account, address, trust).await?;
        let waiting = http.receive().await?;
        let poll = Some(Instant::now() + POLL_EVERY);
        let (requests, asked) = mpsc::channel(REQUESTS_MAX);
        let (answered, answers) = mpsc::channel(REQUESTS_MAX);
        let worker = tokio::spawn(work(http, identity.clone(), asked, answered));
        let ready = waiting.map(received).into_iter().collect();
        Ok(Self { requests, answers, arrived: None, ready, worker, poll })
    }

    async fn ask(&mut self, request: Request) -> Result<(), Failure> {
        if self.requests.send(request).await.is_ok() {
            return Ok(());
        }
        // The worker has said why it ended.
        while let Some(answer) = self.answers.recv().await {
            answer?;
        }
        Err(ended())
    }

    /// Asks for what is in the queue, if there is room for the question.
    fn look(&mut self) {
        let asked = self.requests.try_send(Request::Receive).is_ok();
        self.poll = (!asked).then(|| Instant::now() + POLL_EVERY);
    }
}

impl Transport for Https {
    const HAS_TWIN: bool = false;

    async fn wait(&mut self) -> Result<(), Failure> {
        if self.ready.is_empty() && self.arrived.is_none() {
            let due = self.poll;
            tokio::select! {
                answer = self.answers.recv() => self.arrived = Some(answer.ok_or_else(ended)?),
                () = sleep_until(due.unwrap_or_else(Instant::now)), if due.is_some() => {}
            }
        }
        Ok(())
    }

    async fn take(&mut self) -> Result<Option<Happening>, Failure> {
        let now = Instant::now();
        match self.arrived.take().transpose()? {
            Some(Answer::Happened(happening)) => {
                if let Happening::Received(_) | Happening::Completed { .. } = &happening {
                    // Where one message was there may be more.
                    self.poll = Some(now);
                }
                self.ready.push_back(happening);
            }
            Some(Answer::Nothing) => self.poll = Some(now + POLL_EVERY),
            None => {}
        }
        if self.poll.is_some_and(|due| due <= now) {
            self.look();
        }
        Ok(self.ready.pop_front())
    }

    async fn perform(&mut self, action: Action) -> Result<(), Failure> {
        match action {
            Action::Send { number, body, .. } => self.ask(Request::Send { number, body }).await,
            Action::Complete { ticket, id } => {
                let lock = String::from_utf8_lossy(&ticket.0).into_owned();
                self.ask(Request::Complete { lock, id }).await
            }
            // Nothing of the kind happens here.
            Action::Answer { .. } | Action::ReadTwin | Action::Report(_) => Ok(()),
        }
    }

    async fn close(self) {
        drop(self.requests);
        // A message that is just being fetched would stay locked for a minute.
        let _ = timeout(CLOSE_TIME_MAX, self.worker).await;
    }
}

async fn work(
    mut http: DeviceHttp,
    identity: Identity,
    mut asked: mpsc::Receiver<Request>,
    answered: mpsc::Sender<Result<Answer, Failure>>,
) {
    while let Some(request) = asked.recv().await {
        let answer = answer(&mut http, &identity, request).await;
        let lost = answer.is_err();
        if answered.send(answer).await.is_err() || lost {
            return;
        }
    }
}

async fn answer(
    http: &mut DeviceHttp,
    identity: &Identity,
    request: Request,
) -> Result<Answer, Failure> {
    match request {
        Request::Send { number, body } => {
            let id = number.to_string();
            let mut system = vec![("iothub-messageid", id.as_str())];
            if let Some(kind) = identity.content_type {
                system.extend([("iothub-contenttype", kind), ("iothub-contentencoding", "utf-8")]);
            }
            match http.send(&system, &identity.properties, body).await {
                Ok(()) => Ok(Answer::Happened(Happening::Stored { number })),
                Err(error) if is_about_the_message(&error) => {
                    let why = error.to_string();
                    Ok(Answer::Happened(Happening::NotTaken { number, why }))
                }
                Err(error) => Err(error.into()),
            }
        }
        Request::Receive => {
            let message = http.receive().await?;
            Ok(message.map_or(Answer::Nothing, |message| Answer::Happened(received(message))))
        }
        Request::Complete { lock, id } => match http.complete(&lock).await {
            Ok(()) => Ok(Answer::Happened(Happening::Completed { id })),
            // The lock is lost: the message will come again.
            Err(ClientError::Refused { status: 412, .. }) => Ok(Answer::Nothing),
            Err(error) => Err(error.into()),
        },
    }
}

/// A message that the hub will not take, on a connection that it likes.
fn is_about_the_message(error: &ClientError) -> bool {
    matches!(error, ClientError::Refused { status: 400 | 413 | 429, .. })
}

fn received(message: LockedMessage) -> Happening {
    let LockedMessage { lock, id, properties, body } = message;
    let properties = properties.into_iter().map(|(name, value)| (name, Some(value))).collect();
    Happening::Received(Received { ticket: Ticket(lock.into()), id, properties, body })
}

fn ended() -> Failure {
    Failure::Lost("the connection was lost".into())
}
