"""The Java SDKs' classes as Python objects: each call is made in the JVM by name (java/src/Objects.java).

`java.sdk.registry.RegistryClient(text)` makes one, `java.sdk.query.QueryPageOptions.builder()` calls a static method."""

import base64


class Class:
    """A class or a package; what follows its dots is a class, a package or a static method."""

    def __init__(self, java, name):
        self.java = java
        self.name = name

    def __getattr__(self, part):
        return Class(self.java, f"{self.name}.{part}")

    def __call__(self, *arguments):
        owner, _, last = self.name.rpartition(".")
        if last[0].isupper():
            return ask(self.java, "objectNew", arguments, **{"class": self.name})
        return ask(self.java, "objectStatic", arguments, method=last, **{"class": owner})


class Object:
    """An object in the JVM; `kind` is its class without the package."""

    def __init__(self, java, shown):
        self.java = java
        self.ref = shown["$ref"]
        self.kind = shown["class"]

    def __getattr__(self, method):
        return lambda *arguments: ask(self.java, "objectCall", arguments, ref=self.ref, method=method)

    def __iter__(self):
        return iter(ask(self.java, "objectList", (), ref=self.ref))

    def __repr__(self):
        return f"{self.kind} {self.ref}"


class Callback:
    """An interface of Java: each call is the event `callback` with this name and is answered with the next of the answers."""

    def __init__(self, name, *answers):
        self.name = name
        self.answers = answers


class Constant:
    """A constant of an enum, where the parameter's type does not say which."""

    def __init__(self, kind, name):
        self.kind = kind
        self.name = name


def ask(java, op, arguments, **fields):
    return shown(java, java.ask(op, args=[made(one) for one in arguments], **fields))


def made(value):
    """A value as Java's side reads it."""
    if isinstance(value, Object):
        return {"$ref": value.ref}
    if isinstance(value, Class):
        return {"$class": value.name}
    if isinstance(value, Constant):
        return {"$enum": value.kind.name, "name": value.name}
    if isinstance(value, Callback):
        return {"$callback": value.name, "answers": [made(one) for one in value.answers]}
    if isinstance(value, bytes):
        return {"$bytes": base64.b64encode(value).decode()}
    if isinstance(value, dict):
        return {name: made(one) for name, one in value.items()}
    return [made(one) for one in value] if isinstance(value, (list, tuple)) else value


def shown(java, value):
    """A value as Java's side tells it."""
    if isinstance(value, dict):
        if "$ref" in value:
            return Object(java, value)
        if "$bytes" in value:
            return base64.b64decode(value["$bytes"])
        return {name: shown(java, one) for name, one in value.items()}
    return [shown(java, one) for one in value] if isinstance(value, list) else value
