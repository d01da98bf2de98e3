//! What must hold of a routing document (service-protocols.md 4.11).

use super::endpoint::{Container, Endpoint, EndpointKind, Storage, Webhook};
use super::route::{BUILT_IN, Enrichment, Route, Routing};
use crate::HubError;
use crate::limits::{
    CONTAINER_URI_BYTES_MAX, ENRICHMENT_KEY_CHARS_MAX, ENRICHMENT_VALUE_CHARS_MAX, ENRICHMENTS_MAX,
    ROUTES_MAX, ROUTING_BATCH_BYTES, ROUTING_BATCH_SECONDS, ROUTING_ENDPOINTS_MAX,
    ROUTING_NAME_CHARS_MAX, WEBHOOK_ATTEMPTS, WEBHOOK_PAUSE_SECONDS, WEBHOOK_SECRET_BYTES,
    WEBHOOK_TIMEOUT_SECONDS, WEBHOOK_URL_BYTES_MAX,
};

/// Names that endpoints cannot have (the original's resource manager).
const RESERVED: [&str; 3] = [BUILT_IN, "fileNotifications", "$default"];

type Checked = Result<(), HubError>;

pub(super) fn refuse<T>(why: String) -> Result<T, HubError> {
    Err(HubError::InvalidArgument(why))
}

impl Routing {
    /// Checks all but the conditions and the paths of enrichments, which [`RoutingTable`](super::RoutingTable) reads.
    pub(super) fn check(&self) -> Checked {
        at_most("routes", self.routes.len(), ROUTES_MAX)?;
        at_most("endpoints", self.endpoints.len(), ROUTING_ENDPOINTS_MAX)?;
        at_most("enrichments", self.enrichments.len(), ENRICHMENTS_MAX)?;
        for (at, endpoint) in self.endpoints.iter().enumerate() {
            let what = format!("endpoint {:?}", endpoint.name);
            check_name(&what, &endpoint.name)?;
            let is_same = |name: &str| name.eq_ignore_ascii_case(&endpoint.name);
            if RESERVED.into_iter().any(is_same) {
                return refuse(format!("{what}: the name is reserved"));
            }
            if self.endpoints[..at].iter().any(|other| is_same(&other.name)) {
                return refuse(format!("{what}: there are two of that name"));
            }
            self.check_endpoint(&what, endpoint)?;
        }
        for (at, route) in self.routes.iter().enumerate() {
            let is_same = |other: &Route| other.name.eq_ignore_ascii_case(&route.name);
            self.check_route(route, self.routes[..at].iter().any(is_same))?;
        }
        for (at, enrichment) in self.enrichments.iter().enumerate() {
            self.check_enrichment(enrichment, &self.enrichments[..at])?;
        }
        Ok(())
    }

    /// The endpoint's place in the list; `None` for the built-in one.
    pub(super) fn place(&self, what: &str, name: &str) -> Result<Option<usize>, HubError> {
        if name.eq_ignore_ascii_case(BUILT_IN) {
            return Ok(None);
        }
        match self.endpoints.iter().position(|e| e.name.eq_ignore_ascii_case(name)) {
            Some(place) => Ok(Some(place)),
            None => refuse(format!("{what}: there is no endpoint {name:?}")),
        }
    }

    fn check_names(&self, what: &str, names: &[String]) -> Checked {
        if names.is_empty() {
            return refuse(format!("{what}: endpointNames is empty"));
        }
        at_most(&format!("{what}: endpointNames"), names.len(), ROUTING_ENDPOINTS_MAX + 1)?;
        names.iter().try_for_each(|name| self.place(what, name).map(|_| ()))
    }

    fn check_route(&self, route: &Route, is_second: bool) -> Checked {
        let what = format!("route {:?}", route.name);
        check_name(&what, &route.name)?;
        if is_second {
            return refuse(format!("{what}: there are two of that name"));
        }
        self.check_names(&what, &route.endpoints)
    }

    fn check_enrichment(&self, enrichment: &Enrichment, others: &[Enrichment]) -> Checked {
        let Enrichment { key, value, endpoints } = enrichment;
        let what = format!("enrichment {key:?}");
        let is_allowed = |c: char| c.is_ascii_alphanumeric() || "-_.".contains(c);
        if key.is_empty() || !key.chars().all(is_allowed) {
            return refuse(format!("{what}: a key has letters, digits, '-', '_' and '.' only"));
        }
        at_most(&format!("{what}: characters of the key"), key.len(), ENRICHMENT_KEY_CHARS_MAX)?;
        let chars = value.chars().count();
        at_most(&format!("{what}: characters of the value"), chars, ENRICHMENT_VALUE_CHARS_MAX)?;
        self.check_names(&what, endpoints)?;
        let shares_endpoint = |other: &Enrichment| {
            let is_among = |name: &String| endpoints.iter().any(|e| e.eq_ignore_ascii_case(name));
            other.key.eq_ignore_ascii_case(key) && other.endpoints.iter().any(is_among)
        };
        match others.iter().any(shares_endpoint) {
            true => refuse(format!("{what}: an endpoint has two of that key")),
            false => Ok(()),
        }
    }

    fn check_endpoint(&self, what: &str, endpoint: &Endpoint) -> Checked {
        match &endpoint.kind {
            EndpointKind::EventLog => Ok(()),
            EndpointKind::Webhook(webhook) => self.check_webhook(what, webhook),
            EndpointKind::Storage(storage) => check_storage(what, storage),
        }
    }

    fn check_webhook(&self, what: &str, webhook: &Webhook) -> Checked {
        check_url(what, "url", &webhook.url, WEBHOOK_URL_BYTES_MAX)?;
        let range = |name, value, range| within(&format!("{what}: {name}"), value, range);
        let secret_bytes = webhook.secret.len() as u64;
        let secret = *WEBHOOK_SECRET_BYTES.start() as u64..=*WEBHOOK_SECRET_BYTES.end() as u64;
        range("bytes of secret", secret_bytes, secret)?;
        range("timeoutInSeconds", webhook.timeout_seconds, WEBHOOK_TIMEOUT_SECONDS)?;
        range("maxDeliveryCount", webhook.attempts, WEBHOOK_ATTEMPTS)?;
        range("retryDelayInSeconds", webhook.pause_seconds, WEBHOOK_PAUSE_SECONDS)?;
        let longest = webhook.pause_seconds..=*WEBHOOK_PAUSE_SECONDS.end();
        range("maxRetryDelayInSeconds", webhook.pause_seconds_max, longest)?;
        let Some(name) = &webhook.dead_letters else { return Ok(()) };
        let place = self.place(&format!("{what}: deadLetterEndpointName"), name)?;
        match place.map(|place| &self.endpoints[place].kind) {
            Some(EndpointKind::Webhook(_)) => {
                refuse(format!("{what}: deadLetterEndpointName {name:?} is a webhook itself"))
            }
            None | Some(EndpointKind::EventLog | EndpointKind::Storage(_)) => Ok(()),
        }
    }
}

fn check_storage(what: &str, storage: &Storage) -> Checked {
    match &storage.container {
        Container::Own(name) => check_container(what, name)?,
        Container::Uri(uri) => check_url(what, "containerUri", uri, CONTAINER_URI_BYTES_MAX)?,
    }
    let range = |name, value, range| within(&format!("{what}: {name}"), value, range);
    range("batchFrequencyInSeconds", storage.batch_seconds, ROUTING_BATCH_SECONDS)?;
    range("maxChunkSizeInBytes", storage.batch_bytes, ROUTING_BATCH_BYTES)
}

/// The blob service's rule for names of containers.
fn check_container(what: &str, name: &str) -> Checked {
    let is_allowed = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-';
    let is_good = (3..=63).contains(&name.len())
        && name.chars().all(is_allowed)
        && !name.starts_with('-')
        && !name.ends_with('-')
        && !name.contains("--");
    match is_good {
        true => Ok(()),
        false => refuse(format!(
            "{what}: containerName {name:?} is not 3 to 63 lower-case letters, digits and single hyphens between them"
        )),
    }
}

fn check_name(what: &str, name: &str) -> Checked {
    let is_allowed = |c: char| c.is_ascii_alphanumeric() || "-._".contains(c);
    match (1..=ROUTING_NAME_CHARS_MAX).contains(&name.len()) && name.chars().all(is_allowed) {
        true => Ok(()),
        false => refuse(format!(
            "{what}: a name has 1 to {ROUTING_NAME_CHARS_MAX} letters, digits, '-', '.' and '_'"
        )),
    }
}

fn check_url(what: &str, name: &str, url: &str, bytes_max: usize) -> Checked {
    at_most(&format!("{what}: bytes of {name}"), url.len(), bytes_max)?;
    let rest = ["https://", "http://"].into_iter().find_map(|scheme| url.strip_prefix(scheme));
    let host = rest.and_then(|rest| rest.split(['/', '?', '#']).next()).unwrap_or_default();
    let is_plain = url.chars().all(|c| c.is_ascii_graphic());
    match !host.is_empty() && !host.contains('@') && is_plain {
        true => Ok(()),
        false => refuse(format!("{what}: {name} is no http or https URL")),
    }
}

fn at_most(what: &str, count: usize, max: usize) -> Checked {
    match count > max {
        true => refuse(format!("{what}: there are {count}, at most {max} are allowed")),
        false => Ok(()),
    }
}

fn within(what: &str, value: u64, range: std::ops::RangeInclusive<u64>) -> Checked {
    match range.contains(&value) {
        true => Ok(()),
        false => refuse(format!("{what} is {value}, not {} to {}", range.start(), range.end())),
    }
}
