"""AMQP messages section by section, with the exact types that device-side clients look at."""

from raw_codec import Described, Symbol, decode, encode

HEADER, DELIVERY, ANNOTATIONS, PROPERTIES, APPLICATION, DATA, VALUE = 0x70, 0x71, 0x72, 0x73, 0x74, 0x75, 0x77
BATCH = 0x80013700
NAMES = [
    "message_id", "user_id", "to", "subject", "reply_to", "correlation_id", "content_type", "content_encoding",
    "absolute_expiry_time", "creation_time", "group_id", "group_sequence", "reply_to_group_id",
]
SYMBOLS = {"content_type", "content_encoding"}


def message(body=b"", annotations=None, app=None, value=None, **properties):
    """An encoded message. `body` is bytes or a list of them, one data section each; `value` replaces it."""
    out = b""
    if annotations is not None:
        out += encode(Described(ANNOTATIONS, {Symbol(key): item for key, item in annotations.items()}))
    if properties:
        fields = [properties.pop(name, None) for name in NAMES]
        assert not properties, f"unknown properties {properties}"
        fields = [Symbol(v) if name in SYMBOLS and v else v for name, v in zip(NAMES, fields, strict=True)]
        while fields and fields[-1] is None:
            fields.pop()
        out += encode(Described(PROPERTIES, fields))
    if app is not None:
        out += encode(Described(APPLICATION, app))
    if value is not None:
        return out + encode(Described(VALUE, value))
    for part in body if isinstance(body, list) else [body]:
        out += encode(Described(DATA, part))
    return out


class Message:
    """A message that was read. Absent sections are empty; `body` is None without a data section."""

    def __init__(self, data):
        self.header, self.annotations, self.app, self.body, self.value = [], {}, {}, None, None
        self.delivery_annotations = {}
        self.sections = []
        fields, at = [], 0
        while at < len(data):
            section, at = decode(data, at)
            self.sections.append(section.descriptor)
            if section.descriptor == HEADER:
                self.header = section.value
            elif section.descriptor == DELIVERY:
                self.delivery_annotations = section.value
            elif section.descriptor == ANNOTATIONS:
                self.annotations = section.value
            elif section.descriptor == PROPERTIES:
                fields = section.value
            elif section.descriptor == APPLICATION:
                self.app = section.value
            elif section.descriptor == DATA:
                self.body = (self.body or b"") + section.value
            elif section.descriptor == VALUE:
                self.value = section.value
        self.properties = dict(zip(NAMES, fields, strict=False))

    def __getattr__(self, name):
        if name in NAMES:
            return self.properties.get(name)
        raise AttributeError(name)

    def __repr__(self):
        return f"<{self.properties} {self.annotations} {self.app} {self.body!r}>"
