//! A routing document in JSON, with the names of the original's resource manager (`properties.routing` of a hub), and
//! `webhooks`, which is ours.
//!
//! ```json
//! {"routes": [{"name", "source", "condition", "endpointNames": [], "isEnabled"}],
//!  "fallbackRoute": {"name": "$fallback", "source": "DeviceMessages", "condition": "true", "endpointNames": ["events"],
//!                    "isEnabled"},
//!  "endpoints": {
//!    "eventHubs": [{"name"}],
//!    "storageContainers": [{"name", "containerName" or "containerUri", "fileNameFormat", "batchFrequencyInSeconds",
//!                           "maxChunkSizeInBytes", "encoding": "Avro" or "JSON"}],
//!    "webhooks": [{"name", "url", "secret", "timeoutInSeconds", "maxDeliveryCount", "retryDelayInSeconds",
//!                  "maxRetryDelayInSeconds", "deadLetterEndpointName"}]},
//!  "enrichments": [{"key", "value", "endpointNames": []}]}
//! ```
//!
//! Members that it does not know are passed over, and null is as good as absent. Endpoints may also be one list, each with
//! the name of its list, less the s, as `type`.

pub(super) mod fields;
pub(super) mod read;
mod write;

/// What a masked document has in place of a secret. Sent back, it keeps the secret that there is: see
/// [`Routing::keep_secrets`](super::Routing::keep_secrets).
pub const MASKED: &str = "****";
