//! Trials: which routes a message would take, and whether one would take it. Bodies and answers are those of the original's
//! resource manager (`routing/routes/$testall` and `$testnew`).

use serde_json::{Value, json};

use super::json::fields::Fields;
use super::json::read::read_route;
use super::route::Route;
use super::table::{Destination, RoutingTable};
use super::view::MessageView;
use crate::HubError;
use crate::event::{AppProperty, D2cMessage, MessageSource};
use crate::limits::ROUTING_JSON_BYTES_MAX;
use crate::query::{Condition, Datum, Dialect, QueryError, Row, Step, walk};
use crate::time::UnixMs;

/// A message that nobody sent, and a twin that nobody has.
#[derive(Debug)]
pub struct Trial {
    source: MessageSource,
    message: D2cMessage,
    twin: Document,
}

/// A trial of one route, which need not be among the hub's.
#[derive(Debug)]
pub struct TrialRoute {
    route: Route,
    trial: Trial,
}

/// A twin as JSON.
#[derive(Debug)]
struct Document(Value);

impl Row for Document {
    fn value(&self, path: &[Step]) -> Option<Datum<'_>> {
        walk(&self.0, path).map(Datum::from)
    }
}

impl Trial {
    /// Reads the body of a trial of all routes: `routingSource` (DeviceMessages if it is not there), `message` and `twin`.
    pub fn parse(body: &[u8]) -> Result<Self, HubError> {
        let body = read(body)?;
        let fields = Fields::of("the trial", &body)?;
        let source = match fields.text("routingSource")? {
            None => MessageSource::Telemetry,
            Some(name) => match MessageSource::of_route(name) {
                Some(source) => source,
                None => return fields.wrong("routingSource", "is no source of routes"),
            },
        };
        Self::of(source, &fields)
    }

    fn of(source: MessageSource, fields: &Fields<'_>) -> Result<Self, HubError> {
        let message = match fields.value("message") {
            Some(message) => read_message(&Fields::of("message", message)?)?,
            None => D2cMessage::default(),
        };
        let twin = fields.members("twin")?.cloned().unwrap_or_default();
        Ok(Self { source, message, twin: Document(Value::Object(twin)) })
    }

    /// The answer: the routes in force that the message would take, the fallback route if it would be that.
    pub fn run(&self, table: &RoutingTable, now: UnixMs) -> Value {
        let view = self.view(now);
        let routes = table.matches(self.source, &view).map(|place| &table.routing().routes[place]);
        let mut routes: Vec<Value> = routes.map(Route::to_json).collect();
        if routes.is_empty()
            && table.destinations(self.source, &view).contains(Destination::BuiltIn)
        {
            routes.push(table.routing().fallback.to_json());
        }
        let routes = routes.into_iter().map(|route| json!({ "properties": route }));
        json!({ "routes": routes.collect::<Value>() })
    }

    fn view(&self, now: UnixMs) -> MessageView<'_> {
        MessageView::new(&self.message, None, now, Some(&self.twin))
    }
}

impl TrialRoute {
    /// Reads the body of a trial of one route: `route`, `message` and `twin`.
    pub fn parse(body: &[u8]) -> Result<Self, HubError> {
        let body = read(body)?;
        let fields = Fields::of("the trial", &body)?;
        let Some(route) = fields.value("route") else {
            return fields.wrong("route", "is missing");
        };
        let route = read_route(route)?;
        Ok(Self { trial: Trial::of(route.source, &fields)?, route })
    }

    /// The answer: whether the condition is met, or what is wrong with it.
    pub fn run(&self, now: UnixMs) -> Value {
        let text = match self.route.condition.trim() {
            "" => "true",
            _ => &self.route.condition,
        };
        let (result, errors) = match Condition::parse(text, Dialect::Routing) {
            Ok(condition) => {
                let view = self.trial.view(now);
                let result = match condition.expression().evaluate(&view) {
                    None | Some(Datum::Null) => "undefined",
                    Some(Datum::Bool(true)) => "true",
                    Some(_) => "false",
                };
                (result, Vec::new())
            }
            Err(error) => ("undefined", vec![error_json(text, &error)]),
        };
        json!({ "result": result, "details": { "compilationErrors": errors } })
    }
}

fn read(body: &[u8]) -> Result<Value, HubError> {
    if body.len() > ROUTING_JSON_BYTES_MAX {
        return Err(HubError::MessageTooLarge { size: body.len(), max: ROUTING_JSON_BYTES_MAX });
    }
    serde_json::from_slice(body)
        .map_err(|error| HubError::InvalidArgument(format!("the body is not JSON: {error}")))
}

fn read_message(fields: &Fields<'_>) -> Result<D2cMessage, HubError> {
    let body = fields.text("body")?.unwrap_or_default();
    let mut message = D2cMessage { body: body.to_owned().into(), ..D2cMessage::default() };
    for (name, value) in fields.members("systemProperties")?.into_iter().flatten() {
        let Some(text) = value.as_str() else {
            return fields.wrong("systemProperties", "has a value that is no text");
        };
        let system = &mut message.system;
        let place = match name.to_ascii_lowercase().as_str() {
            "messageid" => &mut system.message_id,
            "correlationid" => &mut system.correlation_id,
            "userid" => &mut system.user_id,
            "to" => &mut system.to,
            "contenttype" => &mut system.content_type,
            "contentencoding" => &mut system.content_encoding,
            "dt-subject" => &mut system.component_name,
            "creation-time-utc" => &mut system.creation_time,
            // What the hub would stamp: a condition finds an application property of that name where it finds no other.
            _ => {
                let (name, value) = (format!("${name}"), Some(text.to_owned()));
                message.properties.push(AppProperty { name, value });
                continue;
            }
        };
        *place = Some(text.to_owned());
    }
    for (name, value) in fields.members("appProperties")?.into_iter().flatten() {
        let Some(text) = value.as_str() else {
            return fields.wrong("appProperties", "has a value that is no text");
        };
        let property = AppProperty { name: name.clone(), value: Some(text.to_owned()) };
        message.properties.push(property);
    }
    Ok(message)
}

/// A condition's error with the line and column of its character, both from 1.
fn error_json(text: &str, error: &QueryError) -> Value {
    let before: String = text.chars().take(error.position - 1).collect();
    let line = before.matches('\n').count() + 1;
    let column = before.rsplit('\n').next().unwrap_or_default().chars().count() + 1;
    let place = json!({ "line": line, "column": column });
    json!({
        "message": error.cause,
        "severity": "error",
        "location": { "start": place, "end": place },
    })
}
