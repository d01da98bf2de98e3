//! Routing: documents read and refused, and where messages go.

mod conditions;
mod documents;
mod enrichments;
mod refusals;
mod tables;
mod trials;

use serde_json::{Value, json};

use super::*;
use crate::HubError;
use crate::event::{
    AppProperty, AuthMethod, AuthScope, AuthType, D2cMessage, MessageSource, Origin,
    SystemProperties,
};
use crate::ids::{DeviceId, ModuleId};
use crate::query::{Datum, Row, Step, walk};
use crate::time::UnixMs;

const NOW: UnixMs = UnixMs(1_767_323_045_678);

/// A twin that is a JSON document.
struct Document(Value);

impl Row for Document {
    fn value(&self, path: &[Step]) -> Option<Datum<'_>> {
        walk(&self.0, path).map(Datum::from)
    }
}

/// A message with these application properties, and the body that the original's documentation shows.
fn message(properties: &[(&str, &str)]) -> D2cMessage {
    let body = json!({"Weather": {
        "Temperature": 50, "Time": "2017-03-09T00:00:00.000Z", "PrevTemperatures": [20, 30, 40], "IsEnabled": true,
        "Location": {"Street": "One Microsoft Way", "City": "Redmond", "State": "WA"},
        "HistoricalData": [{"Month": "Feb", "Temperature": 40}, {"Month": "Jan", "Temperature": 30}],
    }});
    D2cMessage {
        system: SystemProperties {
            message_id: Some("m1".into()),
            content_type: Some("application/json".into()),
            content_encoding: Some("utf-8".into()),
            ..SystemProperties::default()
        },
        properties: properties
            .iter()
            .map(|(name, value)| AppProperty { name: (*name).into(), value: Some((*value).into()) })
            .collect(),
        body: body.to_string().into(),
    }
}

fn twin() -> Document {
    Document(json!({
        "tags": {"deploymentLocation": {"building": "43", "floor": "1"}, "n": 7, "Case": {"Inner": [1]}},
        "properties": {
            "desired": {"telemetryConfig": {"sendFrequency": "5m"}, "$version": 1},
            "reported": {"telemetryConfig": {"sendFrequency": "5m", "status": "success"}, "batteryLevel": 55},
        },
    }))
}

fn origin() -> Origin {
    Origin {
        device: DeviceId::new("d1").unwrap(),
        module: Some(ModuleId::new("m").unwrap()),
        generation: "638".into(),
        auth: AuthMethod { scope: AuthScope::Module, kind: AuthType::Sas },
        model_id: Some("dtmi:x;1".into()),
        source: MessageSource::Telemetry,
    }
}

#[track_caller]
fn routing(document: Value) -> Routing {
    Routing::from_json(&document).unwrap_or_else(|error| panic!("{document}: {error}"))
}

#[track_caller]
fn table(document: Value) -> RoutingTable {
    RoutingTable::compile(&routing(document), "hub1").unwrap()
}

fn route(name: &str, source: &str, condition: &str, endpoints: &[&str]) -> Value {
    json!({"name": name, "source": source, "condition": condition, "endpointNames": endpoints, "isEnabled": true})
}
