"""Descriptions for browsers (RFC 8829): ICE names, fingerprints and roles, as offered and as answered.

We are the lite end of ICE at one address that is known beforehand, so there is nothing to gather: our one
candidate stands in the description with ``end-of-candidates`` behind it. The peer's candidates are not even
read: it comes to us, and media goes where its checks come from. So trickling makes no difference, and no
address in a browser's SDP is ever sent to.

Once made, names and roles stay: a new role without a new certificate would break the call, and new names
come only when the peer asks for them by new names of its own (RFC 8839 §4.4.1.1.1).
"""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Final, Literal

import msgspec

from sipcc.call.security import Keyed, Keying
from sipcc.errors import NoCommonCodec
from sipcc.rtp.flow import BrowserParams, Identity, StreamParams
from sipcc.sip.sdp import Attribute, MediaDescription, SessionDescription

PROTOCOL: Final = "UDP/TLS/RTP/SAVPF"
PROTOCOLS: Final = frozenset({PROTOCOL, "UDP/TLS/RTP/SAVP"})
"""What a browser's audio line may say (RFC 5764 §9, RFC 8829 §5.1.2)."""

MID: Final = "0"
"""Our name for the audio line in our own offers."""
STREAM: Final = "sipcc audio"
"""Name of our stream and its track: without one, pages that wait for a stream hear nothing."""
HOST_PRIORITY: Final = 2130706431
"""Of the one candidate: type preference 126, local preference 65535, component 1 (RFC 8445 §5.1.2.1)."""
MAX_FINGERPRINTS: Final = 8

_UFRAG: Final = re.compile(r"[A-Za-z0-9+/]{4,256}")
_PASSWORD: Final = re.compile(r"[A-Za-z0-9+/]{22,256}")
_FINGERPRINT: Final = re.compile(r"([A-Za-z0-9-]{1,16}) +([0-9A-Fa-f]{2}(?::[0-9A-Fa-f]{2}){15,63})")
_ALPHABET: Final = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/"

Setup = Literal["active", "passive"]


class _Far(msgspec.Struct, frozen=True):
    """What a description of the peer says for ICE and DTLS."""

    ufrag: str
    password: str
    fingerprints: tuple[tuple[str, str], ...]


class BrowserKeying:
    """ICE-lite and DTLS-SRTP for one leg. A `sipcc.call.security.Keying`."""

    by_address = False

    def __init__(self, identity: Identity, bits: Callable[[int], int]) -> None:
        """`bits` gives that many random bits, as `sipcc.ids.Ids.bits`."""
        self._identity = identity
        self._bits = bits
        self._host, self._port = "", 0
        self._ufrag, self._password = self._names()
        self._setup: Setup | None = None
        self._far: _Far | None = None
        """The peer's part as agreed last."""
        self._mid = MID
        self._bundled = True

    def place(self, host: str, port: int) -> None:
        """Where we are, for our candidate."""
        self._host, self._port = host, port

    def reopen(self) -> None:
        """Another browser answers, which has a certificate and names of its own."""
        self._far = None

    def resume(self, remote: SessionDescription, params: StreamParams) -> None:
        """The names and the role of before."""
        audio, agreed = remote.audio, params.browser
        if audio is not None and agreed is not None:
            self._identity, self._setup = agreed.identity, agreed.setup
            self._ufrag, self._password = agreed.local_ufrag, agreed.local_password
            self._far = _Far(agreed.remote_ufrag, agreed.remote_password, agreed.fingerprints)
            self._mid = audio.get("mid") or MID

    def offer(self) -> tuple[str, tuple[Attribute, ...]]:
        """The line of our offer, the first or a later one: the peer may take either DTLS role (§5.2.1)."""
        return PROTOCOL, self._attributes("actpass")

    def check(self, remote: SessionDescription, audio: MediaDescription, *, answered: bool) -> None:
        """Take a line with ICE, a fingerprint and one port for all.

        Raises:
            NoCommonCodec: something of it is missing or out of form.
        """
        if audio.protocol not in PROTOCOLS:
            raise NoCommonCodec("a browser's audio comes as UDP/TLS/RTP/SAVPF")
        _read(remote, audio)
        if not audio.rtcp_mux:
            raise NoCommonCodec("the browser does not take RTCP on the port of its audio")

    def answer(self, offer: SessionDescription, audio: MediaDescription) -> tuple[str, tuple[Attribute, ...]]:
        """The line that answers: passive in DTLS, unless the peer will not be the client."""
        far = _read(offer, audio)
        if self._far is not None and (far.ufrag, far.password) != (self._far.ufrag, self._far.password):
            self._ufrag, self._password = self._names()  # the peer restarts ICE
        self._setup = self._role(far, _setup_of(offer, audio))
        self._mid = audio.get("mid") or ""
        groups = [value for name, value in offer.attributes if name == "group"]
        self._bundled = any(
            group.split(" ")[0] == "BUNDLE" and self._mid in group.split(" ")[1:] for group in groups
        )
        return audio.protocol, self._attributes(self._setup)

    def session(self) -> tuple[Attribute, ...]:
        """We are lite, and the audio line travels alone: what was bundled with it has been refused."""
        bundle: tuple[Attribute, ...] = (("group", f"BUNDLE {self._mid}"),) if self._bundled else ()
        return (*bundle, ("ice-lite", ""), ("msid-semantic", f" WMS {STREAM.split(' ')[0]}"))

    def agree(self, remote: SessionDescription, audio: MediaDescription, *, answered: bool) -> Keyed:
        """The way to the browser as both sides have described it."""
        far = _read(remote, audio)
        if answered:
            self._setup = self._role(far, _setup_of(remote, audio))
        self._far = far
        params = BrowserParams(
            local_ufrag=self._ufrag,
            local_password=self._password,
            remote_ufrag=far.ufrag,
            remote_password=far.password,
            fingerprints=far.fingerprints,
            identity=self._identity,
            setup=self._setup or "passive",
        )
        return Keyed(browser=params, rtcp_mux=True)

    # -- inside -------------------------------------------------------------------------------------------

    def _role(self, far: _Far, theirs: str) -> Setup:
        """Our DTLS role: what it was, for as long as the peer's certificate stays (RFC 8842 §5.3)."""
        if self._setup is not None and self._far is not None and far.fingerprints == self._far.fingerprints:
            return self._setup
        return "active" if theirs == "passive" else "passive"

    def _names(self) -> tuple[str, str]:
        """A fresh ufrag of 48 bits and password of 144 bits (RFC 8839 §5.4 asks for 24 and 128)."""
        return self._name(8), self._name(24)

    def _name(self, length: int) -> str:
        number = self._bits(6 * length)
        return "".join(_ALPHABET[number >> 6 * place & 63] for place in range(length))

    def _attributes(self, setup: str) -> tuple[Attribute, ...]:
        algorithm, digest = self._identity.fingerprint
        mid: tuple[Attribute, ...] = (("mid", self._mid),) if self._mid else ()
        return (
            *mid,
            ("ice-ufrag", self._ufrag),
            ("ice-pwd", self._password),
            ("fingerprint", f"{algorithm} {digest}"),
            ("setup", setup),
            ("rtcp-mux", ""),
            ("msid", STREAM),
            ("candidate", f"1 1 udp {HOST_PRIORITY} {self._host} {self._port} typ host"),
            ("end-of-candidates", ""),
        )


class EitherKeying:
    """For a far end that may be a browser: its first offer decides, or `browser` when we speak first."""

    def __init__(self, for_browsers: Keying, otherwise: Keying, *, browser: bool) -> None:
        self._for_browsers = for_browsers
        self._otherwise = otherwise
        self._chosen = for_browsers if browser else otherwise
        self._decided = False

    @property
    def by_address(self) -> bool:
        """As the one that was chosen."""
        return self._chosen.by_address

    def place(self, host: str, port: int) -> None:
        """Both are told."""
        self._for_browsers.place(host, port)
        self._otherwise.place(host, port)

    def reopen(self) -> None:
        """As the one that was chosen."""
        self._chosen.reopen()

    def resume(self, remote: SessionDescription, params: StreamParams) -> None:
        """What was agreed says which one it was."""
        self._decided = True
        self._chosen = self._otherwise if params.browser is None else self._for_browsers
        self._chosen.resume(remote, params)

    def offer(self) -> tuple[str, tuple[Attribute, ...]]:
        """Our offer decides as well: what answers it is of its kind."""
        self._decided = True
        return self._chosen.offer()

    def check(self, remote: SessionDescription, audio: MediaDescription, *, answered: bool) -> None:
        """Choose by the protocol of the first offer, and let the chosen one check it."""
        chosen = self._chosen
        if not self._decided and not answered:
            chosen = self._for_browsers if audio.protocol in PROTOCOLS else self._otherwise
        chosen.check(remote, audio, answered=answered)
        self._chosen = chosen

    def answer(self, offer: SessionDescription, audio: MediaDescription) -> tuple[str, tuple[Attribute, ...]]:
        """As the one that was chosen."""
        self._decided = True
        return self._chosen.answer(offer, audio)

    def session(self) -> tuple[Attribute, ...]:
        """As the one that was chosen."""
        return self._chosen.session()

    def agree(self, remote: SessionDescription, audio: MediaDescription, *, answered: bool) -> Keyed:
        """As the one that was chosen."""
        return self._chosen.agree(remote, audio, answered=answered)


def _read(remote: SessionDescription, audio: MediaDescription) -> _Far:
    """The peer's names and fingerprints, of the line or else of the session (RFC 8839 §5.4, RFC 8122 §5)."""
    ufrag = audio.get("ice-ufrag") or remote.get("ice-ufrag") or ""
    password = audio.get("ice-pwd") or remote.get("ice-pwd") or ""
    if not _UFRAG.fullmatch(ufrag) or not _PASSWORD.fullmatch(password):
        raise NoCommonCodec("the browser's audio has no names for ICE")
    values = audio.get_all("fingerprint") or [
        value for name, value in remote.attributes if name == "fingerprint"
    ]
    found = [_FINGERPRINT.fullmatch(value.strip(" ")) for value in values[:MAX_FINGERPRINTS]]
    fingerprints = tuple((match[1].lower(), match[2].upper()) for match in found if match)
    if not fingerprints:
        raise NoCommonCodec("the browser's audio has no fingerprint")
    return _Far(ufrag, password, fingerprints)


def _setup_of(remote: SessionDescription, audio: MediaDescription) -> str:
    """The peer's ``a=setup``; one that says nothing takes the active part (RFC 4145 §4)."""
    return audio.get("setup") or remote.get("setup") or "active"
