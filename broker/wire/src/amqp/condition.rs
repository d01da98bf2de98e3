//! The error conditions that are spoken, by name (OASIS AMQP 1.0 2.8.15 to 2.8.18; service-protocols.md 3.4, 3.7).

macro_rules! conditions {
    ($($name:ident = $text:literal;)*) => {
        $(#[doc = concat!("`", $text, "`")] pub const $name: &str = $text;)*
    };
}

conditions! {
    INTERNAL_ERROR = "amqp:internal-error";
    NOT_FOUND = "amqp:not-found";
    UNAUTHORIZED_ACCESS = "amqp:unauthorized-access";
    DECODE_ERROR = "amqp:decode-error";
    RESOURCE_LIMIT_EXCEEDED = "amqp:resource-limit-exceeded";
    NOT_ALLOWED = "amqp:not-allowed";
    INVALID_FIELD = "amqp:invalid-field";
    NOT_IMPLEMENTED = "amqp:not-implemented";
    ILLEGAL_STATE = "amqp:illegal-state";
    CONNECTION_FORCED = "amqp:connection:forced";
    FRAMING_ERROR = "amqp:connection:framing-error";
    WINDOW_VIOLATION = "amqp:session:window-violation";
    ERRANT_LINK = "amqp:session:errant-link";
    HANDLE_IN_USE = "amqp:session:handle-in-use";
    UNATTACHED_HANDLE = "amqp:session:unattached-handle";
    DETACH_FORCED = "amqp:link:detach-forced";
    TRANSFER_LIMIT_EXCEEDED = "amqp:link:transfer-limit-exceeded";
    MESSAGE_SIZE_EXCEEDED = "amqp:link:message-size-exceeded";
    REDIRECT = "amqp:link:redirect";
    STOLEN = "amqp:link:stolen";
    ARGUMENT_ERROR = "com.microsoft:argument-error";
    LOCK_LOST = "com.microsoft:message-lock-lost";
    PRECONDITION_FAILED = "com.microsoft:precondition-failed";
    ALREADY_EXISTS = "com.microsoft:device-already-exists";
    SERVER_BUSY = "com.microsoft:server-busy";
    TIMEOUT = "com.microsoft:timeout";
}
