//! Where messages and events go: the hub's routing as this node has it, made into batches for the logs of endpoints.
//! It is decided before anything is proposed, so that a slow endpoint never delays an acknowledgement.

use bytes::Bytes;
use ironhub_cluster::partition::limits::COMMAND_BYTES_MAX;
use ironhub_domain::HubError;
use ironhub_domain::device::{DeviceIdentity, ModuleIdentity, Presence};
use ironhub_domain::event::{AppProperty, D2cMessage, Origin};
use ironhub_domain::ids::IdentityId;
use ironhub_domain::limits::{D2C_MESSAGE_BYTES_MAX, ROUTING_ENDPOINTS_MAX};
use ironhub_domain::partition::Stream;
use ironhub_domain::query::{IdentityFacts, Row, TwinRow};
use ironhub_domain::routing::{Destination, MessageView, RoutingTable};
use ironhub_domain::time::UnixMs;
use ironhub_domain::twin::Twin;

use super::events::Told;
use super::owner::Owner;
use crate::metrics::device as meters;
use crate::partition::{commands, records};

/// Bytes of messages that go into one command, all their copies together.
const BUNDLE_BYTES: usize = COMMAND_BYTES_MAX * 3 / 4;

// One message with all its copies must fit.
const _: () =
    assert!((D2C_MESSAGE_BYTES_MAX + 16 * 1024) * (ROUTING_ENDPOINTS_MAX + 1) < COMMAND_BYTES_MAX);

/// The hub's routing, and the log of each endpoint.
#[derive(Default)]
pub(crate) struct Routes {
    table: RoutingTable,
    /// By the endpoint's place in the table.
    streams: Vec<Stream>,
}

/// One message on its way to one log.
struct Copy {
    stream: Stream,
    message: D2cMessage,
}

impl Routes {
    /// `streams` are the logs of the table's endpoints, in their order.
    pub(crate) fn new(table: RoutingTable, streams: Vec<Stream>) -> Self {
        Self { table, streams }
    }

    /// The routing that this is of.
    pub(crate) fn table(&self) -> &RoutingTable {
        &self.table
    }

    /// The log of the endpoint with that place.
    pub(crate) fn stream(&self, place: usize) -> Option<Stream> {
        self.streams.get(place).copied()
    }

    fn stream_of(&self, destination: Destination) -> Option<Stream> {
        match destination {
            Destination::BuiltIn => Some(Stream::BUILT_IN),
            Destination::Endpoint(place) => self.stream(place),
        }
    }

    /// The copies of one message, each as its endpoint gets it.
    fn copies(
        &self,
        origin: &Origin,
        message: &D2cMessage,
        now: UnixMs,
        twin: Option<&dyn Row>,
    ) -> Vec<Copy> {
        let view = MessageView::new(message, Some(origin), now, twin);
        let destinations = self.table.destinations(origin.source, &view);
        let mut copies = Vec::new();
        for destination in destinations.iter() {
            let Some(stream) = self.stream_of(destination) else { continue };
            let mut message = message.clone();
            let enrichments = self.table.enrich(destination, &view);
            let is_enriched = !enrichments.is_empty();
            message.properties.extend(
                enrichments
                    .into_iter()
                    .map(|(name, value)| AppProperty { name, value: Some(value) }),
            );
            if is_enriched && message.counted_size() > D2C_MESSAGE_BYTES_MAX {
                meters::enriched_too_large();
                continue;
            }
            copies.push(Copy { stream, message });
        }
        if copies.is_empty() {
            meters::unrouted();
        }
        copies
    }

    /// Batches of some copies, one for each log, in the order of the messages.
    fn batches(origin: &Origin, copies: Vec<Copy>, now: UnixMs) -> Vec<(Stream, Bytes)> {
        let mut logs: Vec<(Stream, Vec<D2cMessage>)> = Vec::new();
        for Copy { stream, message } in copies {
            match logs.iter_mut().find(|(known, _)| *known == stream) {
                Some((_, messages)) => messages.push(message),
                None => logs.push((stream, vec![message])),
            }
        }
        let encode = |(stream, messages): (_, Vec<_>)| {
            (stream, commands::append_events(origin, now, &messages))
        };
        logs.into_iter().map(encode).collect()
    }
}

/// A sender's twin, with what else a row of it shows.
pub(super) struct Sender {
    device: DeviceIdentity,
    module: Option<ModuleIdentity>,
    presence: Presence,
    twin: Twin,
}

impl Sender {
    pub(super) fn is_module(&self) -> bool {
        self.module.is_some()
    }

    pub(super) fn twin(&self) -> &Twin {
        &self.twin
    }

    pub(super) fn row(&self) -> TwinRow<'_> {
        let (authentication, etag) = match &self.module {
            Some(module) => (&module.authentication, &module.etag),
            None => (&self.device.authentication, &self.device.etag),
        };
        TwinRow {
            identity: IdentityFacts {
                device: self.device.id.as_str(),
                module: self.module.as_ref().map(|module| module.id.as_str()),
                status: self.device.status,
                status_reason: self.device.status_reason.as_deref(),
                status_updated: self.device.status_updated,
                connected: self.presence.connected,
                connection_updated: Some(self.presence.connection_updated),
                last_activity: Some(self.presence.last_activity),
                c2d_count: 0,
                authentication,
                iot_edge: self.device.iot_edge,
                etag,
                model_id: self.presence.model_id.as_deref(),
                device_scope: self.device.device_scope.as_deref(),
                parent_scopes: &self.device.parent_scopes,
            },
            twin: &self.twin,
            configurations: Some(&self.twin.assigned).filter(|assigned| !assigned.is_empty()),
        }
    }
}

impl Owner {
    /// The commands that store messages of one sender, in order: none, if they are routed nowhere.
    pub(super) fn route(
        &self,
        origin: &Origin,
        messages: &[D2cMessage],
        now: UnixMs,
    ) -> Vec<Bytes> {
        let routes = self.facts().routes.load();
        if routes.table.is_default() {
            return vec![commands::append_events(origin, now, messages)];
        }
        let sender = self.sender(origin, &routes);
        let row = sender.as_ref().map(Sender::row);
        let row = row.as_ref().map(|row| row as &dyn Row);
        let (mut bundles, mut copies, mut bytes) = (Vec::new(), Vec::new(), 0);
        for message in messages {
            let more = routes.copies(origin, message, now, row);
            let more_bytes = more.iter().map(|copy| copy.message.counted_size()).sum::<usize>();
            if bytes + more_bytes > BUNDLE_BYTES && bytes > 0 {
                bundles.push(std::mem::take(&mut copies));
                bytes = 0;
            }
            bytes += more_bytes;
            copies.extend(more);
        }
        bundles.push(copies);
        let bundle =
            |copies: Vec<Copy>| commands::bundle(None, &Routes::batches(origin, copies, now));
        bundles.into_iter().filter(|copies| !copies.is_empty()).map(bundle).collect()
    }

    /// A change with an event that tells of it, wherever that is routed.
    pub(super) fn bundle(&self, change: Bytes, told: Told) -> Bytes {
        let Told { origin, message, now, after } = told;
        let routes = self.facts().routes.load();
        let mut sender = self.sender(&origin, &routes);
        if let (Some(sender), Some(after)) = (&mut sender, after) {
            sender.twin = after;
        }
        let row = sender.as_ref().map(Sender::row);
        let copies = routes.copies(&origin, &message, now, row.as_ref().map(|row| row as &dyn Row));
        if copies.is_empty() {
            return change;
        }
        commands::bundle(Some(&change), &Routes::batches(&origin, copies, now))
    }

    /// The sender's twin, if a route or enrichment looks at it.
    fn sender(&self, origin: &Origin, routes: &Routes) -> Option<Sender> {
        if !routes.table.needs_twin(origin.source) {
            return None;
        }
        let identity = IdentityId { device: origin.device.clone(), module: origin.module.clone() };
        match self.load_sender(&identity) {
            Ok(sender) => sender,
            Err(error) => {
                tracing::error!(%error, "a sender's twin cannot be read; routes see none");
                None
            }
        }
    }

    /// An identity with its twin.
    pub(super) fn load_sender(&self, identity: &IdentityId) -> Result<Option<Sender>, HubError> {
        let Some(device) = self.load_identity(&identity.device)? else { return Ok(None) };
        let module = match &identity.module {
            Some(id) => {
                self.read(|store, group| records::module(store, group, &identity.device, id))?
            }
            None => None,
        };
        let created = module.as_ref().map_or(device.created, |module| module.created);
        let twin = self.read(|store, group| records::twin(store, group, identity))?;
        Ok(Some(Sender {
            presence: self.presence(identity)?,
            twin: twin.unwrap_or_else(|| Twin::new(created)),
            device,
            module,
        }))
    }
}
