"""SAS tokens and connection strings, made here from the standard library alone: the hub is not checked by itself."""

import base64
import hashlib
import hmac
import time
import urllib.parse


def token(resource, key, policy=None, expiry=None, raw_key=False):
    """A token over `resource`, e.g. `localhost/devices/dev1`. `raw_key` signs as the Event Hubs SDKs do."""
    expiry = int(time.time()) + 3600 if expiry is None else expiry
    encoded = urllib.parse.quote(resource, safe="")
    secret = key.encode() if raw_key else base64.b64decode(key)
    digest = hmac.new(secret, f"{encoded}\n{expiry}".encode(), hashlib.sha256).digest()
    signature = urllib.parse.quote(base64.b64encode(digest), safe="")
    text = f"SharedAccessSignature sr={encoded}&sig={signature}&se={expiry}"
    return text + (f"&skn={policy}" if policy else "")


def parse(connection_string):
    """The parts of a connection string as a dictionary. Values may hold `=`."""
    return dict(part.split("=", 1) for part in connection_string.split(";") if part)
