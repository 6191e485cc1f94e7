"""Codecs in descriptions: what we offer, and which of the peer's we take (RFC 3264 §6.1, RFC 3551 §6).

Payload types are numbers of one leg. In an answer, and in all later offers of ours, a codec keeps the number
that the peer gave it; a number that we gave never means something else later on (RFC 3264 §8.3.2). A peer may
answer our offer under another number than ours: then it is sent to under its own, and sends under ours.

G.729 can only be passed on, since we cannot code it: it is taken when a party has nothing else that is ours,
and then it alone is offered to whoever shall talk with that party.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Literal

import msgspec

from sipcc.errors import NoCommonCodec
from sipcc.rtp.flow import CodecName, KeyMethod, StreamParams
from sipcc.rtp.formats import SPECS, CodecSpec
from sipcc.sip.sdp import Attribute, MediaDescription, RtpMap

EVENTS = "telephone-event"
NOISE = RtpMap(13, "CN", 8000)
"""Comfort noise (RFC 3389)."""

_DYNAMIC = range(96, 128)
_USUAL = {("opus", 48000): 96, ("l16", 8000): 97, ("l16", 16000): 98, (EVENTS, 8000): 101,
          (EVENTS, 16000): 102, (EVENTS, 48000): 110}  # fmt: skip
"""The numbers under which we offer what has none of its own."""

_PARAMETERS = {
    # §7.1 of RFC 7587; the limit is what speech needs, and what browsers keep to
    "opus": "useinbandfec=1;stereo=0;maxaveragebitrate=24000;minptime=10",
    # no silence descriptors: what we record of them is silence at best (RFC 3551 §4.5.6)
    "g729": "annexb=no",
    EVENTS: "0-15",
}
"""Our parameters, by encoding name."""

MAX_PARAMETERS = 512
"""Characters of a peer's parameters of a codec; browsers need 60. Longer ones are passed over."""

_Key = tuple[str, int]


class CodecRules(msgspec.Struct, frozen=True):
    """How we offer and choose, as ``[media]`` has it."""

    choice: Literal["theirs", "ours"] = "theirs"
    event_lines: Literal["all", "one"] = "all"
    comfort_noise: bool = False
    keys: KeyMethod = "auto"
    """How keys are heard; key events are agreed on with ``auto`` and ``events`` only."""
    fax_tones: bool = False

    @property
    def key_events(self) -> bool:
        """True when we offer and take key events."""
        return self.keys in {"auto", "events"}


class Agreed(msgspec.Struct, frozen=True):
    """The formats of an audio line that both sides have. The numbers are those that the peer receives."""

    spec: CodecSpec
    audio: RtpMap
    fmtp: str = ""
    """The peer's parameters of the codec."""
    events: RtpMap | None = None
    noise: RtpMap | None = None
    receive_type: int | None = None
    """The number under which the peer sends the codec, when it is another one."""
    receive_event_type: int | None = None

    @property
    def codec(self) -> CodecName:
        """The codec."""
        return self.spec.name

    @property
    def maps(self) -> list[RtpMap]:
        """What an answer lists."""
        return [entry for entry in (self.audio, self.noise, self.events) if entry is not None]


class CodecTable:
    """The codecs of one leg, best first, and the numbers that they go by."""

    def __init__(self, codecs: Sequence[CodecName], rules: CodecRules | None = None) -> None:
        self._codecs = tuple(codecs)
        self.rules = rules or CodecRules()
        self._numbers: dict[_Key, int] = {}
        self._offered: dict[int, RtpMap] = {}

    def offer(self, *, prefer: CodecName | None, params: StreamParams | None) -> list[RtpMap]:
        """What our offer lists: `prefer` first, or else the codec of `params`, the stream as it is."""
        if params is not None:
            prefer = prefer or params.codec
            self._remember(params)
        if prefer == "G729" and "G729" in self._codecs:
            ordered = ["G729"]
        else:
            ordered = sorted(
                (name for name in self._codecs if name != "G729"), key=lambda name: name != prefer
            )
        specs = [entry for name in ordered for entry in SPECS if entry.name == name]
        if not specs:
            raise NoCommonCodec("G729 is only passed on, and nothing else may be offered")
        maps = [
            RtpMap(
                self._number(entry.name, entry.clock_rate_hz, entry.payload_type),
                entry.name,
                entry.clock_rate_hz,
                entry.channels,
            )
            for entry in specs
        ]
        if self.rules.comfort_noise and any(entry.rate_hz == NOISE.rate_hz for entry in maps):
            maps.append(NOISE)
        rates = dict.fromkeys(entry.rate_hz for entry in maps)
        if self.rules.event_lines == "one" and len(rates) > 1:
            rates = dict.fromkeys([8000])
        if self.rules.key_events:
            maps += [RtpMap(self._number(EVENTS, rate), EVENTS, rate) for rate in rates]
        self._offered = {entry.payload_type: entry for entry in maps}
        return maps

    def choose(
        self,
        audio: MediaDescription,
        *,
        answered: bool = False,
        prefer: CodecName | None = None,
        ours: bool = False,
    ) -> Agreed:
        """What we have in common with an audio line of the peer.

        Args:
            audio: the line.
            answered: True when it answers our offer: the first of its codecs that we offered counts then, and
                a number that it does not explain means what it meant in our offer.
            prefer: a codec that shall be taken if the line has it.
            ours: True lets our order count, whatever the rules say.

        Raises:
            NoCommonCodec: there is nothing.
        """
        maps = self._explained(audio) if answered else audio.rtpmaps
        known = [(entry, found) for entry in maps if (found := self._known(entry)) is not None]
        if answered:
            offered = {_key(entry) for entry in self._offered.values()}
            known = [(entry, found) for entry, found in known if _key(entry) in offered]
        if not known:
            raise NoCommonCodec(f"none of {', '.join(self._codecs)} is offered")
        entry, found = known[0] if answered else self._best(known, prefer, ours=ours)
        events = _events_for(maps, found.clock_rate_hz) if self.rules.key_events else None
        noise = None
        if self.rules.comfort_noise and found.clock_rate_hz == NOISE.rate_hz:
            noise = next((m for m in maps if m.encoding.upper() == "CN" and m.rate_hz == NOISE.rate_hz), None)
        if not answered:
            self._learn(maps)
        parameters = audio.fmtp(entry.payload_type) or ""
        return Agreed(
            found,
            entry,
            parameters if len(parameters) <= MAX_PARAMETERS else "",
            events,
            noise,
            self._differing(entry) if answered else None,
            self._differing(events) if answered and events else None,
        )

    def _best(
        self, known: list[tuple[RtpMap, CodecSpec]], prefer: CodecName | None, *, ours: bool
    ) -> tuple[RtpMap, CodecSpec]:
        """Which of the offered ones we take: `prefer`, else by the rule of choice, and G.729 last."""
        order = [*self._codecs]
        ours = ours or self.rules.choice == "ours"

        def rank(index: int) -> tuple[bool, bool, int]:
            spec = known[index][1]
            by_order = order.index(spec.name) if ours else 0
            return spec.name != prefer, not spec.encodes, by_order

        return known[min(range(len(known)), key=rank)]

    def _known(self, entry: RtpMap) -> CodecSpec | None:
        """The codec that an rtpmap names, when it is one of ours."""
        found = _BY_MAP.get(_key(entry))
        if found is None or found.name not in self._codecs:
            return None
        # "opus/48000" without its "/2" is what some phones write (RFC 7587 §7 wants both)
        return found if entry.channels == found.channels or found.name == "opus" else None

    def _explained(self, audio: MediaDescription) -> Iterable[RtpMap]:
        """The formats of an answer; those without an rtpmap are what we offered under their number."""
        own = {entry.payload_type: entry for entry in audio.rtpmaps}
        found = (own.get(kind) or self._offered.get(kind) for kind in audio.payload_types)
        return [entry for entry in found if entry is not None]

    def _learn(self, maps: Iterable[RtpMap]) -> None:
        """Keep the peer's numbers for our own offers to come."""
        for entry in maps:
            key, kind = _key(entry), entry.payload_type
            ours = self._known(entry) is not None or key[0] == EVENTS
            free = key not in self._numbers and kind not in self._numbers.values()
            if ours and free and kind in _DYNAMIC:
                self._numbers[key] = kind

    def _remember(self, params: StreamParams) -> None:
        """Keep the numbers of the stream as it is, which another process may have agreed on."""
        audio = params.payload_type if params.receive_payload_type is None else params.receive_payload_type
        if audio in _DYNAMIC:
            self._numbers.setdefault((params.codec.lower(), params.clock_rate_hz), audio)
        events = params.receive_event_payload_type
        events = params.event_payload_type if events is None else events
        if events is not None and events in _DYNAMIC and events not in self._numbers.values():
            self._numbers.setdefault((EVENTS, params.event_clock_rate_hz), events)

    def _number(self, encoding: str, rate_hz: int, static: int | None = None) -> int:
        """The payload type under which we offer something, the same one each time."""
        if static is not None:
            return static
        key = (encoding.lower(), rate_hz)
        if key not in self._numbers:
            taken = set(self._numbers.values())
            # a number of another codec's habit is left to it, for that one may be offered later
            free = (kind for kind in (_USUAL[key], *_DYNAMIC) if kind not in taken)
            self._numbers[key] = next(free)
        return self._numbers[key]

    def _differing(self, entry: RtpMap) -> int | None:
        """The number of our offer for what the answer names by another one."""
        ours = next((kind for kind, own in self._offered.items() if _key(own) == _key(entry)), None)
        return ours if ours != entry.payload_type else None


def _key(entry: RtpMap) -> _Key:
    return entry.encoding.lower(), entry.rate_hz


_BY_MAP: dict[_Key, CodecSpec] = {(entry.name.lower(), entry.clock_rate_hz): entry for entry in SPECS}


def _events_for(maps: Iterable[RtpMap], rate_hz: int) -> RtpMap | None:
    """The telephone-event of a codec: at its clock rate, else at 8000, else at whatever rate there is.

    RFC 4733 §2.4.1 wants the rate of the audio; phones are known that only name another one.
    """
    lines = [entry for entry in maps if entry.encoding.lower() == EVENTS]
    return min(lines, key=lambda entry: (entry.rate_hz != rate_hz, entry.rate_hz != 8000), default=None)


def format_attributes(maps: Sequence[RtpMap]) -> list[Attribute]:
    """The rtpmap and fmtp lines of formats that we list."""
    attributes = [("rtpmap", str(entry)) for entry in maps]
    attributes += [
        ("fmtp", f"{entry.payload_type} {parameters}")
        for entry in maps
        if (parameters := _PARAMETERS.get(entry.encoding.lower())) is not None
    ]
    return attributes
