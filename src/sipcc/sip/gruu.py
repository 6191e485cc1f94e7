"""URIs that reach one device of a user from anywhere: GRUUs (RFC 5627), as a core.

A public one is the address of record with the instance in ``gr``. A temporary one says neither: its user
part is a token that only this registrar can read, a new one with each REGISTER, and all of them die when
the device registers with another Call-ID or not at all (§3.1.2).
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import hmac
import re
from typing import NamedTuple

from sipcc.sip.uri import SipUri

_PREFIX = "tgruu."
_TOKEN_BYTES = 18
_UNSAFE = re.compile(rb"[^a-z0-9\-_.!~*'()\[\]/:&+$%]")


class Device(NamedTuple):
    """One device of one user."""

    aor: str
    instance: str


class TemporaryGruus:
    """Makes and reads the tokens of temporary GRUUs.

    `secret` is at least 16 random bytes. A token is an encrypted serial number and a keyed hash; what is
    kept is one entry for each device, however many tokens it was given.
    """

    def __init__(self, secret: bytes) -> None:
        self._key = hashlib.sha256(secret).digest()
        self._serials: dict[Device, tuple[int, str]] = {}
        self._devices: dict[int, Device] = {}
        self._last = 0
        self._made = 0

    def make(self, device: Device, call_id: str) -> str:
        """A user part that leads to `device` for as long as it registers with `call_id`."""
        serial, known = self._serials.get(device, (0, ""))
        if known != call_id:
            self._devices.pop(serial, None)
            self._last += 1
            serial = self._last
            self._serials[device] = serial, call_id
            self._devices[serial] = device
        self._made += 1
        salt = self._made.to_bytes(5, "big")
        hidden = bytes(a ^ b for a, b in zip(serial.to_bytes(4, "big"), self._hash(salt, 4), strict=True))
        token = salt + hidden + self._hash(salt + hidden, 9)
        return _PREFIX + base64.urlsafe_b64encode(token).decode("ascii")

    def read(self, user: str) -> Device | None:
        """The device that a user part leads to, or None."""
        if not user.startswith(_PREFIX) or not user.isascii():
            return None
        try:
            token = base64.urlsafe_b64decode(user[len(_PREFIX) :])
        except (binascii.Error, ValueError):
            return None
        if len(token) != _TOKEN_BYTES or not hmac.compare_digest(token[9:], self._hash(token[:9], 9)):
            return None
        shown = bytes(a ^ b for a, b in zip(token[5:9], self._hash(token[:5], 4), strict=True))
        return self._devices.get(int.from_bytes(shown, "big"))

    def drop(self, device: Device) -> None:
        """The device is not registered any more: its tokens lead nowhere."""
        found = self._serials.pop(device, None)
        if found is not None:
            self._devices.pop(found[0], None)

    def _hash(self, message: bytes, size: int) -> bytes:
        return hashlib.blake2s(message, key=self._key, digest_size=size).digest()


def public_gruu(aor: SipUri, instance: str) -> SipUri:
    """The public GRUU of a device: the address of record with its instance (RFC 5627 §3.1.1)."""
    gr = instance_param(instance)
    return SipUri(scheme=aor.scheme, user=aor.user, host=aor.host, port=aor.port, params={"gr": gr})


def instance_param(instance: str) -> str:
    """An instance as it stands in a URI: in lower case, as URNs are compared, and escaped.

    What is escaped already stays so.
    """
    raw = instance.lower().encode("utf-8", "surrogateescape")
    return _UNSAFE.sub(lambda match: b"%%%02x" % match[0][0], raw).decode("ascii")


def is_gruu(uri: SipUri) -> bool:
    """True for a URI that says to be a GRUU."""
    return "gr" in uri.params
