//! Delivers one partition's events to a webhook: in order, each at least once, as JSON arrays.

use ironhub_domain::event::{AppProperty, D2cMessage, Event, Origin};
use ironhub_domain::partition::Stream;
use ironhub_domain::routing::Webhook;
use serde_json::Value;

use super::attempts::{Attempts, Failure, Next};
use super::outlet::{HUB_PAUSE, Outlet};
use super::post::Poster;
use super::render;
use crate::actor::NodeFacts;
use crate::client::tls::Trust;

/// Encoded bytes of events of one request; one that is larger by itself goes alone.
const BATCH_BYTES: usize = 128 * 1024;

/// Delivers until it is dropped. `dead_letters` is the log of what the server never takes.
pub(super) async fn run(
    mut outlet: Outlet,
    webhook: Webhook,
    dead_letters: Option<Stream>,
    trust: Trust,
) {
    while let Err(error) = outlet.open().await {
        tracing::warn!(endpoint = outlet.endpoint, %error, "deliveries cannot begin yet");
        tokio::time::sleep(HUB_PAUSE).await;
    }
    let mut poster = match Poster::new(&webhook, trust) {
        Ok(poster) => poster,
        Err(why) => {
            let (endpoint, number) = (outlet.endpoint.clone(), outlet.number());
            return outlet.health.failed(&endpoint, number, &why, NodeFacts::now());
        }
    };
    let mut attempts = Attempts::new();
    loop {
        outlet.wait().await;
        let events = match outlet.read(outlet.next(), BATCH_BYTES, attempts.size()).await {
            Ok(events) => events,
            Err(error) => {
                tracing::error!(endpoint = outlet.endpoint, %error, "events cannot be read");
                tokio::time::sleep(HUB_PAUSE).await;
                continue;
            }
        };
        deliver(&mut outlet, &webhook, dead_letters, &mut poster, &mut attempts, events).await;
    }
}

/// Sends a batch, or the front of it if the server refuses the whole, until it is taken or given up.
async fn deliver(
    outlet: &mut Outlet,
    webhook: &Webhook,
    dead_letters: Option<Stream>,
    poster: &mut Poster,
    attempts: &mut Attempts,
    mut events: Vec<Event>,
) {
    loop {
        // What became too old meanwhile is not sent again.
        outlet.skip_old();
        events.retain(|event| event.sequence >= outlet.next());
        events.truncate(attempts.size());
        let (Some(first), Some(last)) = (events.first(), events.last()) else { return };
        let end = last.sequence + 1;
        let (number, stream) = (outlet.number(), outlet.reader.stream().0);
        let id = format!("{stream}-{number}-{}-{}", first.sequence, last.sequence);
        let body: Vec<Value> = events.iter().map(|event| render::numbered(number, event)).collect();
        let body = Value::Array(body).to_string().into();
        let now = NodeFacts::now();
        let failure = match poster.post(&id, now.0 / 1000, body).await {
            Ok(()) => {
                attempts.succeeded();
                outlet.advance(end);
                let count = events.len() as u64;
                return outlet.health.delivered(&outlet.endpoint, number, count, NodeFacts::now());
            }
            Err(failure) => failure,
        };
        tracing::debug!(endpoint = outlet.endpoint, number, why = failure.why, "not delivered");
        outlet.health.failed(&outlet.endpoint, number, &failure.why, NodeFacts::now());
        match attempts.failed(webhook, &failure, events.len(), rand::random()) {
            Next::Retry(pause) => tokio::time::sleep(pause).await,
            Next::GiveUp(made) => {
                return give_up(outlet, made, dead_letters, &failure, events).await;
            }
        }
    }
}

async fn give_up(
    outlet: &mut Outlet,
    made: u64,
    dead_letters: Option<Stream>,
    failure: &Failure,
    events: Vec<Event>,
) {
    let count = events.len() as u64;
    let Some(end) = events.last().map(|last| last.sequence + 1) else { return };
    let why = &failure.why;
    tracing::warn!(endpoint = outlet.endpoint, count, why, "events are given up");
    match dead_letters {
        Some(stream) => {
            let letter = |event| dead_letter(event, &outlet.endpoint, made, why);
            let letters = events.into_iter().map(letter).collect();
            outlet.hand_over(stream, letters, end, NodeFacts::now()).await;
            outlet.health.dead_lettered(&outlet.endpoint, count);
        }
        None => {
            outlet.advance(end);
            outlet.health.dropped(&outlet.endpoint, count);
        }
    }
}

/// The event as it goes to the dead letters, with properties that say whose it is and why.
fn dead_letter(event: Event, endpoint: &str, attempts: u64, why: &str) -> (Origin, D2cMessage) {
    let mut message = event.message;
    let property = |name: &str, value: String| AppProperty {
        name: format!("iothub-deadletter-{name}"),
        value: Some(value),
    };
    message.properties.extend([
        property("endpoint", endpoint.to_owned()),
        property("reason", why.to_owned()),
        property("attempts", attempts.to_string()),
        property("enqueuedtime", event.enqueued.iso8601()),
    ]);
    (event.origin, message)
}
