"""How the audio of a leg is protected, as descriptions say it: in the clear, or by keys in SDP (RFC 4568).

What `SdesKeying` promises:

- *required* never carries plain RTP: it offers RTP/SAVP, refuses RTP/AVP, and an answer without a key ends
  the call;
- *optional* offers RTP/AVP with keys (RFC 8643), which a peer without SRTP passes over, and takes both;
- a leg that is protected stays so: what would undo it is refused, and the call goes on as it was;
- nothing of ours is encrypted twice under one key with the same numbers. A key lives as long as what it was
  made for: another suite, another port, or another key of the peer brings a new one (RFC 4568 §7.1.4), and a
  re-INVITE that changes nothing keeps it, with its roll-over counter.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Literal, Protocol

import msgspec

from sipcc.errors import NoCommonCodec
from sipcc.rtp.flow import SRTP_SUITES, BrowserParams, SrtpKeys, StreamParams
from sipcc.sip.sdes import CryptoLine, read_crypto
from sipcc.sip.sdp import Attribute, MediaDescription, SessionDescription

PLAIN = frozenset({"RTP/AVP", "RTP/AVPF"})
SECURE = frozenset({"RTP/SAVP", "RTP/SAVPF"})


class Keyed(msgspec.Struct, frozen=True):
    """What a description and its answer have agreed on besides codecs and addresses."""

    srtp: SrtpKeys | None = None
    browser: BrowserParams | None = None
    rtcp_mux: bool = False


class Keying(Protocol):
    """One leg's way to keys. It keeps its own state over re-INVITEs; what it refuses changes nothing."""

    @property
    def by_address(self) -> bool:
        """True when audio goes to the address of the description; False when ICE says where it goes."""
        ...

    def place(self, host: str, port: int) -> None:
        """Where our audio is received, from the next description on; perhaps there again, after all."""
        ...

    def offer(self) -> tuple[str, tuple[Attribute, ...]]:
        """Protocol and attributes of the audio line of our offer."""
        ...

    def check(self, remote: SessionDescription, audio: MediaDescription, *, answered: bool) -> None:
        """Look at the peer's audio line: its offer, or (`answered`) its answer to ours.

        Raises:
            NoCommonCodec: its protocol or its keys are none that we may take.
        """
        ...

    def answer(self, offer: SessionDescription, audio: MediaDescription) -> tuple[str, tuple[Attribute, ...]]:
        """Protocol and attributes of the audio line that answers a line which `check` has let pass."""
        ...

    def session(self) -> tuple[Attribute, ...]:
        """Attributes of the whole description that goes with the line made last."""
        ...

    def agree(self, remote: SessionDescription, audio: MediaDescription, *, answered: bool) -> Keyed:
        """Take what has been agreed on, once offer and answer are both known."""
        ...

    def reopen(self) -> None:
        """The answer came from one fork of our INVITE, and that of another takes its place."""
        ...

    def resume(self, remote: SessionDescription, params: StreamParams) -> None:
        """Go on where another process stopped: the peer's last description, and what was agreed."""
        ...


class PlainKeying:
    """Audio in the clear (RFC 3551)."""

    by_address = True

    def place(self, host: str, port: int) -> None:
        """Nothing to say but what the c= line says."""

    def offer(self) -> tuple[str, tuple[Attribute, ...]]:
        """RTP/AVP, without more."""
        return "RTP/AVP", ()

    def check(self, remote: SessionDescription, audio: MediaDescription, *, answered: bool) -> None:
        """Take RTP/AVP and RTP/AVPF."""
        if audio.protocol not in PLAIN:
            raise NoCommonCodec("no plain RTP audio is offered")

    def answer(self, offer: SessionDescription, audio: MediaDescription) -> tuple[str, tuple[Attribute, ...]]:
        """The protocol as it came."""
        return audio.protocol, ()

    def session(self) -> tuple[Attribute, ...]:
        """Nothing."""
        return ()

    def agree(self, remote: SessionDescription, audio: MediaDescription, *, answered: bool) -> Keyed:
        """Nothing but the ports."""
        return Keyed()

    def reopen(self) -> None:
        """Nothing."""

    def resume(self, remote: SessionDescription, params: StreamParams) -> None:
        """Nothing."""


class _Agreement(msgspec.Struct, frozen=True):
    """What protects a leg now."""

    protocol: str
    suite: str
    remote_key: bytes


class SdesKeying:
    """Keys that travel in the descriptions themselves, one of ours and one of the peer's."""

    by_address = True

    def __init__(
        self,
        policy: Literal["optional", "required"],
        *,
        suites: Sequence[str],
        random_bytes: Callable[[int], bytes],
    ) -> None:
        """`suites` are offered in their order, and no others are taken; `random_bytes` makes keys."""
        self._required = policy == "required"
        self._tags = {suite: tag for tag, suite in enumerate(suites, 1)}
        self._random_bytes = random_bytes
        self._keys: dict[str, bytes] = {}
        """Our key for each suite; a suite that was left behind has none."""
        self._place = ("", 0)
        self._elsewhere: dict[tuple[str, int], dict[str, bytes]] = {}
        """The keys of the ports that we may yet go back to, when the peer refuses a move."""
        self._offered = ""
        """The protocol of our last offer."""
        self._agreed: _Agreement | None = None
        """None while the audio is in the clear, or before the first agreement."""

    def place(self, host: str, port: int) -> None:
        """Another port has keys of its own: the peer cannot know what its predecessor sent."""
        if self._place != (host, port):
            self._elsewhere[self._place] = self._keys
            self._place = host, port
            self._keys = self._elsewhere.pop(self._place, {})

    def offer(self) -> tuple[str, tuple[Attribute, ...]]:
        """All our suites, that of the leg first."""
        if self._agreed is not None:
            self._offered = self._agreed.protocol
        else:
            self._offered = "RTP/SAVP" if self._required else "RTP/AVP"
        now = self._agreed.suite if self._agreed is not None else ""
        suites = sorted(self._tags, key=lambda suite: suite != now)
        return self._offered, tuple(self._line(self._tags[suite], suite) for suite in suites)

    def check(self, remote: SessionDescription, audio: MediaDescription, *, answered: bool) -> None:
        """See that the line is as well protected as the leg must be."""
        self._pick(audio, answered=answered)

    def answer(self, offer: SessionDescription, audio: MediaDescription) -> tuple[str, tuple[Attribute, ...]]:
        """The tag and the suite that we take, with a key of ours."""
        line = self._pick(audio, answered=False)
        if line is None:
            return audio.protocol, ()
        before = self._agreed
        if before is not None and (line.suite, line.key) != (before.suite, before.remote_key):
            self._keys.clear()  # it may be another device, which knows nothing of our roll-over counter
        return audio.protocol, (self._line(line.tag, line.suite),)

    def session(self) -> tuple[Attribute, ...]:
        """Nothing: keys belong to their line."""
        return ()

    def agree(self, remote: SessionDescription, audio: MediaDescription, *, answered: bool) -> Keyed:
        """The keys both ways."""
        line = self._pick(audio, answered=answered)
        self._elsewhere.clear()
        if line is None:
            return Keyed()
        before = self._agreed
        if before is not None and before.suite != line.suite:
            self._keys.pop(before.suite, None)
        self._agreed = _Agreement(audio.protocol, line.suite, line.key)
        return Keyed(srtp=SrtpKeys(line.suite, self._key(line.suite), line.key))

    def reopen(self) -> None:
        """Another fork may be protected or not, as if it were the first to answer."""
        self._agreed = None

    def resume(self, remote: SessionDescription, params: StreamParams) -> None:
        """Protected as it was, and by the same keys."""
        audio, keys = remote.audio, params.srtp
        if audio is not None and keys is not None:
            self._keys = {keys.suite: keys.send}
            self._agreed = _Agreement(audio.protocol, keys.suite, keys.receive)

    # -- inside ---------------------------------------------------------------------------------

    def _pick(self, audio: MediaDescription, *, answered: bool) -> CryptoLine | None:
        """The line of the peer that protects the audio; None for audio in the clear, where it may be.

        Raises:
            NoCommonCodec: the protocol, or the keys, are none that we may take.
        """
        secure = audio.protocol in SECURE
        if not secure and audio.protocol not in PLAIN:
            raise NoCommonCodec(f"{audio.protocol} is no protocol of ours")
        must = self._required or (self._agreed is not None and self._agreed.protocol in SECURE)
        if not secure and (must or (answered and self._offered in SECURE)):
            raise NoCommonCodec(f"the audio must be protected, and {audio.protocol} is not")
        why: list[str] = []
        lines = self._usable(audio, why)
        if answered:
            found = next((line for line in lines if self._tags[line.suite] == line.tag), None)
        else:
            now = self._agreed.suite if self._agreed is not None else ""
            found = min(lines, key=lambda line: line.suite != now, default=None)  # min keeps the first
        if found is not None:
            return found
        half = answered and audio.get("crypto") is not None
        if secure or half or self._agreed is not None:
            raise NoCommonCodec(why[0] if why else "the audio must be protected, and no key of ours is named")
        return None

    def _usable(self, audio: MediaDescription, why: list[str]) -> list[CryptoLine]:
        """The lines that we can keep to, in the peer's order; `why` takes what speaks against others."""
        lines: list[CryptoLine] = []
        for value in audio.get_all("crypto"):
            try:
                line = read_crypto(value)
            except ValueError as error:
                why.append(str(error))
                continue
            if line.suite not in self._tags:
                why.append("a crypto suite that is none of ours")
            elif len(line.key) != SRTP_SUITES[line.suite]:
                why.append(f"a key of {len(line.key)} bytes for {line.suite}")
            elif line.key in self._keys.values():
                why.append("a key that is our own")  # our packets, sent back, would pass for the peer's
            else:
                lines.append(line)
        return lines

    def _line(self, tag: int, suite: str) -> Attribute:
        return "crypto", str(CryptoLine(tag, suite, self._key(suite)))

    def _key(self, suite: str) -> bytes:
        key = self._keys.get(suite)
        if key is None:
            key = self._keys[suite] = self._random_bytes(SRTP_SUITES[suite])
        return key
