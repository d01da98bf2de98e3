//! What routes put into the logs of webhook and storage endpoints goes on to where those endpoints are.
//!
//! Each such endpoint has a task for each partition that this node leads, so a slow endpoint or partition holds up no other,
//! and none holds up an acknowledgement: the message was stored with it. A task reads its log from the cursor on, delivers,
//! moves the cursor and drops what was delivered. A node that dies delivers again what it did not note: at least once. Read
//! next: `outlet.rs`, `webhook.rs`, `storage.rs`; how it looks from outside is in docs/ROUTING.md.

mod attempts;
mod avro;
mod health;
mod outlet;
mod post;
mod render;
mod signature;
mod storage;
mod webhook;

use std::collections::HashMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use ironhub_cluster::storage::StateStore;
use ironhub_domain::partition::Stream;
use ironhub_domain::routing::{Endpoint, EndpointKind};
use tokio::task::JoinHandle;

use crate::actor::{NodeFacts, Routes};
use crate::blob::Storage;
use crate::client::tls::Trust;
use crate::partition::{EventReader, Partition, Watermarks};
pub use health::Health;
use outlet::Outlet;
use storage::Place;

/// How soon a change of the routing is followed, and how old the count of what waits may be.
const LOOK_EVERY: Duration = Duration::from_millis(250);

/// What deliveries need.
pub(crate) struct Deliveries {
    pub(crate) facts: Arc<NodeFacts>,
    /// The device partitions.
    pub(crate) partitions: Vec<Partition>,
    pub(crate) store: Arc<dyn StateStore>,
    pub(crate) watermarks: Watermarks,
    pub(crate) blobs: Arc<Storage>,
    pub(crate) health: Health,
    /// What vouches for servers elsewhere.
    pub(crate) trust: Trust,
}

/// What a task was begun with: it goes on as long as this stays.
#[derive(Clone, PartialEq, Eq)]
struct Job {
    endpoint: Endpoint,
    stream: Stream,
    dead_letters: Option<Stream>,
}

/// The tasks of an endpoint, one for each partition.
struct Running {
    job: Job,
    tasks: Vec<Task>,
}

struct Task {
    partition: u32,
    reader: EventReader,
    next: Arc<AtomicU64>,
    handle: JoinHandle<()>,
}

impl Drop for Task {
    fn drop(&mut self) {
        self.handle.abort();
    }
}

impl Deliveries {
    /// Delivers, following the routing, until it is dropped.
    pub(crate) async fn run(self) {
        let mut running: HashMap<Stream, Running> = HashMap::new();
        let mut followed: Option<Arc<Routes>> = None;
        loop {
            let routes = self.facts.routes.load_full();
            if !followed.as_ref().is_some_and(|known| Arc::ptr_eq(known, &routes)) {
                self.follow(&routes, &mut running);
                followed = Some(routes);
            }
            for Running { job, tasks } in running.values() {
                for task in tasks {
                    let log = task.reader.bounds();
                    let next = task.next.load(Ordering::Relaxed).max(log.first_sequence);
                    let waiting = log.next_sequence.saturating_sub(next);
                    self.health.waiting(&job.endpoint.name, task.partition, waiting);
                }
            }
            tokio::time::sleep(LOOK_EVERY).await;
        }
    }

    fn follow(&self, routes: &Routes, running: &mut HashMap<Stream, Running>) {
        let jobs = jobs(routes);
        running.retain(|stream, running| jobs.get(stream) == Some(&running.job));
        for (stream, job) in jobs {
            running.entry(stream).or_insert_with(|| Running { tasks: self.begin(&job), job });
        }
        let endpoints = routes.table().endpoints();
        self.health.keep(|name| endpoints.iter().any(|e| e.name.eq_ignore_ascii_case(name)));
    }

    fn begin(&self, job: &Job) -> Vec<Task> {
        let task = |partition: &Partition| {
            let watermark = self.watermarks.subscribe(partition.group(), job.stream)?;
            let store = self.store.clone();
            let reader = EventReader::new(store.clone(), partition.group(), job.stream, watermark);
            let outlet = Outlet::new(
                &job.endpoint.name,
                partition.clone(),
                reader.clone(),
                store,
                self.health.clone(),
            );
            let (number, next) = (outlet.number(), outlet.next.clone());
            let handle = match &job.endpoint.kind {
                EndpointKind::Webhook(webhook) => {
                    let trust = self.trust.clone();
                    tokio::spawn(webhook::run(outlet, webhook.clone(), job.dead_letters, trust))
                }
                EndpointKind::Storage(settings) => {
                    let hub = self.facts.hub_name().to_owned();
                    let place = Place { blobs: self.blobs.clone(), hub };
                    tokio::spawn(storage::run(outlet, settings.clone(), place))
                }
                EndpointKind::EventLog => return None,
            };
            Some(Task { partition: number, reader, next, handle })
        };
        self.partitions.iter().filter_map(task).collect()
    }
}

/// What is to be delivered, by log. Events of event logs are fetched.
fn jobs(routes: &Routes) -> HashMap<Stream, Job> {
    let endpoints = routes.table().endpoints();
    let stream_of = |name: &str| {
        let is_it = |endpoint: &Endpoint| endpoint.name.eq_ignore_ascii_case(name);
        // What is none of the endpoints is the built-in one: the document was checked.
        endpoints.iter().position(is_it).map_or(Some(Stream::BUILT_IN), |at| routes.stream(at))
    };
    let job = |(place, endpoint): (usize, &Endpoint)| {
        let stream = routes.stream(place)?;
        let dead_letters = match &endpoint.kind {
            EndpointKind::Webhook(webhook) => webhook.dead_letters.as_deref().and_then(stream_of),
            EndpointKind::Storage(_) => None,
            EndpointKind::EventLog => return None,
        };
        Some((stream, Job { endpoint: endpoint.clone(), stream, dead_letters }))
    };
    endpoints.iter().enumerate().filter_map(job).collect()
}
