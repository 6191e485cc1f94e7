"""What Python's own readers let pass and no peer may use (reliability.md §1.4), for every reader in sip/.

`int` takes underscores, signs, white space and the digits of all scripts, and refuses more than 4,300 of
them with ValueError; `str.splitlines` cuts at eight more characters than CR and LF; `str.strip` eats NBSP
and control characters; ``ſ`` becomes S, the Kelvin sign k. To each reader such a value is junk.
"""

from __future__ import annotations

import random
import re
from collections.abc import Callable
from xml.sax.saxutils import escape as escaped

import pytest
from tests.faults.rogue import DESCRIPTION

from sipcc.errors import ConfigError, ParseError
from sipcc.sip.acceptance import unsupported
from sipcc.sip.auth import Credentials, DigestServer, authorization, challenges, make_ha1
from sipcc.sip.build import response
from sipcc.sip.dns import parse_server
from sipcc.sip.fields import CSeq, RAck, Reason, Via, delta_seconds
from sipcc.sip.grammar import number
from sipcc.sip.history import redirections_of
from sipcc.sip.identity import Privacy
from sipcc.sip.message import BadMessage, Message, Request, Response
from sipcc.sip.multipart import parts_of
from sipcc.sip.packages.dialog_info import parse_dialog_info
from sipcc.sip.packages.mwi import parse_summary
from sipcc.sip.packages.xml import read
from sipcc.sip.parser import StreamParser, parse_datagram
from sipcc.sip.refer import Referral, is_over, status_of
from sipcc.sip.reliable import rseq_of
from sipcc.sip.sdp import MediaDescription, SessionDescription
from sipcc.sip.session_timer import SessionExpires
from sipcc.sip.subscription import SubscriptionState
from sipcc.sip.transport.manager import parse_listen
from sipcc.sip.uri import SipUri

HEAD = (
    b"OPTIONS sip:a@b SIP/2.0\r\nVia: SIP/2.0/UDP h;branch=z9hG4bKa\r\nFrom: <sip:a@b>;tag=f\r\n"
    b"To: <sip:a@b>\r\nCall-ID: c\r\nCSeq: 1 OPTIONS\r\n"
)
DIALOG_INFO = (
    '<?xml version="1.0"?><dialog-info xmlns="urn:ietf:params:xml:ns:dialog-info" version="%s" state="full" '
    'entity="sip:a@b"><dialog id="d"><state code="%s">confirmed</state></dialog></dialog-info>'
)


def request(*lines: bytes, body: bytes = b"") -> Request:
    data = (
        HEAD + b"".join(line + b"\r\n" for line in lines) + b"Content-Length: %d\r\n\r\n" % len(body) + body
    )
    found = parse_datagram(data)
    assert isinstance(found, Request)
    return found


def answered(*lines: bytes) -> Response:
    made = response(request(), 180, to_tag="t")
    for line in lines:
        name, _, value = line.partition(b":")
        made.headers.add(name.decode(), value.strip(b" "))
    return made


def audio(old: bytes, new: bytes) -> MediaDescription:
    found = SessionDescription.parse(DESCRIPTION.replace(old, new, 1)).audio
    if found is None:
        raise ParseError("no audio", layer="body")
    return found


def on_a_stream(value: bytes) -> int:
    for item in StreamParser().receive(HEAD + b"Content-Length: " + value + b"\r\n\r\n" + b"x" * 12):
        if isinstance(item, BadMessage):
            raise item
        assert isinstance(item, Message)
        return len(item.body)
    return 0  # it waits for more


def in_a_datagram(value: bytes) -> int:
    return len(parse_datagram(HEAD + b"Content-Length: " + value + b"\r\n\r\n" + b"x" * 12).body)


def status_line(value: bytes) -> int:
    found = parse_datagram(b"SIP/2.0 " + value + b" OK\r\n" + HEAD.partition(b"\r\n")[2] + b"\r\n")
    return found.status if isinstance(found, Response) else 0


def expires_of(state: SubscriptionState | None) -> int | None:
    return None if state is None else state.expires


def summary_of(count: bytes) -> object:
    return parse_summary(b"Messages-Waiting: yes\r\nVoice-Message: " + count + b"/1")


def dialog_info(version: str, code: str) -> tuple[int, int]:
    found = parse_dialog_info(
        (DIALOG_INFO % (escaped(version, {'"': ""}), escaped(code, {'"': ""}))).encode()
    )
    return found.version, found.dialogs[0].code


NUMBERS: dict[str, tuple[bytes, Callable[[bytes], object]]] = {
    "grammar.number": (b"12", lambda n: number(n, "x")),
    "Content-Length": (b"12", in_a_datagram),
    "Content-Length on a stream": (b"12", on_a_stream),
    "status line": (b"200", status_line),
    "CSeq": (b"12", lambda n: CSeq.parse(n + b" INVITE").number),
    "Max-Forwards": (b"12", lambda n: request(b"Max-Forwards: " + n).max_forwards),
    "RAck": (b"12", lambda n: RAck.parse(n + b" 1 INVITE")),
    "RAck's CSeq": (b"12", lambda n: RAck.parse(b"1 " + n + b" INVITE")),
    "RSeq": (b"12", lambda n: rseq_of(answered(b"Require: 100rel", b"RSeq: " + n))),
    "port of a Via": (b"5060", lambda n: Via.parse(b"SIP/2.0/UDP h:" + n + b";branch=z9hG4bKa").port),
    "rport": (b"5060", lambda n: Via.parse(b"SIP/2.0/UDP h;rport=" + n).rport),
    "port of a URI": (b"5060", lambda n: SipUri.parse(b"sip:a@h:" + n).port),
    "Expires": (b"12", delta_seconds),
    "Session-Expires": (b"90", lambda n: SessionExpires.of(request(b"Session-Expires: " + n))),
    "Subscription-State": (b"12", lambda n: expires_of(SubscriptionState.parse(b"active;expires=" + n))),
    "Reason": (b"16", lambda n: Reason.parse_all(b"Q.850;cause=" + n)),
    "counter of Diversion": (
        b"12",
        lambda n: redirections_of(request(b"Diversion: <sip:a@b>;counter=" + n).headers),
    ),
    "index of History-Info": (
        b"2",
        lambda n: len(
            redirections_of(
                request(b"History-Info: <sip:a@b>;index=1, <sip:c@b;cause=302>;index=" + n).headers
            )
        ),
    ),
    "sipfrag": (b"200", lambda n: status_of(b"SIP/2.0 " + n + b" OK")),
    "port of a media line": (b"40000", lambda n: audio(b"40000", n).port),
    "payload type": (b"0", lambda n: audio(b"AVP 0", b"AVP " + n).payload_types),
    "rate of rtpmap": (b"16000", lambda n: audio(b"8000", n).rtpmap(0)),
    "ptime": (b"20", lambda n: audio(b"a=rtpmap", b"a=ptime:" + n + b"\r\na=rtpmap").ptime),
    "version of o=": (b"12", lambda n: SessionDescription.parse(DESCRIPTION.replace(b"1 1", b"1 " + n, 1))),
    "message counts": (
        b"12",
        lambda n: summary_of(n),
    ),
    "version of dialog-info": (b"12", lambda n: dialog_info(n.decode("utf-8"), "200")[0]),
    "code of dialog-info": (b"200", lambda n: dialog_info("1", n.decode("utf-8"))[1]),
    "port of a name server": (b"53", lambda n: parse_server("192.0.2.1:" + n.decode("utf-8"))),
    "port to listen on": (b"5060", lambda n: parse_listen("udp:192.0.2.1:" + n.decode("utf-8"))),
}

HOSTILE = [
    b"1_2", "١٢".encode(), "²".encode(), "１２".encode(), b"+12", b"-12", b"0x12", b"1e1", b"12.0",
    "\N{NO-BREAK SPACE}12".encode(), b"1\x1f2", b"12\x1f", b"5" * 5000, b"1" + b"0" * 4400,
]  # fmt: skip


def outcome(read_: Callable[[bytes], object], value: bytes) -> object:
    try:
        return read_(value)
    except (ParseError, ConfigError):
        return "refused"


ALSO_RIGHT: dict[str, list[object]] = {
    "Expires": [2**32 - 1],  # RFC 3261 §20.19: what is more is that much
    "Subscription-State": [2**32 - 1],
    "counter of Diversion": [()],  # a line that cannot be read is none
    "index of History-Info": [1],  # 12.0 is an index
}


@pytest.mark.parametrize("reader", NUMBERS)
def test_numbers_that_only_python_reads_are_junk(reader: str) -> None:
    good, read_ = NUMBERS[reader]
    right = [outcome(read_, b"x"), "refused", *ALSO_RIGHT.get(reader, [])]
    assert outcome(read_, good) not in right[:2]
    wrong = {value[:20]: found for value in HOSTILE if (found := outcome(read_, value)) not in right}
    assert wrong == {}


def test_a_nonce_count_is_eight_hexadecimal_digits() -> None:
    server = DigestServer("r", b"s" * 32)
    ha1 = {(name, "SHA-256"): make_ha1(name, "r", "p", "SHA-256") for name in ("u",)}
    asked = request(b"Expires: 1")
    challenge = challenges(
        answered(*(b"WWW-Authenticate: " + c.encode() for c in server.challenge(source="h", now=1.0)))
    )[0]

    def judge(old: str, new: str) -> object:
        value = authorization(challenge, asked, Credentials("u", "p"), 1, "c")
        assert old in value
        verdict = server.verify(
            "OPTIONS",
            [value.replace(old, new)],
            lambda user, _realm, algorithm: ha1.get((user, algorithm)),
            source="h",
            now=1.0,
            uri=asked.uri,
        )
        return getattr(verdict, "reason", "right")

    for count in (
        "0000_001",
        "1",
        "+0000001",
        "0x000001",
        "\u0660" * 7 + "\u0661",
        "1" * 5000,
        "",
        " 0000001",
    ):
        assert judge("nc=00000001", f"nc={count}") == "malformed", count
    for algorithm in ("\u017fHA-256", "SHA-256\u00a0", "SHA_256", "md5\x1f"):
        assert judge("algorithm=SHA-256", f'algorithm="{algorithm}"') == "malformed", algorithm
    assert judge("nc=00000001", "nc=00000001") == "right"


CUTS = [b"\x0b", b"\x0c", b"\x1c", b"\x1d", b"\x1e", "\x85".encode(), "\u2028".encode(), "\u2029".encode()]
"""Where `str.splitlines` cuts besides CR and LF."""


@pytest.mark.parametrize("cut", CUTS)
def test_lines_end_where_sip_ends_them(cut: bytes) -> None:
    more = b"a" + cut + b"Route: <sip:evil.example.net;lr>"
    found = request(b"Subject: " + more)
    assert "Route" not in found.headers
    assert found.headers.get_raw("Subject") == more
    described = audio(b"s=-", b"s=-" + cut + b"c=IN IP4 192.0.2.66")
    assert described.connection is None
    summary = parse_summary(
        b"Message-Account: a" + cut + b"Messages-Waiting: yes\r\nMessages-Waiting: no\r\n"
    )
    assert not summary.waiting
    body = b"--b\r\nContent-Type: text/plain" + cut + b"Content-ID: <evil>\r\n\r\nhi\r\n--b--\r\n"
    [part] = parts_of(request(b"Content-Type: multipart/mixed;boundary=b", body=body))
    assert part.content_id == ""


@pytest.mark.parametrize(
    "blank", [b"\x1f", b"\x0b", b"\x0c", "\xa0".encode(), "\u3000".encode(), "\ufeff".encode()]
)
def test_only_space_and_tab_are_white_space(blank: bytes) -> None:
    text = blank.decode()
    assert unsupported(request(b"Require: 100rel" + blank)) == f"100rel{text}"
    assert not is_over(f"terminated{text}")
    assert SubscriptionState.parse(b"active" + blank) is None
    assert "id" not in Privacy.of(request(b"Privacy: id" + blank).headers).values
    assert Referral.of(request(b"Refer-To: <sip:a@b>", b"Refer-Sub: false" + blank)).subscribes
    encoded = b"--b\r\nContent-Encoding: identity" + blank + b"\r\n\r\nhi\r\n--b--\r\n"
    assert parts_of(request(b"Content-Type: multipart/mixed;boundary=b", body=encoded)) == []
    with pytest.raises(BadMessage):
        request(b"Subject" + blank + b": a")
    with pytest.raises(BadMessage):
        parse_datagram((HEAD + b"\r\n").replace(b"CSeq: 1 ", b"CSeq: 1" + blank))


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("OPTIONS sip:a@b", "OPTION\u017f sip:a@b"),
        ("OPTIONS sip:a@b", "OPTIONS \u017fip:a@b"),
        ("SIP/2.0\r\nVia", "\u017fIP/2.0\r\nVia"),
        ("Via: SIP/2.0/UDP", "Via: \u017fIP/2.0/UDP"),
        ("CSeq: 1", "C\u017feq: 1"),
        ("Call-ID: c", "Call-\u0131D: c"),
        ("<sip:a@b>;tag=f", "<\u017fip:a@b>;tag=f"),
        ("1 OPTIONS", "1 OPTION\u017f"),
    ],
)
def test_letters_that_fold_to_ascii_are_none(old: str, new: str) -> None:
    data = HEAD.decode() + "\r\n"
    assert old in data
    with pytest.raises(BadMessage):
        parse_datagram(data.replace(old, new, 1).encode())


def test_header_names_and_words_do_not_fold() -> None:
    with pytest.raises(BadMessage):
        request("\u212a: timer".encode())  # the Kelvin sign is no compact form of Supported
    assert unsupported(request("Require: replace\u017f".encode())) == "replace\u017f"
    entry = "History-Info: <sip:a@b?Rea\u017fon=SIP%3Bcause%3D302>;index=1, <sip:c@b>;index=1.1;mp=1"
    plain = entry.replace("\u017f", "s")
    assert redirections_of(request(plain.encode()).headers) != redirections_of(
        request(entry.encode()).headers
    )


def test_deep_and_long_documents_end_early() -> None:
    for body in (
        b"<a>" * 200_000,
        b"<a>" * 200_000 + b"</a>" * 200_000,
        b'<!DOCTYPE a [<!ENTITY b "c">]><a>&b;</a>',
        b"<a " + b"b" * 60_000 + b"='c'/>",
        b"<a>" + b"\xff" * 100 + b"</a>",
    ):
        with pytest.raises(ParseError):
            read(body, "urn:x", "dialog-info")


def test_noise_in_every_number_never_escapes() -> None:
    bits = random.Random(14)
    alphabet = "0123456789_+-.eExX \t\x0b\x1c\x85\xa0\u0661\u00b2\u2460\uff11\u017f\u212a;=,/()<>\"'\\"
    for _ in range(3000):
        value = "".join(bits.choices(alphabet, k=bits.randrange(12))).encode()
        for _good, read_ in NUMBERS.values():
            outcome(read_, value)
    assert re.fullmatch(rb"[0-9]{1,10}", "\u0661".encode()) is None
