//! What bodies and parameters look like. Members that nobody knows are allowed everywhere: clients send whole replies back.

use serde_json::{Map, Value, json};

/// A pointer to a schema of the document.
pub(super) fn reference(name: &str) -> Value {
    json!({ "$ref": format!("#/components/schemas/{name}") })
}

/// The schema of a parameter.
pub(super) fn named(name: &str) -> Value {
    reference(name)
}

/// All of them.
pub(super) fn schemas() -> Map<String, Value> {
    let text = || json!({"type": "string", "nullable": true});
    let object = |properties: Value| json!({"type": "object", "properties": properties});
    let list =
        |of: &str| json!({"type": "array", "items": reference(of), "minItems": 1, "maxItems": 100});
    let keys = || {
        object(json!({
            "symmetricKey": {"type": "object", "nullable": true, "properties": {"primaryKey": text(), "secondaryKey": text()}},
            "x509Thumbprint": {"type": "object", "nullable": true, "properties": {"primaryThumbprint": text(), "secondaryThumbprint": text()}},
            "type": {"type": "string", "enum": ["sas", "selfSigned", "certificateAuthority", "none"]},
        }))
    };
    let status = || json!({"type": "string", "enum": ["enabled", "disabled"]});
    let edge = || object(json!({"iotEdge": {"type": "boolean"}}));
    let section = || json!({"type": "object", "additionalProperties": true});
    let schemas = [
        (
            "Id",
            json!({"type": "string", "minLength": 1, "maxLength": 128, "pattern": "^[A-Za-z0-9\\-:.+%_#*?!(),=@$']{1,128}$"}),
        ),
        ("Name", json!({"type": "string", "minLength": 1, "maxLength": 128})),
        ("Text", json!({"type": "string"})),
        ("Top", json!({"type": "integer", "minimum": 1})),
        ("Seconds", json!({"type": "integer", "minimum": 0, "maximum": 300})),
        ("Object", section()),
        ("Anything", json!({})),
        (
            "Error",
            json!({
                "type": "object",
                "required": ["Message", "ExceptionMessage", "errorCode"],
                "properties": {
                    "Message": {"type": "string"},
                    "ExceptionMessage": {"type": "string"},
                    "errorCode": {"type": "integer"},
                },
            }),
        ),
        (
            "Device",
            object(json!({
                "deviceId": {"type": "string"},
                "etag": text(),
                "status": status(),
                "statusReason": text(),
                "authentication": keys(),
                "capabilities": edge(),
                "deviceScope": text(),
                "parentScopes": {"type": "array", "items": {"type": "string"}},
            })),
        ),
        (
            "Module",
            object(json!({
                "deviceId": {"type": "string"},
                "moduleId": {"type": "string"},
                "etag": text(),
                "managedBy": text(),
                "authentication": keys(),
            })),
        ),
        ("BulkItems", list("BulkItem")),
        (
            "BulkItem",
            json!({
                "type": "object",
                "required": ["id"],
                "properties": {
                    "id": {"type": "string"},
                    "moduleId": text(),
                    "eTag": text(),
                    "importMode": {"type": "string", "enum": [
                        "create", "update", "updateIfMatchETag", "createOrUpdate", "createOrUpdateIfMatchETag", "delete",
                        "deleteIfMatchETag", "updateTwin", "updateTwinIfMatchETag",
                    ]},
                    "status": status(),
                    "statusReason": text(),
                    "authentication": keys(),
                    "twinETag": text(),
                    "tags": section(),
                    "properties": object(json!({"desired": section(), "reported": section()})),
                    "capabilities": edge(),
                    "deviceScope": text(),
                    "parentScopes": {"type": "array", "items": {"type": "string"}},
                },
            }),
        ),
        (
            "BulkResult",
            json!({
                "type": "object",
                "required": ["isSuccessful", "errors", "warnings"],
                "properties": {
                    "isSuccessful": {"type": "boolean"},
                    "errors": {"type": "array", "items": section()},
                    "warnings": {"type": "array", "items": section()},
                },
            }),
        ),
        ("BulkResultOrError", json!({"oneOf": [reference("BulkResult"), reference("Error")]})),
        (
            "RegenerateKeys",
            json!({
                "type": "object",
                "required": ["policyKey", "devices"],
                "properties": {
                    "policyKey": {"type": "string", "enum": ["primaryKey", "secondaryKey", "both", "swap"]},
                    "devices": list("RegenerateItem"),
                },
            }),
        ),
        (
            "RegenerateItem",
            json!({
                "type": "object", "required": ["id"], "properties": {"id": {"type": "string"}, "moduleId": text()},
            }),
        ),
        (
            "RegenerateKey",
            json!({
                "type": "object",
                "required": ["key"],
                "properties": {"key": {"type": "string", "enum": ["primaryKey", "secondaryKey", "both", "swap"]}},
            }),
        ),
        (
            "Job",
            json!({
                "type": "object",
                "required": ["type"],
                "properties": {
                    "jobId": text(),
                    "type": {"type": "string", "enum": ["scheduleUpdateTwin", "scheduleDeviceMethod"]},
                    "queryCondition": text(),
                    "startTime": text(),
                    "maxExecutionTimeInSeconds": {"type": "integer"},
                    "updateTwin": section(),
                    "cloudToDeviceMethod": section(),
                },
            }),
        ),
        (
            "Transfer",
            json!({
                "type": "object",
                "required": ["type", "outputBlobContainerUri"],
                "properties": {
                    "type": {"type": "string", "enum": ["export", "import"]},
                    "inputBlobContainerUri": text(),
                    "outputBlobContainerUri": text(),
                    "inputBlobName": text(),
                    "outputBlobName": text(),
                    "excludeKeysInExport": {"type": "boolean"},
                },
            }),
        ),
        (
            "Query",
            json!({
                "type": "object", "required": ["query"], "properties": {"query": {"type": "string"}},
            }),
        ),
        (
            "Twin",
            object(json!({
                "tags": section(),
                "properties": object(json!({"desired": section(), "reported": section()})),
            })),
        ),
        (
            "Method",
            json!({
                "type": "object",
                "required": ["methodName"],
                "properties": {
                    "methodName": {"type": "string"},
                    "payload": {},
                    "responseTimeoutInSeconds": {"type": "integer", "minimum": 5, "maximum": 300, "nullable": true},
                    // A fuzzer that waits for devices that do not come has no time left.
                    "connectTimeoutInSeconds": {"type": "integer", "minimum": 0, "maximum": 300, "nullable": true},
                },
            }),
        ),
        (
            "MethodAnswer",
            json!({
                "type": "object",
                "required": ["status", "payload"],
                "properties": {"status": {"type": "integer"}, "payload": {}},
            }),
        ),
        (
            "Certificate",
            json!({
                "type": "object",
                "required": ["properties"],
                "properties": {"properties": {
                    "type": "object",
                    "required": ["certificate"],
                    "properties": {"certificate": {"type": "string"}, "isVerified": {"type": "boolean"}},
                }},
            }),
        ),
        (
            "Policy",
            json!({
                "type": "object",
                "required": ["rights"],
                "properties": {
                    "keyName": {"type": "string"},
                    "primaryKey": text(),
                    "secondaryKey": text(),
                    "rights": {"type": "string"},
                },
            }),
        ),
        (
            "JsonPatch",
            json!({
                "type": "array",
                "items": {
                    "type": "object",
                    "required": ["op", "path"],
                    "properties": {
                        "op": {"type": "string", "enum": ["add", "replace", "remove"]},
                        "path": {"type": "string"},
                        "value": {},
                    },
                },
            }),
        ),
    ];
    schemas.into_iter().map(|(name, schema)| (name.to_owned(), schema)).collect()
}
