"""The ``a=crypto`` lines of a description: a suite, a key, and the terms that come with it (RFC 4568).

Reading is strict. A line whose terms we do not keep is as good as none: who encrypted by another reading of
it would only be heard as noise. `read_crypto` therefore returns only lines that can be used as they stand,
and says of others why not.
"""

from __future__ import annotations

import base64
import binascii
import re

import msgspec

_LINE = re.compile(r"([0-9]{1,9}) +([A-Za-z0-9_]{1,64}) +(\S+)((?: +\S+)*) *")
_KEY = re.compile(r"inline:([A-Za-z0-9+/]{1,128}={0,2})(\|[^;]*)?")
_LIFETIME = re.compile(r"2\^([1-9][0-9]?)|[1-9][0-9]{0,14}")
_MKI = re.compile(r"[0-9]{1,15}:[0-9]{1,3}")
_WINDOW = re.compile(r"WSH=[0-9]{2,}")

MAX_LIFETIME = 2**48
"""Packets of SRTP under one key (RFC 3711 §9.2)."""


class CryptoLine(msgspec.Struct, frozen=True):
    """One ``a=crypto`` line that can be used."""

    tag: int
    """Names the line in the answer."""
    suite: str
    key: bytes
    """Master key and salt of what the sender of the line sends; its length is for the suite to judge."""
    lifetime: int | None = None
    """Packets after which the sender takes another key; none for as many as SRTP allows."""

    def __str__(self) -> str:
        """The value of the attribute, without the lifetime: ours is that of SRTP."""
        return f"{self.tag} {self.suite} inline:{base64.b64encode(self.key).decode()}"

    def __repr__(self) -> str:
        return f"CryptoLine({self.tag}, {self.suite!r})"  # keys are for no log and no traceback


def read_crypto(value: str) -> CryptoLine:
    """Read the value of an ``a=crypto`` attribute (RFC 4568 §9.1).

    Raises:
        ValueError: it is malformed, or has terms that we do not keep: several keys, an MKI, or a session
            parameter that is not marked as optional. The window size hint changes nothing and is let pass.
    """
    line = _LINE.fullmatch(value)
    if line is None:
        raise ValueError("a crypto line needs a tag, a suite and a key")
    if ";" in line[3]:
        raise ValueError("a crypto line with several keys")
    key = _KEY.fullmatch(line[3])
    if key is None:
        raise ValueError("a crypto line whose key is not inline")
    for parameter in line[4].split():
        # RFC 4568 §6.3.7: a parameter with a minus before it may be passed over, all others must be kept
        if not parameter.startswith("-") and not _WINDOW.fullmatch(parameter):
            raise ValueError(f"a crypto line with {parameter.partition('=')[0][:40]}")
    text = key[1].rstrip("=")
    try:
        # padding is left out by some; what is there must be right
        decoded = base64.b64decode(text + "=" * (-len(text) % 4), validate=True)
    except binascii.Error as error:
        raise ValueError("a crypto line whose key is no base64") from error
    return CryptoLine(int(line[1]), line[2], decoded, _lifetime((key[2] or "").split("|")[1:]))


def _lifetime(terms: list[str]) -> int | None:
    """What follows the key: a lifetime in packets, or an MKI, or both, in this order."""
    lifetime = None
    if terms and (match := _LIFETIME.fullmatch(terms[0])):
        lifetime = 1 << int(match[1]) if match[1] else int(terms[0])
        if lifetime > MAX_LIFETIME:
            raise ValueError("a crypto line whose key lives longer than SRTP allows")
        del terms[0]
    if len(terms) == 1 and _MKI.fullmatch(terms[0]):
        raise ValueError("a crypto line with an MKI")
    if terms:
        raise ValueError("a crypto line with unknown terms for its key")
    return lifetime
