"""Session descriptions (RFC 8866) as a frozen model that keeps what it does not know.

Reading is strict about what we act on (origin, connection, media lines, payload types) and keeps all
other lines as they came, in their order. Bare LF is accepted as a line end, as RFC 8866 §5 asks; a
missing ``s=`` or ``t=`` is forgiven, because gateways forget them and nothing depends on them.
"""

from __future__ import annotations

import ipaddress
import re
from typing import Literal, NamedTuple, get_args

import msgspec

from sipcc.errors import ParseError
from sipcc.sip.grammar import text, wire

Direction = Literal["sendrecv", "sendonly", "recvonly", "inactive"]

_DIRECTIONS: dict[str, Direction] = {name: name for name in get_args(Direction)}
_REVERSED: dict[Direction, Direction] = {"sendonly": "recvonly", "recvonly": "sendonly"}

_LINE = re.compile(rb"([a-z])=([^\x00\r\n]*)")
_MEDIA = re.compile(
    rb"([A-Za-z0-9!#$%&'*+.^_`{|}~-]{1,32}) ([0-9]{1,5})(?:/([0-9]{1,5}))? "
    rb"([A-Za-z0-9!#$%&'*+.^_`{|}~/-]{1,64}) (\S+(?: +\S+)*) *"
)
_CONNECTION = re.compile(rb"IN (IP[46]) ([A-Za-z0-9.:_-]{1,255})(/[0-9]{1,3}(?:/[0-9]{1,5})?)? *")
_ORIGIN = re.compile(rb"(\S{1,128}) +([0-9]{1,20}) +([0-9]{1,20}) +IN +(IP[46]) +([A-Za-z0-9.:_-]{1,255}) *")
_RTPMAP = re.compile(r"([0-9]{1,3}) +([A-Za-z0-9!#$%&'*+.^_`{|}~-]+)/([0-9]{1,6})(?:/([0-9]{1,2}))? *")
_BANDWIDTH = re.compile(rb"[A-Za-z0-9-]+:[0-9]{1,10} *")
_NUMBER = re.compile(r"[0-9]{1,5}")


class SdpLimits(msgspec.Struct, frozen=True, kw_only=True):
    """How much of a description we read; more earns 488."""

    lines: int = 1024
    """All lines; WebRTC offers with many candidates have about 200."""
    media: int = 32
    """Media lines; each costs a port or a refusal in the answer."""
    formats: int = 128
    """Formats of a media line: there are 128 RTP payload types."""


SDP_LIMITS = SdpLimits()

Attribute = tuple[str, str]
"""Name and value of an ``a=`` line; a flag such as ``sendonly`` has the value ``""``."""


class RtpMap(NamedTuple):
    """What a payload type means."""

    payload_type: int
    encoding: str
    """Name of the codec in the case of the sender; compare without case."""
    rate_hz: int
    channels: int = 1

    def __str__(self) -> str:
        channels = f"/{self.channels}" if self.channels != 1 else ""
        return f"{self.payload_type} {self.encoding}/{self.rate_hz}{channels}"


STATIC = {
    kind: RtpMap(kind, encoding, 8000)
    for kind, encoding in (
        (0, "PCMU"), (3, "GSM"), (4, "G723"), (8, "PCMA"), (9, "G722"), (13, "CN"), (15, "G728"),
        (18, "G729"),
    )
}  # fmt: skip
"""Payload types that need no rtpmap (RFC 3551 §6)."""


class Connection(msgspec.Struct, frozen=True):
    """A ``c=`` line. `suffix` holds the TTL and count of a multicast address, as ``/127``."""

    host: str
    family: str = "IP4"
    suffix: str = ""

    @classmethod
    def to_host(cls, host: str) -> Connection:
        """The connection line of an address of ours; the family is taken from its form."""
        return cls(host, "IP6" if ":" in host else "IP4")

    @property
    def is_null(self) -> bool:
        """True for the address that once meant hold (RFC 3264 §8.4)."""
        return self.host in {"0.0.0.0", "::"}

    def __str__(self) -> str:
        return f"IN {self.family} {self.host}{self.suffix}"


class Origin(msgspec.Struct, frozen=True):
    """An ``o=`` line. `session_id` and `version` are 64-bit numbers."""

    username: str
    session_id: int
    version: int
    host: str
    family: str = "IP4"

    def __str__(self) -> str:
        return f"{self.username} {self.session_id} {self.version} IN {self.family} {self.host}"


class MediaDescription(msgspec.Struct, frozen=True):
    """One ``m=`` line and what belongs to it."""

    kind: str
    port: int
    """0 refuses or ends this media."""
    protocol: str
    formats: tuple[str, ...]
    connection: Connection | None = None
    """Its own ``c=`` line; see `SessionDescription.connection_of`."""
    attributes: tuple[Attribute, ...] = ()
    bandwidth: tuple[str, ...] = ()
    others: tuple[Attribute, ...] = ()
    """Lines of other letters (``i``, ``k``) as (letter, value)."""
    port_count: int = 1

    def get(self, name: str) -> str | None:
        """The value of the first attribute of that name, ``""`` for a flag, None when absent."""
        return _get(self.attributes, name)

    def get_all(self, name: str) -> list[str]:
        """The values of all attributes of that name."""
        return [value for have, value in self.attributes if have == name]

    @property
    def is_rtp(self) -> bool:
        """True when the formats are RTP payload types."""
        return "RTP/" in self.protocol

    @property
    def payload_types(self) -> list[int]:
        """The RTP payload types in order of preference, each once."""
        return list(dict.fromkeys(int(name) for name in self.formats)) if self.is_rtp else []

    def rtpmap(self, payload_type: int) -> RtpMap | None:
        """What a payload type means, by its rtpmap or by RFC 3551; None for a dynamic one without."""
        for value in self.get_all("rtpmap"):
            match = _RTPMAP.fullmatch(value)
            if match and int(match[1]) == payload_type:
                return RtpMap(payload_type, match[2], int(match[3]), int(match[4] or 1))
        return STATIC.get(payload_type)

    @property
    def rtpmaps(self) -> list[RtpMap]:
        """All payload types that have a meaning, in order of preference."""
        maps: dict[int, RtpMap] = {}
        for value in self.get_all("rtpmap"):
            match = _RTPMAP.fullmatch(value)
            if match:
                kind = int(match[1])
                maps.setdefault(kind, RtpMap(kind, match[2], int(match[3]), int(match[4] or 1)))
        found = (maps.get(kind) or STATIC.get(kind) for kind in self.payload_types)
        return [entry for entry in found if entry is not None]

    def fmtp(self, payload_type: int) -> str | None:
        """The format parameters of a payload type, or None."""
        for value in self.get_all("fmtp"):
            kind, _, parameters = value.partition(" ")
            if kind == str(payload_type):
                return parameters.strip(" ")
        return None

    @property
    def ptime(self) -> int | None:
        """Milliseconds of audio per packet that the sender of this wants to receive, or None."""
        return _small_number(self.get("ptime"))

    @property
    def maxptime(self) -> int | None:
        """Most milliseconds per packet, or None."""
        return _small_number(self.get("maxptime"))

    @property
    def direction(self) -> Direction | None:
        """This media's own direction, or None; see `SessionDescription.direction_of`."""
        return _direction(self.attributes)

    @property
    def rtcp_mux(self) -> bool:
        """True when RTCP may share the RTP port (RFC 5761)."""
        return self.get("rtcp-mux") is not None

    def refused(self) -> MediaDescription:
        """This line in an answer that refuses it: port 0, no attributes (RFC 3264 §6)."""
        return MediaDescription(self.kind, 0, self.protocol, self.formats)

    def lines(self) -> list[str]:
        """The lines of this media, without line ends."""
        count = f"/{self.port_count}" if self.port_count != 1 else ""
        out = [f"m={self.kind} {self.port}{count} {self.protocol} {' '.join(self.formats)}"]
        out += [f"{letter}={value}" for letter, value in self.others if letter == "i"]
        if self.connection is not None:
            out.append(f"c={self.connection}")
        out += [f"b={value}" for value in self.bandwidth]
        out += [f"{letter}={value}" for letter, value in self.others if letter != "i"]
        return out + _attribute_lines(self.attributes)


class SessionDescription(msgspec.Struct, frozen=True):
    """A whole description."""

    origin: Origin
    media: tuple[MediaDescription, ...] = ()
    connection: Connection | None = None
    name: str = "-"
    attributes: tuple[Attribute, ...] = ()
    bandwidth: tuple[str, ...] = ()
    others: tuple[Attribute, ...] = ()
    """Lines of other letters (``i u e p t r z k``) as (letter, value), in their order."""

    @classmethod
    def build(
        cls,
        host: str,
        media: tuple[MediaDescription, ...],
        *,
        session_id: int,
        version: int = 1,
        attributes: tuple[Attribute, ...] = (),
    ) -> SessionDescription:
        """A description of ours with one connection for all media.

        `session_id` comes from `Ids.bits`; `OfferAnswer` looks after `version`.
        """
        connection = Connection.to_host(host)
        origin = Origin("-", session_id, version, host, connection.family)
        return cls(origin, media, connection, attributes=attributes)

    @classmethod
    def parse(cls, data: bytes, *, limits: SdpLimits = SDP_LIMITS) -> SessionDescription:
        """Read a description.

        Raises:
            ParseError: layer ``body``; its status_hint is 400, or 488 when a limit is exceeded.
        """
        return _Reader(limits).read(data)

    def __str__(self) -> str:
        return text(bytes(self))

    def __bytes__(self) -> bytes:
        out = ["v=0", f"o={self.origin}", f"s={self.name}"]
        times = [f"{letter}={value}" for letter, value in self.others if letter in "trz"]
        out += [f"{letter}={value}" for letter, value in self.others if letter in "iuep"]
        if self.connection is not None:
            out.append(f"c={self.connection}")
        out += [f"b={value}" for value in self.bandwidth]
        out += times or ["t=0 0"]
        out += [f"{letter}={value}" for letter, value in self.others if letter not in "iueptrz"]
        out += _attribute_lines(self.attributes)
        for media in self.media:
            out += media.lines()
        return b"".join(wire(line) + b"\r\n" for line in out)

    @property
    def audio(self) -> MediaDescription | None:
        """The first audio media that is not refused, or None."""
        return next((media for media in self.media if media.kind == "audio" and media.port), None)

    def get(self, name: str) -> str | None:
        """The value of a session attribute, ``""`` for a flag, None when absent."""
        return _get(self.attributes, name)

    def connection_of(self, media: MediaDescription) -> Connection | None:
        """Where `media` is received: its own connection line or that of the session."""
        return media.connection or self.connection

    def direction_of(self, media: MediaDescription) -> Direction:
        """The direction of `media`, as its sender sees it: own, of the session, or sendrecv."""
        return media.direction or _direction(self.attributes) or "sendrecv"

    def is_hold(self, media: MediaDescription) -> bool:
        """True when `media` puts us on hold, in any spelling: sendonly, inactive, or a null address."""
        connection = self.connection_of(media)
        null = connection is not None and connection.is_null
        return null or self.direction_of(media) in {"sendonly", "inactive"}

    def rtcp_of(self, media: MediaDescription) -> tuple[str, int]:
        """Host and port for RTCP to `media`: a=rtcp (RFC 3605), the RTP port with mux, or the next port."""
        connection = self.connection_of(media)
        host = connection.host if connection else ""
        value = media.get("rtcp")
        if value is not None:
            words = value.split(" ")
            port = _small_number(words[0])
            if port is not None and 0 < port < 65536:
                return (words[3] if len(words) == 4 and words[1] == "IN" else host), port
        return host, media.port if media.rtcp_mux else media.port + 1


def reverse(direction: Direction) -> Direction:
    """The same direction seen from the other end."""
    return _REVERSED.get(direction, direction)


def _get(attributes: tuple[Attribute, ...], name: str) -> str | None:
    return next((value for have, value in attributes if have == name), None)


def _direction(attributes: tuple[Attribute, ...]) -> Direction | None:
    return next((_DIRECTIONS[name] for name, _ in attributes if name in _DIRECTIONS), None)


def _small_number(value: str | None) -> int | None:
    return int(value) if value is not None and _NUMBER.fullmatch(value.strip(" ")) else None


def _attribute_lines(attributes: tuple[Attribute, ...]) -> list[str]:
    return [f"a={name}:{value}" if value else f"a={name}" for name, value in attributes]


def _bad(message: str, line: bytes = b"", status: int = 400) -> ParseError:
    return ParseError(f"{message} {line[:60]!r}" if line else message, layer="body", status_hint=status)


class _Section:
    """The session part, or one media part, while it is read."""

    def __init__(self) -> None:
        self.connection: Connection | None = None
        self.attributes: list[Attribute] = []
        self.bandwidth: list[str] = []
        self.others: list[Attribute] = []


class _Reader:
    def __init__(self, limits: SdpLimits) -> None:
        self._limits = limits
        self._session = _Section()
        self._sections: list[tuple[bytes, _Section]] = []
        self._origin: Origin | None = None
        self._name = "-"

    def read(self, data: bytes) -> SessionDescription:
        lines = data.replace(b"\r\n", b"\n").split(b"\n", self._limits.lines)
        while lines and not lines[-1]:
            lines.pop()
        if len(lines) > self._limits.lines:
            raise _bad("a description with too many lines", status=488)
        if not lines or lines[0] != b"v=0":
            raise _bad("not a session description", lines[0] if lines else b"")
        section = self._session
        for line in lines[1:]:
            match = _LINE.fullmatch(line)
            if match is None:
                raise _bad("not a line of a description:", line)
            letter, value = match[1], match[2]
            if letter == b"m":
                section = _Section()
                self._sections.append((value, section))
                if len(self._sections) > self._limits.media:
                    raise _bad("too many media", status=488)
            else:
                self._read_line(section, letter, value)
        if self._origin is None:
            raise _bad("no o= line")
        return SessionDescription(
            self._origin,
            tuple(self._read_media(value, section) for value, section in self._sections),
            self._session.connection,
            self._name,
            tuple(self._session.attributes),
            tuple(self._session.bandwidth),
            tuple(self._session.others),
        )

    def _read_line(self, section: _Section, letter: bytes, value: bytes) -> None:
        if letter == b"a":
            name, _, content = value.partition(b":")
            if not name or b" " in name:
                raise _bad("a bad attribute:", value)
            section.attributes.append((text(name), text(content)))
        elif letter == b"c":
            connection = _read_connection(value)
            section.connection = section.connection or connection  # more than one: a layered group's first
        elif letter == b"b":
            if not _BANDWIDTH.fullmatch(value):
                raise _bad("a bad bandwidth:", value)
            section.bandwidth.append(text(value))
        elif letter == b"o" and section is self._session:
            if self._origin is not None:
                raise _bad("two o= lines")
            self._origin = _read_origin(value)
        elif letter == b"s" and section is self._session:
            self._name = text(value) or " "
        elif letter not in {b"v", b"o", b"s"}:
            section.others.append((letter.decode("ascii"), text(value)))

    def _read_media(self, value: bytes, section: _Section) -> MediaDescription:
        match = _MEDIA.fullmatch(value)
        if match is None or int(match[2]) > 65535:
            raise _bad("a bad media line:", value)
        kind, port, count, protocol, rest = match.groups()
        formats = rest.split()
        if len(formats) > self._limits.formats:
            raise _bad("too many formats", status=488)
        if b"RTP/" in protocol and not all(f.isdigit() and len(f) <= 3 and int(f) < 128 for f in formats):
            raise _bad("a payload type that is none:", value)
        return MediaDescription(
            text(kind),
            int(port),
            text(protocol),
            tuple(text(name) for name in formats),
            section.connection,
            tuple(section.attributes),
            tuple(section.bandwidth),
            tuple(section.others),
            int(count or 1),
        )


def _read_connection(value: bytes) -> Connection:
    match = _CONNECTION.fullmatch(value)
    if match is None:
        raise _bad("a bad connection:", value)
    family, host = text(match[1]), text(match[2])
    _check_host(family, host, value)
    return Connection(host, family, text(match[3] or b""))


def _read_origin(value: bytes) -> Origin:
    match = _ORIGIN.fullmatch(value)
    if match is None:
        raise _bad("a bad origin:", value)
    session_id, version = int(match[2]) & (2**64 - 1), int(match[3]) & (2**64 - 1)
    return Origin(text(match[1]), session_id, version, text(match[5]), text(match[4]))


def _check_host(family: str, host: str, value: bytes) -> None:
    """An address must be one of its family; a name is let through, to be resolved or refused later."""
    if ":" not in host and not host.replace(".", "").isdigit():
        return
    try:
        ipaddress.IPv6Address(host) if family == "IP6" else ipaddress.IPv4Address(host)
    except ValueError as error:
        raise _bad("a bad address:", value) from error
