"""What transfers are written with: REFER and its NOTIFY, Replaces, Referred-By, Target-Dialog.

RFC 3515, 3420 (message/sipfrag), 3891, 3892 and 4538.

A core: it reads and writes, and says what may not be done. Who may transfer whom is decided in
`sipcc.call.transfer`.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from urllib.parse import quote, unquote_to_bytes

import msgspec

from sipcc.errors import ParseError
from sipcc.sip.grammar import parse_params, text
from sipcc.sip.headers import canonical_raw
from sipcc.sip.message import Request, reason_of
from sipcc.sip.uri import NameAddr, SipUri

SIPFRAG = "message/sipfrag;version=2.0"
"""Content-Type of the NOTIFY of a REFER."""

_CALL_ID = re.compile(rb"[^\s;,<>\"@]{1,256}(?:@[^\s;,<>\"@]{1,256})?")
_TAG = re.compile(r"[A-Za-z0-9\-.!%*_+`'~]{1,256}")
_STATUS_LINE = re.compile(rb"SIP/2\.0 ([1-6][0-9]{2})(?: [^\r\n]*)?(?:\r?\n|$)")

_EMBEDDED = frozenset({"Replaces", "Require", "Supported", "Referred-By"})
"""Headers that a Refer-To may ask us to put into the INVITE. Any other, such as Route or Contact, would let
a stranger steer our requests (RFC 3261 §19.1.5)."""


class Replaces(msgspec.Struct, frozen=True):
    """The dialog that an INVITE takes the place of (RFC 3891 §6.1).

    The tags are named from the point of view of whoever receives the INVITE: `to_tag` is its own.
    """

    call_id: str
    to_tag: str
    from_tag: str
    early_only: bool = False

    @classmethod
    def parse(cls, value: str | bytes, where: str = "header:Replaces") -> Replaces:
        """Read a Replaces value.

        Raises:
            ParseError: a tag is missing or no token, or it is no Call-ID.
        """
        raw = value.encode("utf-8", "surrogateescape") if isinstance(value, str) else value
        call_id, semicolon, rest = raw.strip(b" \t").partition(b";")
        call_id = call_id.rstrip(b" \t")
        if not semicolon or not _CALL_ID.fullmatch(call_id):
            raise ParseError(f"not a dialog: {raw[:80]!r}", layer=where)
        params = parse_params(rest, where)
        to_tag, from_tag = params.get("to-tag", ""), params.get("from-tag", "")
        if not (_TAG.fullmatch(to_tag) and _TAG.fullmatch(from_tag)):
            raise ParseError(f"a dialog has two tags: {raw[:80]!r}", layer=where)
        return cls(text(call_id), to_tag, from_tag, "early-only" in params)

    def __str__(self) -> str:
        flag = ";early-only" if self.early_only else ""
        return f"{self.call_id};to-tag={self.to_tag};from-tag={self.from_tag}{flag}"


class TargetDialog(msgspec.Struct, frozen=True):
    """The dialog that a request out of it refers to (RFC 4538 §7); tags as its sender sees them."""

    call_id: str
    local_tag: str
    remote_tag: str

    @classmethod
    def parse(cls, value: str | bytes) -> TargetDialog:
        """Read a Target-Dialog value.

        Raises:
            ParseError: a tag is missing, or it is no Call-ID.
        """
        raw = value.encode("utf-8", "surrogateescape") if isinstance(value, str) else value
        call_id, semicolon, rest = raw.strip(b" \t").partition(b";")
        params = parse_params(rest, "header:Target-Dialog") if semicolon else {}
        local, remote = params.get("local-tag", ""), params.get("remote-tag", "")
        if not (_CALL_ID.fullmatch(call_id.rstrip()) and _TAG.fullmatch(local) and _TAG.fullmatch(remote)):
            raise ParseError(f"not a dialog: {raw[:80]!r}", layer="header:Target-Dialog")
        return cls(text(call_id.rstrip()), local, remote)

    def __str__(self) -> str:
        return f"{self.call_id};local-tag={self.local_tag};remote-tag={self.remote_tag}"


class Referral(msgspec.Struct, frozen=True):
    """What a REFER asks for."""

    target: SipUri
    """Who shall be called, without the parameters and headers that only told how."""
    replaces: Replaces | None = None
    """The dialog that the new call shall take the place of: an attended transfer."""
    referred_by: NameAddr | None = None
    """Who asks, by its own word (RFC 3892)."""
    subscribes: bool = True
    """False when the sender wants no NOTIFY (``Refer-Sub: false``, RFC 4488)."""

    @classmethod
    def of(cls, request: Request) -> Referral:
        """Read a REFER.

        Raises:
            ParseError: `status_hint` is 400 for one that cannot be read, 416 for a target that is nobody
                to call, and 403 for one that asks for another method or for headers of its choice.
        """
        lines = request.headers.get_all("Refer-To")
        if len(lines) != 1:
            raise ParseError(f"{len(lines)} Refer-To headers", layer="header:Refer-To")
        uri = NameAddr.parse(lines[0], "header:Refer-To").uri
        if uri.scheme not in {"sip", "sips", "tel"}:
            raise ParseError(f"nobody to call: {uri.scheme}:", layer="header:Refer-To", status_hint=416)
        if (uri.param("method") or "INVITE").upper() != "INVITE":
            raise ParseError("a REFER may ask for INVITE only", layer="header:Refer-To", status_hint=403)
        embedded = _embedded(uri.headers)
        strange = embedded.keys() - _EMBEDDED
        if strange:
            names = ", ".join(sorted(strange))
            raise ParseError(f"headers in Refer-To: {names}", layer="header:Refer-To", status_hint=403)
        replaces = embedded.get("Replaces")
        target = msgspec.structs.replace(uri.with_params(method=None), headers="")
        return cls(
            target,
            Replaces.parse(replaces, "header:Refer-To") if replaces is not None else None,
            _referred_by(request),
            (request.headers.get("Refer-Sub") or "true").strip(" \t").lower() != "false",
        )


def refer_to(target: SipUri | str, replaces: Replaces | None = None) -> str:
    """The Refer-To value for `target`, which shall take the place of the dialog `replaces` if given."""
    uri = str(target)
    if replaces is None:
        return f"<{uri}>"
    return f"<{uri}?Replaces={quote(str(replaces), safe='')}>"


def replaces_of(request: Request) -> Replaces | None:
    """The Replaces header of an INVITE, or None.

    Raises:
        ParseError: it cannot be read, or there is more than one (RFC 3891 §3: 400).
    """
    lines = request.headers.get_all("Replaces")
    if not lines:
        return None
    if len(lines) > 1 or "Join" in request.headers:
        raise ParseError("an INVITE replaces one dialog", layer="header:Replaces")
    return Replaces.parse(lines[0])


def sipfrag(status: int, reason: str | None = None) -> bytes:
    """The body of a NOTIFY: the status line of what the REFER has come to."""
    words = reason_of(status) if reason is None else reason
    return b"SIP/2.0 %d %b\r\n" % (status, words.encode("utf-8", "replace"))


def status_of(fragment: bytes) -> int:
    """The status that a NOTIFY tells, or 0 when it tells none."""
    match = _STATUS_LINE.match(fragment)
    return int(match[1]) if match else 0


def refer_event(number: int, *, first: bool) -> str:
    """The Event value of the subscription that the REFER with CSeq `number` made (RFC 3515 §2.4.6)."""
    return "refer" if first else f"refer;id={number}"


def subscription_state(*, over: bool, expires: int = 60, reason: str = "noresource") -> str:
    """The Subscription-State of a NOTIFY; `expires` in seconds."""
    return f"terminated;reason={reason}" if over else f"active;expires={expires}"


def is_over(state: str | None) -> bool:
    """True for a Subscription-State that ends the subscription."""
    return state is not None and state.split(";")[0].strip(" \t").lower() == "terminated"


def _referred_by(request: Request) -> NameAddr | None:
    """Who asks; one that cannot be read counts as none, for nothing is decided by it."""
    lines: Sequence[str] = request.headers.get_all("Referred-By")
    try:
        return NameAddr.parse(lines[0], "header:Referred-By") if len(lines) == 1 else None
    except ParseError:
        return None


def _embedded(headers: str) -> dict[str, bytes]:
    """The headers after the ``?`` of a URI, by their full names, unescaped.

    Raises:
        ParseError: one comes twice, is no header, or holds a line break.
    """
    found: dict[str, bytes] = {}
    for piece in headers.split("&") if headers else ():
        name, equals, value = piece.partition("=")
        full = canonical_raw(unquote_to_bytes(name.encode("utf-8", "surrogateescape")))
        raw = unquote_to_bytes(value.encode("utf-8", "surrogateescape"))
        if not equals or full in found or b"\r" in raw or b"\n" in raw or b"\0" in raw:
            raise ParseError(f"bad headers in a URI: {headers[:80]!r}", layer="header:Refer-To")
        found[full] = raw
    return found
