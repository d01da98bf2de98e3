//! The log of an endpoint in one partition, on its way out: how far it was delivered, and what that makes of the log.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use ironhub_cluster::storage::StateStore;
use ironhub_domain::HubError;
use ironhub_domain::event::{D2cMessage, Event, Origin};
use ironhub_domain::partition::{Command, EventLog, Stream};
use ironhub_domain::time::UnixMs;
use tokio::sync::watch;
use tokio::time::Instant;

use super::Health;
use crate::partition::reader::hub_error;
use crate::partition::{EventReader, Partition, commands, records, retention};

/// How long a delivery may be forgotten if the node dies: so much is delivered again at most.
const SAVE_EVERY: Duration = Duration::from_secs(1);
/// How often delivered events are dropped.
const TRIM_EVERY: Duration = Duration::from_secs(10);
/// The pause after an error of the hub's own.
pub(super) const HUB_PAUSE: Duration = Duration::from_secs(1);

/// One endpoint's log in one partition.
pub(super) struct Outlet {
    pub(super) endpoint: String,
    pub(super) partition: Partition,
    pub(super) reader: EventReader,
    pub(super) store: Arc<dyn StateStore>,
    pub(super) health: Health,
    /// The first event that was not delivered; others look at it.
    pub(super) next: Arc<AtomicU64>,
    watch: watch::Receiver<EventLog>,
    saved: u64,
    saved_at: Instant,
    trimmed_at: Instant,
}

impl Outlet {
    pub(super) fn new(
        endpoint: &str,
        partition: Partition,
        reader: EventReader,
        store: Arc<dyn StateStore>,
        health: Health,
    ) -> Self {
        Self {
            endpoint: endpoint.to_owned(),
            partition,
            watch: reader.watermark(),
            reader,
            store,
            health,
            next: Arc::default(),
            saved: 0,
            saved_at: Instant::now(),
            trimmed_at: Instant::now(),
        }
    }

    /// Waits until this node leads the partition, and begins where deliveries ended.
    pub(super) async fn open(&mut self) -> Result<(), HubError> {
        self.partition.led().await?;
        self.partition.read_barrier().await?;
        self.saved = self.cursor()?;
        self.next.store(self.saved, Ordering::Relaxed);
        Ok(())
    }

    fn cursor(&self) -> Result<u64, HubError> {
        let (group, stream) = (self.partition.group(), self.reader.stream());
        records::cursor(&*self.store, group, stream).map_err(hub_error)
    }

    /// The partition's number as clients see it, from 0.
    pub(super) fn number(&self) -> u32 {
        // Group 0 is the hub's own.
        self.partition.group().0.saturating_sub(1)
    }

    /// The first event that was not delivered.
    pub(super) fn next(&self) -> u64 {
        self.next.load(Ordering::Relaxed)
    }

    /// Returns once there is an event to deliver; what was delivered is noted meanwhile.
    pub(super) async fn wait(&mut self) {
        loop {
            let log = self.skip_old();
            let due = self.saved_at + SAVE_EVERY;
            if self.saved < self.next() && due <= Instant::now() {
                self.save().await;
            }
            if log.next_sequence > self.next() {
                return;
            }
            if self.saved < self.next() {
                tokio::select! {
                    () = changed(&mut self.watch) => {}
                    () = tokio::time::sleep_until(self.saved_at + SAVE_EVERY) => {}
                }
            } else {
                changed(&mut self.watch).await;
            }
        }
    }

    /// Goes on behind events that became too old, which are counted. The log's counters now.
    pub(super) fn skip_old(&mut self) -> EventLog {
        let log = *self.watch.borrow_and_update();
        if log.first_sequence > self.next() {
            let gone = log.first_sequence - self.next();
            tracing::warn!(
                endpoint = self.endpoint,
                partition = self.number(),
                gone,
                "events became too old before they were delivered"
            );
            self.health.dropped(&self.endpoint, gone);
            self.advance(log.first_sequence);
        }
        log
    }

    /// Returns once events came or went.
    pub(super) async fn changed(&mut self) {
        changed(&mut self.watch).await;
    }

    /// The log's counters now.
    pub(super) fn bounds(&self) -> EventLog {
        self.reader.bounds()
    }

    /// Events from `from` on; see [`EventReader::read`].
    pub(super) async fn read(
        &self,
        from: u64,
        bytes_max: usize,
        events_max: usize,
    ) -> Result<Vec<Event>, HubError> {
        let reader = self.reader.clone();
        let read = move || reader.read(from, bytes_max, events_max);
        let events = tokio::task::spawn_blocking(read).await;
        events.map_err(|error| HubError::Internal(error.to_string()))?
    }

    /// What comes before `next` was delivered.
    pub(super) fn advance(&self, next: u64) {
        self.next.fetch_max(next, Ordering::Relaxed);
    }

    /// Makes durable how far deliveries came, and now and then drops what was delivered. A failure is made good by a later
    /// call.
    pub(super) async fn save(&mut self) {
        self.saved_at = Instant::now();
        let (stream, sequence) = (self.reader.stream(), self.next());
        match self.partition.change(&Command::MoveCursor { stream, sequence }).await {
            Ok(_) => self.saved = sequence,
            Err(error) => {
                tracing::warn!(endpoint = self.endpoint, %error, "a cursor could not be moved");
                return;
            }
        }
        if self.trimmed_at.elapsed() < TRIM_EVERY {
            return;
        }
        self.trimmed_at = Instant::now();
        let command = retention::delivered_command(&self.reader, sequence).map_err(hub_error);
        let trimmed = match command {
            Ok(Some(command)) => self.partition.change(&command).await.map(drop),
            Ok(None) => Ok(()),
            Err(error) => Err(error),
        };
        if let Err(error) = trimmed {
            tracing::warn!(endpoint = self.endpoint, %error, "delivered events could not be dropped");
        }
    }

    /// Puts events into another log of the partition and takes them as delivered, both or neither; tries until it is done.
    pub(super) async fn hand_over(
        &mut self,
        to: Stream,
        events: Vec<(Origin, D2cMessage)>,
        next: u64,
        now: UnixMs,
    ) {
        let cursor = Command::MoveCursor { stream: self.reader.stream(), sequence: next };
        let batches: Vec<_> = events
            .chunk_by(|(a, _), (b, _)| a == b)
            .map(|run| {
                let messages: Vec<_> = run.iter().map(|(_, message)| message.clone()).collect();
                (to, commands::append_events(&run[0].0, now, &messages))
            })
            .collect();
        let command = commands::bundle(Some(&commands::encode(&cursor)), &batches);
        loop {
            let error = match self.partition.commit(command.clone()).await {
                Ok(_) => break,
                Err(error) => error,
            };
            tracing::warn!(endpoint = self.endpoint, %error, "dead letters could not be written");
            tokio::time::sleep(HUB_PAUSE).await;
            // It may have been done although nobody could tell.
            if self.cursor().is_ok_and(|cursor| cursor >= next) {
                break;
            }
        }
        self.advance(next);
        self.saved = next;
        self.saved_at = Instant::now();
    }
}

async fn changed(watch: &mut watch::Receiver<EventLog>) {
    if watch.changed().await.is_err() {
        // The node stops; so does whoever waits here.
        std::future::pending::<()>().await;
    }
}
