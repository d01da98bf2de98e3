//! Routing, made ready for messages.

use super::endpoint::Endpoint;
use super::route::{BUILT_IN, Routing};
use super::validate::refuse;
use super::view::MessageView;
use crate::HubError;
use crate::event::MessageSource;
use crate::query::{Condition, Datum, Dialect, Expression, Step};

/// One place that a message goes to.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Destination {
    /// The built-in endpoint, `events`.
    BuiltIn,
    /// The endpoint with this place in [`RoutingTable::endpoints`].
    Endpoint(usize),
}

/// The places that a message goes to: each once, however many routes lead there.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Destinations(u16);

impl Destinations {
    fn bit(destination: Destination) -> u16 {
        match destination {
            Destination::BuiltIn => 1,
            // There are fewer than 16: see ROUTING_ENDPOINTS_MAX.
            Destination::Endpoint(place) => 2 << place,
        }
    }

    fn add(&mut self, destination: Destination) {
        self.0 |= Self::bit(destination);
    }

    /// Whether the message goes nowhere.
    pub fn is_empty(self) -> bool {
        self.0 == 0
    }

    /// Whether this is one of them.
    pub fn contains(self, destination: Destination) -> bool {
        self.0 & Self::bit(destination) != 0
    }

    /// All of them, the built-in one first.
    pub fn iter(self) -> impl Iterator<Item = Destination> {
        let places = (0..15).map(Destination::Endpoint);
        std::iter::once(Destination::BuiltIn).chain(places).filter(move |d| self.contains(*d))
    }
}

/// A routing document with everything in it read.
#[derive(Clone, Debug)]
pub struct RoutingTable {
    routing: Routing,
    /// The routes in force.
    routes: Vec<ReadyRoute>,
    enrichments: Vec<ReadyEnrichment>,
    /// By [`index`]: whether conditions or enrichments of its messages look at twins.
    needs_twin: [bool; MessageSource::ALL.len()],
}

#[derive(Clone, Debug)]
struct ReadyRoute {
    /// Its place in the document.
    place: usize,
    source: MessageSource,
    /// `None` is met by everything.
    condition: Option<Condition>,
    destinations: Destinations,
}

#[derive(Clone, Debug)]
struct ReadyEnrichment {
    key: String,
    value: ReadyValue,
    destinations: Destinations,
}

#[derive(Clone, Debug)]
enum ReadyValue {
    Text(String),
    /// A path into the twin; the text is stamped where it leads nowhere.
    Twin(Vec<Step>, String),
}

impl Default for RoutingTable {
    /// Of [`Routing::default`].
    fn default() -> Self {
        Self {
            routing: Routing::default(),
            routes: Vec::new(),
            enrichments: Vec::new(),
            needs_twin: [false; MessageSource::ALL.len()],
        }
    }
}

impl RoutingTable {
    /// Checks the document and reads its conditions, of disabled routes, too. `hub_name` is what `$iothubname` is. Refuses
    /// with [`HubError::InvalidArgument`], which names the route, endpoint or enrichment and what is wrong with it.
    pub fn compile(routing: &Routing, hub_name: &str) -> Result<Self, HubError> {
        routing.check()?;
        let mut table = Self { routing: routing.clone(), ..Self::default() };
        for (place, route) in routing.routes.iter().enumerate() {
            let what = format!("route {:?}", route.name);
            let ready = ReadyRoute {
                place,
                source: route.source,
                condition: read_condition(&what, &route.condition)?,
                destinations: table.destinations_named(&what, &route.endpoints)?,
            };
            if route.enabled {
                table.routes.push(ready);
            }
        }
        for enrichment in &routing.enrichments {
            let what = format!("enrichment {:?}", enrichment.key);
            table.enrichments.push(ReadyEnrichment {
                key: enrichment.key.clone(),
                value: read_value(&what, &enrichment.value, hub_name)?,
                destinations: table.destinations_named(&what, &enrichment.endpoints)?,
            });
        }
        for source in MessageSource::ALL {
            table.needs_twin[index(source)] = table.looks_at_twins(source);
        }
        Ok(table)
    }

    /// The document that this was made of.
    pub fn routing(&self) -> &Routing {
        &self.routing
    }

    /// The endpoints beside the built-in one.
    pub fn endpoints(&self) -> &[Endpoint] {
        &self.routing.endpoints
    }

    /// The name of an endpoint.
    pub fn name(&self, destination: Destination) -> &str {
        match destination {
            Destination::BuiltIn => BUILT_IN,
            Destination::Endpoint(place) => {
                self.routing.endpoints.get(place).map_or("", |endpoint| &endpoint.name)
            }
        }
    }

    /// Whether every message of a device goes to the built-in endpoint as it is and nothing else happens: nothing need be
    /// asked then.
    pub fn is_default(&self) -> bool {
        self.routing.fallback.enabled && self.routes.is_empty() && self.enrichments.is_empty()
    }

    /// Whether messages of this source can go anywhere at all. Events of the hub's own need not be made if not.
    pub fn is_routed(&self, source: MessageSource) -> bool {
        !self.reachable(source).is_empty()
    }

    /// Whether the sender's twin is needed for messages of this source.
    pub fn needs_twin(&self, source: MessageSource) -> bool {
        self.needs_twin[index(source)]
    }

    /// Where a message goes: wherever a route leads whose condition it meets; what a device sent and no route took goes to
    /// the built-in endpoint if the fallback route is enabled.
    pub fn destinations(&self, source: MessageSource, message: &MessageView<'_>) -> Destinations {
        let mut destinations = Destinations::default();
        for route in self.routes_of(source, message) {
            destinations.0 |= route.destinations.0;
        }
        if destinations.is_empty() && self.falls_back(source) {
            destinations.add(Destination::BuiltIn);
        }
        destinations
    }

    /// The routes that a message takes, as places in [`Routing::routes`]; the fallback route is none of them.
    pub fn matches(
        &self,
        source: MessageSource,
        message: &MessageView<'_>,
    ) -> impl Iterator<Item = usize> {
        self.routes_of(source, message).map(|route| route.place)
    }

    /// The application properties that a message gets on its way there. The caller adds them, and drops a message that is
    /// larger than [`D2C_MESSAGE_BYTES_MAX`](crate::limits::D2C_MESSAGE_BYTES_MAX) then.
    pub fn enrich(
        &self,
        destination: Destination,
        message: &MessageView<'_>,
    ) -> Vec<(String, String)> {
        let here = self.enrichments.iter().filter(|e| e.destinations.contains(destination));
        here.map(|enrichment| (enrichment.key.clone(), enrichment.value.of(message))).collect()
    }

    fn routes_of(
        &self,
        source: MessageSource,
        message: &MessageView<'_>,
    ) -> impl Iterator<Item = &ReadyRoute> {
        self.routes.iter().filter(move |route| {
            route.source == source
                && route.condition.as_ref().is_none_or(|condition| condition.is_met(message))
        })
    }

    fn falls_back(&self, source: MessageSource) -> bool {
        source == MessageSource::Telemetry && self.routing.fallback.enabled
    }

    /// Where messages of a source can go.
    fn reachable(&self, source: MessageSource) -> Destinations {
        let mut reachable = Destinations::default();
        for route in self.routes.iter().filter(|route| route.source == source) {
            reachable.0 |= route.destinations.0;
        }
        if self.falls_back(source) {
            reachable.add(Destination::BuiltIn);
        }
        reachable
    }

    fn looks_at_twins(&self, source: MessageSource) -> bool {
        let reachable = self.reachable(source);
        let enriched = self.enrichments.iter().any(|enrichment| {
            matches!(enrichment.value, ReadyValue::Twin(..))
                && enrichment.destinations.0 & reachable.0 != 0
        });
        enriched
            || self.routes.iter().any(|route| {
                let condition = route.condition.as_ref();
                route.source == source && condition.is_some_and(|c| c.expression().reads("$twin"))
            })
    }

    fn destinations_named(&self, what: &str, names: &[String]) -> Result<Destinations, HubError> {
        let mut destinations = Destinations::default();
        for name in names {
            let place = self.routing.place(what, name)?;
            destinations.add(place.map_or(Destination::BuiltIn, Destination::Endpoint));
        }
        Ok(destinations)
    }
}

/// A source's place in the tables.
fn index(source: MessageSource) -> usize {
    source as usize
}

impl ReadyValue {
    fn of(&self, message: &MessageView<'_>) -> String {
        match self {
            Self::Text(text) => text.clone(),
            Self::Twin(path, literal) => match message.twin(path) {
                Some(Datum::Text(text)) => text.into_owned(),
                Some(
                    value @ (Datum::Null | Datum::Bool(_) | Datum::Number(_) | Datum::Composite(_)),
                ) => value.into_value().to_string(),
                None => literal.clone(),
            },
        }
    }
}

fn read_condition(what: &str, text: &str) -> Result<Option<Condition>, HubError> {
    if text.trim().is_empty() {
        return Ok(None);
    }
    match Condition::parse(text, Dialect::Routing) {
        Ok(condition) => Ok(Some(condition)),
        Err(error) => refuse(format!("{what}: condition: {error}")),
    }
}

fn read_value(what: &str, value: &str, hub_name: &str) -> Result<ReadyValue, HubError> {
    if value.eq_ignore_ascii_case("$iothubname") {
        return Ok(ReadyValue::Text(hub_name.to_owned()));
    }
    let is_twin = value.get(..6).is_some_and(|begin| begin.eq_ignore_ascii_case("$twin."));
    if !is_twin {
        return Ok(ReadyValue::Text(value.to_owned()));
    }
    let path = match Condition::parse(value, Dialect::Routing) {
        Ok(condition) => match condition.expression() {
            Expression::Path(path) => path.steps.get(1..).unwrap_or_default().to_vec(),
            _ => return refuse(format!("{what}: value {value:?} is no path")),
        },
        Err(error) => return refuse(format!("{what}: value: {error}")),
    };
    let is = |at: usize, name: &str| matches!(path.get(at), Some(Step::Name(n)) if n == name);
    match is(0, "tags") || (is(0, "properties") && (is(1, "desired") || is(1, "reported"))) {
        true => Ok(ReadyValue::Twin(path, value.to_owned())),
        false => refuse(format!(
            "{what}: of a twin there are $twin.tags, $twin.properties.desired and $twin.properties.reported"
        )),
    }
}
