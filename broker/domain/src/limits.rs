//! Every bound of the hub's rules: its name, its reason, its relation to the others (design.md 7).

use std::ops::RangeInclusive;

/// Largest D2C message, counted as body + system property values + application property names and values
/// (device-protocols.md 7.1). Inclusive.
pub const D2C_MESSAGE_BYTES_MAX: usize = 256 * 1024;

/// Longest device or module id, in characters.
pub const DEVICE_ID_CHARS_MAX: usize = 128;

/// Longest message id and correlation id, in characters.
pub const MESSAGE_ID_CHARS_MAX: usize = 128;

/// Longest `statusReason` of a device, in characters.
pub const STATUS_REASON_CHARS_MAX: usize = 128;

/// A symmetric key, decoded.
pub const SYMMETRIC_KEY_BYTES_MIN: usize = 16;
/// A symmetric key, decoded.
pub const SYMMETRIC_KEY_BYTES_MAX: usize = 64;

/// Most devices that one listing returns (service-protocols.md 2.3).
pub const DEVICE_LIST_MAX: usize = 1000;

/// Receivers without an epoch on one partition of one consumer group (service-protocols.md 4.6).
pub const RECEIVERS_PER_GROUP_AND_PARTITION_MAX: usize = 5;

/// How far a token's expiry may lie in the past, for clocks that differ.
pub const SAS_CLOCK_SKEW_MS: u64 = 5 * 60 * 1000;

/// Longest token text that is parsed at all.
pub const SAS_TOKEN_BYTES_MAX: usize = 4096;

/// Longest ETag, generation id or device scope that a record keeps, in bytes. The hub's own ETags and generation ids have
/// about 20; a scope is `ms-azure-iot-edge://` + a device id + `-` + a generation id.
pub const RECORD_TEXT_BYTES_MAX: usize = 256;

/// Most parent scopes of one device.
pub const PARENT_SCOPES_MAX: usize = 16;

const _: () = assert!(RECORD_TEXT_BYTES_MAX >= DEVICE_ID_CHARS_MAX + 64);

/// Longest name of a consumer group, in characters (the original's limit).
pub const CONSUMER_GROUP_CHARS_MAX: usize = 50;

/// Most consumer groups of a hub, `$Default` included.
pub const CONSUMER_GROUPS_MAX: usize = 200;

/// Most shared access policies of a hub.
pub const POLICIES_MAX: usize = 64;

/// Longest name of a shared access policy, in characters (the original's limit).
pub const POLICY_NAME_CHARS_MAX: usize = 64;

/// Longest name of a document of the hub, in characters.
pub const DOCUMENT_ID_CHARS_MAX: usize = 256;

/// Largest document of the hub, in bytes.
pub const DOCUMENT_BYTES_MAX: usize = 1024 * 1024;

const _: () = assert!(DOCUMENT_BYTES_MAX >= 2 * JOB_JSON_BYTES_MAX);

/// Paths of tags that a hub keeps an index of.
pub const INDEXED_TAGS_MAX: usize = 16;

/// What of a value goes into an index, in bytes; longer values with the same beginning are told apart by their records.
pub const INDEX_VALUE_BYTES_MAX: usize = 128;

/// Most modules of one device.
pub const MODULES_MAX: usize = 50;

/// Cloud-to-device messages of one identity, waiting and locked together (device-protocols.md 7.4).
pub const C2D_QUEUE_MAX: usize = 50;

/// So many short numbers tell the live messages of a queue apart. MQTT's packet identifiers are made of them, and the hub's
/// end at 0x7fff (device-protocols.md 2.10).
pub const C2D_SHORT_NUMBERS: u64 = 0x7fff;

/// Largest cloud-to-device message, counted as a D2C message is (device-protocols.md 6.2).
pub const C2D_MESSAGE_BYTES_MAX: usize = 64 * 1024;

/// How long a delivered message stays invisible to others (device-protocols.md 6.2).
pub const C2D_LOCK_MS: u64 = 60 * 1000;

/// Longest time to live of a cloud-to-device message (device-protocols.md 6.2).
pub const C2D_TTL_MS_MAX: u64 = 48 * 3600 * 1000;

/// Feedback records in one message (device-protocols.md 6.2).
pub const FEEDBACK_BATCH_MAX: usize = 64;

/// Feedback records, or file notifications, that one partition keeps for the service; of more the oldest go.
pub const NOTICES_MAX: u64 = 100_000;

/// Uploads of one device that are open at a time (device-protocols.md 5.3).
pub const UPLOADS_MAX: usize = 10;

/// Longest name of an uploaded blob, in characters.
pub const BLOB_NAME_CHARS_MAX: usize = 1024;

/// Longest twin key, in bytes of UTF-8 (device-protocols.md 7.3).
pub const TWIN_KEY_BYTES_MAX: usize = 1024;

/// Longest string value in a twin, in bytes of UTF-8 (service-protocols.md 2.6).
pub const TWIN_STRING_BYTES_MAX: usize = 4096;

/// Deepest nesting of a twin's sections (device-protocols.md 6.2).
pub const TWIN_DEPTH_MAX: usize = 10;

/// Smallest and largest integer in a twin: what a double holds exactly, less one bit (device-protocols.md 6.2).
pub const TWIN_INTEGER_MIN: i64 = -(1 << 52);
/// See [`TWIN_INTEGER_MIN`].
pub const TWIN_INTEGER_MAX: i64 = (1 << 52) - 1;

/// Largest request body that is read as a twin or a patch, and largest section that a patch may make, in bytes of JSON:
/// escapes, white space and more do not count against a section's size, so this is generous.
pub const TWIN_JSON_BYTES_MAX: usize = 256 * 1024;

/// Longest `managedBy` of a module, in characters.
pub const MANAGED_BY_CHARS_MAX: usize = 128;

/// Longest name of a direct method, in characters.
pub const METHOD_NAME_CHARS_MAX: usize = 128;

/// What the JSON of a service's method call may have beside the payload, in bytes.
pub const METHOD_ENVELOPE_BYTES_MAX: usize = 4096;

/// How long a method call may wait for the answer, in seconds (device-protocols.md 6.2).
pub const METHOD_RESPONSE_SECONDS: RangeInclusive<u64> = 5..=300;

/// How long a method call may wait for the device to connect, in seconds (device-protocols.md 6.2).
pub const METHOD_CONNECT_SECONDS: RangeInclusive<u64> = 0..=300;

/// Direct methods of one identity under way at a time.
pub const METHODS_IN_FLIGHT_MAX: usize = 100;

/// Registered certificate authorities of a hub.
pub const AUTHORITIES_MAX: usize = 100;

/// Largest certificate of an authority, DER; its subject in words is no longer either.
pub const AUTHORITY_BYTES_MAX: usize = 16 * 1024;

/// Filters that a stored MQTT session keeps (device-protocols.md 2.8).
pub const SUBSCRIPTIONS_MAX: usize = 10;

/// Longest filter that a stored MQTT session keeps, in bytes: two ids with every character escaped, and words around them.
pub const FILTER_BYTES_MAX: usize = 1024;

const _: () = assert!(FILTER_BYTES_MAX >= 2 * 3 * DEVICE_ID_CHARS_MAX + 64);

/// Longest id of a job, in characters (Microsoft's page on jobs).
pub const JOB_ID_CHARS_MAX: usize = 64;

/// Jobs that a hub keeps, those that have ended included; a new one pushes out the oldest that has ended.
pub const JOBS_MAX: usize = 1000;

/// Jobs under way at a time: the largest tier's number (service-protocols.md 2.9). Others wait in the queue.
pub const JOBS_RUNNING_MAX: usize = 10;

/// Rows of a job that one command makes or looks at.
pub const JOB_ROWS_AT_ONCE: usize = 256;

/// How long a job that has ended is kept (service-protocols.md 2.9).
pub const JOB_HISTORY_MS: u64 = 30 * 24 * 3600 * 1000;

/// How long a job may run, in seconds; the longest is a choice of ours.
pub const JOB_EXECUTION_SECONDS: RangeInclusive<u64> = 1..=30 * 24 * 3600;

/// How long a job runs that does not say, in seconds: what Node's SDK says for its users.
pub const JOB_EXECUTION_SECONDS_DEFAULT: u64 = 3600;

/// Largest request for a job, in bytes of JSON: a method's payload or a twin's sections, and a query condition.
pub const JOB_JSON_BYTES_MAX: usize = 512 * 1024;

/// Longest text of a query, and of a condition in one, in characters (service-protocols.md 2.7).
pub const QUERY_CHARS_MAX: usize = 8192;

/// Longest text that a job says of its failure, in characters; the rest is cut off.
pub const JOB_REASON_CHARS_MAX: usize = 1024;

const _: () = assert!(
    JOB_JSON_BYTES_MAX
        >= METHOD_PAYLOAD_BYTES_MAX + METHOD_ENVELOPE_BYTES_MAX + 4 * QUERY_CHARS_MAX
);
const _: () = assert!(JOB_JSON_BYTES_MAX >= TWIN_JSON_BYTES_MAX + 4 * QUERY_CHARS_MAX);

/// Longest URI of a blob container in a job, its signature included, in bytes.
pub const CONTAINER_URI_BYTES_MAX: usize = 4096;

/// Items of one bulk request (service-protocols.md 2.5).
pub const BULK_ITEMS_MAX: usize = 100;

/// Largest bulk request, in bytes of JSON.
pub const BULK_JSON_BYTES_MAX: usize = 4 * 1024 * 1024;

/// Largest request for new keys, in bytes of JSON.
pub const REGENERATE_JSON_BYTES_MAX: usize = 64 * 1024;

const _: () = assert!(REGENERATE_JSON_BYTES_MAX >= BULK_ITEMS_MAX * (2 * DEVICE_ID_CHARS_MAX + 64));

/// Imports and exports that a hub keeps; one runs at a time (service-protocols.md 2.10).
pub const TRANSFERS_MAX: usize = 100;

/// Longest line of an import or export: an identity, its twin's three sections and what is known of each value of them.
pub const IMPORT_LINE_BYTES_MAX: usize = 1024 * 1024;

const _: () = assert!(IMPORT_LINE_BYTES_MAX >= 4 * TWIN_JSON_BYTES_MAX);

/// Of a line that cannot be read, what the log of an import repeats, in characters.
pub const IMPORT_ERROR_CHARS_MAX: usize = 2048;

/// Configurations of a hub (Microsoft's page on automatic device management: 100).
pub const CONFIGURATIONS_MAX: usize = 100;

/// Longest id of a configuration, in characters (service-protocols.md 2.11).
pub const CONFIGURATION_ID_CHARS_MAX: usize = 128;

/// Metrics of one configuration's own (service-protocols.md 2.11).
pub const CONFIGURATION_METRICS_MAX: usize = 5;

/// Labels of one configuration.
pub const CONFIGURATION_LABELS_MAX: usize = 20;

/// Longest name or value of a label, and longest name of a metric, in characters.
pub const CONFIGURATION_LABEL_CHARS_MAX: usize = 256;

/// Modules that one configuration has contents for.
pub const CONFIGURATION_MODULES_MAX: usize = 2 * MODULES_MAX;

/// Values that one configuration sets on one twin. With each twin is kept which of them are there.
pub const CONFIGURATION_PATHS_MAX: usize = 1000;

/// Largest configuration, in bytes of JSON.
pub const CONFIGURATION_JSON_BYTES_MAX: usize = TWIN_JSON_BYTES_MAX;

/// How deep parentheses, NOT, signs, arrays and calls of functions may stand in one another in a query. Reading and
/// evaluating a level takes stack; chains of AND, OR and arithmetic are flat and take none.
pub const QUERY_DEPTH_MAX: usize = 64;

/// Most elements of an array constant in a query: each is compared with each row.
pub const QUERY_ARRAY_MAX: usize = 2048;

/// Most columns of a SELECT. Each may hold a whole section of a twin, so this bounds a row of the result.
pub const QUERY_COLUMNS_MAX: usize = 64;

/// Most paths of a GROUP BY.
pub const QUERY_GROUP_PATHS_MAX: usize = 16;

/// Most groups that a query may make, all partitions together: they are held in memory until the last row is read.
pub const QUERY_GROUPS_MAX: usize = 10_000;

/// What the groups of a query may hold in memory: their keys and values, and the smallest and largest texts.
pub const QUERY_GROUP_BYTES_MAX: usize = 16 * 1024 * 1024;

/// Longest text that CONCAT may make, in bytes; a longer one is undefined. No value of a message or twin is longer.
pub const QUERY_TEXT_BYTES_MAX: usize = 256 * 1024;

const _: () = assert!(QUERY_TEXT_BYTES_MAX >= D2C_MESSAGE_BYTES_MAX);

/// Routes of a hub (service-protocols.md 4.11).
pub const ROUTES_MAX: usize = 100;

/// Endpoints of a hub beside its built-in one (service-protocols.md 4.11).
pub const ROUTING_ENDPOINTS_MAX: usize = 10;

/// Enrichments of a hub (service-protocols.md 4.11).
pub const ENRICHMENTS_MAX: usize = 10;

/// Longest name of a route or endpoint, in characters (the original's resource manager).
pub const ROUTING_NAME_CHARS_MAX: usize = 64;

/// Longest key of an enrichment, in characters.
pub const ENRICHMENT_KEY_CHARS_MAX: usize = 128;

/// Longest value of an enrichment, in characters.
pub const ENRICHMENT_VALUE_CHARS_MAX: usize = 1024;

/// Largest routing document, in bytes of JSON: every route with a condition of ordinary length, and then some.
pub const ROUTING_JSON_BYTES_MAX: usize = 512 * 1024;

/// Longest URL of a webhook, in bytes.
pub const WEBHOOK_URL_BYTES_MAX: usize = 2048;

/// Length of a webhook's secret, in bytes: what signs its messages.
pub const WEBHOOK_SECRET_BYTES: RangeInclusive<usize> = 16..=256;

/// How long a webhook may take to answer, in seconds.
pub const WEBHOOK_TIMEOUT_SECONDS: RangeInclusive<u64> = 1..=120;

/// How often a message is sent to a webhook that does not take it.
pub const WEBHOOK_ATTEMPTS: RangeInclusive<u64> = 1..=100;

/// Pause between two attempts, in seconds; it doubles from one to the next.
pub const WEBHOOK_PAUSE_SECONDS: RangeInclusive<u64> = 1..=3600;

/// How long messages for a blob are gathered, in seconds. The original has 60 to 720; a shorter time is allowed here.
pub const ROUTING_BATCH_SECONDS: RangeInclusive<u64> = 1..=720;

/// How many bytes are gathered for one blob. The original has 10 to 500 MiB.
pub const ROUTING_BATCH_BYTES: RangeInclusive<u64> = 64 * 1024..=500 * 1024 * 1024;

const _: () = assert!(ROUTING_ENDPOINTS_MAX < 16, "a set of endpoints fits 16 bits");

/// The limits that `limits.profile` chooses (design.md 7). Whoever proposes a command puts them in, so every replica
/// applies the same.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TwinLimits {
    /// Counted size of `properties.desired` (device-protocols.md 7.3).
    pub desired_bytes_max: usize,
    /// Counted size of `properties.reported`.
    pub reported_bytes_max: usize,
    /// Counted size of `tags`.
    pub tags_bytes_max: usize,
}

impl TwinLimits {
    /// Today's values of the original service.
    pub const DEFAULT: Self = Self {
        desired_bytes_max: 32 * 1024,
        reported_bytes_max: 32 * 1024,
        tags_bytes_max: 8 * 1024,
    };
    /// `limits.profile = "classic"`.
    pub const CLASSIC: Self = Self {
        desired_bytes_max: 8 * 1024,
        reported_bytes_max: 8 * 1024,
        tags_bytes_max: 8 * 1024,
    };
}

/// Largest payload of a direct method, each way.
pub const METHOD_PAYLOAD_BYTES_MAX: usize = 128 * 1024;

/// The same under `limits.profile = "classic"`.
pub const METHOD_PAYLOAD_BYTES_MAX_CLASSIC: usize = 8 * 1024;
