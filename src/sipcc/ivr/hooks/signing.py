"""Who asks: what requests to applications carry so that these can tell, as a core."""

from __future__ import annotations

import base64
import hashlib
import hmac
from collections.abc import Mapping


def basic(user: str, password: str) -> str:
    """The value of ``Authorization`` for Basic authentication (RFC 7617)."""
    return "Basic " + base64.b64encode(f"{user}:{password}".encode()).decode()


def jambonz_signature(secret: str, body: bytes, wall: float) -> str:
    """The value of ``Jambonz-Signature``: the time, and HMAC-SHA-256 over the time, a dot and the body.

    Args:
        secret: What both sides know.
        body: JSON as JavaScript would write it: the application writes it again before it compares.
        wall: The Unix time.
    """
    time = str(int(wall))
    mac = hmac.new(secret.encode(), time.encode() + b"." + body, hashlib.sha256)
    return f"t={time},v1={mac.hexdigest()}"


def twilio_signature(token: str, url: str, parameters: Mapping[str, str]) -> str:
    """The value of ``X-Twilio-Signature``: HMAC-SHA-1 over the URL and the sorted parameters of a form.

    Args:
        token: What both sides know.
        url: With its query, and without user and password.
        parameters: Of a POST; empty for a GET, whose parameters stand in the URL.
    """
    text = url + "".join(name + parameters[name] for name in sorted(parameters))
    return base64.b64encode(hmac.new(token.encode(), text.encode(), hashlib.sha1).digest()).decode()
