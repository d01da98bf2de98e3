"""AMQP 1.0 values and frames, with their exact types kept: what the SDKs insist on cannot be seen through a library."""

import struct
import uuid


class Symbol(str):
    """A symbol; a plain `str` is a string."""


class UByte(int):
    """50"""


class UShort(int):
    """60"""


class UInt(int):
    """70, 52, 43"""


class ULong(int):
    """80, 53, 44"""


class Int(int):
    """71, 54"""


class Long(int):
    """81, 55"""


class Timestamp(int):
    """83: milliseconds since 1970"""


class Described:
    """A described value; the descriptors used here are numbers, and the symbols of filters."""

    def __init__(self, descriptor, value):
        self.descriptor = descriptor if isinstance(descriptor, str) else int(descriptor)
        self.value = value

    def __repr__(self):
        return f"<{self.descriptor if isinstance(self.descriptor, str) else hex(self.descriptor)} {self.value}>"

    def __eq__(self, other):
        return isinstance(other, Described) and (self.descriptor, self.value) == (other.descriptor, other.value)


FIXED = {
    UByte: (0x50, ">B"), UShort: (0x60, ">H"), UInt: (0x70, ">I"), ULong: (0x80, ">Q"), Int: (0x71, ">i"),
    Long: (0x81, ">q"), Timestamp: (0x83, ">q"), float: (0x82, ">d"),
}


def variable(short, long, data):
    if len(data) < 256:
        return bytes([short, len(data)]) + data
    return bytes([long]) + struct.pack(">I", len(data)) + data


def compound(short, long, count, data):
    if len(data) < 255 and count < 256:
        return bytes([short, len(data) + 1, count]) + data
    return bytes([long]) + struct.pack(">II", len(data) + 4, count) + data


def encode(value):
    """The value's bytes. A plain `int` has no type of its own, so it is refused."""
    kind = type(value)
    if value is None:
        return b"\x40"
    if kind is bool:
        return b"\x41" if value else b"\x42"
    if kind in FIXED:
        code, layout = FIXED[kind]
        return bytes([code]) + struct.pack(layout, value)
    if kind is Symbol:
        return variable(0xA3, 0xB3, value.encode("ascii"))
    if kind is str:
        return variable(0xA1, 0xB1, value.encode())
    if kind in (bytes, bytearray):
        return variable(0xA0, 0xB0, bytes(value))
    if kind is uuid.UUID:
        return b"\x98" + value.bytes
    if kind is list:
        return compound(0xC0, 0xD0, len(value), b"".join(map(encode, value)))
    if kind is dict:
        pairs = [encode(item) for pair in value.items() for item in pair]
        return compound(0xC1, 0xD1, len(pairs), b"".join(pairs))
    if kind is Described:
        code = value.descriptor
        if isinstance(code, str):
            return b"\x00" + encode(Symbol(code)) + encode(value.value)
        return (b"\x00\x53" + bytes([code]) if code < 256 else b"\x00" + encode(ULong(code))) + encode(value.value)
    raise TypeError(f"{value!r} has no AMQP type")


READ = {
    0x50: (">B", UByte), 0x51: (">b", int), 0x60: (">H", UShort), 0x61: (">h", int), 0x70: (">I", UInt),
    0x52: (">B", UInt),
    0x80: (">Q", ULong), 0x53: (">B", ULong), 0x71: (">i", Int), 0x54: (">b", Int), 0x81: (">q", Long),
    0x55: (">b", Long),
    0x83: (">q", Timestamp), 0x72: (">f", float), 0x82: (">d", float), 0x56: (">B", bool),
}
CONSTANT = {0x40: None, 0x41: True, 0x42: False, 0x43: UInt(0), 0x44: ULong(0)}
VARIABLE = {0xA0: bytes, 0xB0: bytes, 0xA1: lambda b: b.decode(), 0xB1: lambda b: b.decode(),
            0xA3: lambda b: Symbol(b.decode("ascii")), 0xB3: lambda b: Symbol(b.decode("ascii"))}


def decode(data, at=0):
    """(value, where the next one starts)."""
    code = data[at]
    if code == 0:
        descriptor, at = decode(data, at + 1)
        value, at = decode(data, at)
        return Described(descriptor, value), at
    return decode_as(code, data, at + 1)


def decode_as(code, data, at):
    if code in CONSTANT:
        return CONSTANT[code], at
    if code in READ:
        layout, kind = READ[code]
        return kind(struct.unpack_from(layout, data, at)[0]), at + struct.calcsize(layout)
    if code in VARIABLE:
        length, at = length_of(code, data, at)
        assert len(data) >= at + length, "a value ends beyond its frame"
        return VARIABLE[code](bytes(data[at : at + length])), at + length
    if code == 0x98:
        return uuid.UUID(bytes=bytes(data[at : at + 16])), at + 16
    if code == 0x45:
        return [], at
    assert code in (0xC0, 0xD0, 0xC1, 0xD1, 0xE0, 0xF0), f"unknown format code {code:#x}"
    length, start = length_of(code, data, at)
    count, at = length_of(code, data, start)
    if code in (0xE0, 0xF0):
        items, item_code = [], data[at]
        at += 1
        for _ in range(count):
            item, at = decode_as(item_code, data, at)
            items.append(item)
    else:
        items = []
        for _ in range(count):
            item, at = decode(data, at)
            items.append(item)
    assert at == start + length, "a list, map or array is not as long as it says"
    return (dict(zip(items[::2], items[1::2], strict=True)) if code in (0xC1, 0xD1) else items), at


def length_of(code, data, at):
    if code < 0xB0 or 0xC0 <= code < 0xD0 or 0xE0 <= code < 0xF0:
        return data[at], at + 1
    return struct.unpack_from(">I", data, at)[0], at + 4


def performative(code, *fields):
    """A performative without the nulls at its end."""
    fields = list(fields)
    while fields and fields[-1] is None:
        fields.pop()
    return encode(Described(code, fields))


def frame(channel, body, kind=0):
    """A frame; `kind` 1 is SASL."""
    return struct.pack(">IBBH", len(body) + 8, 2, kind, channel) + body
