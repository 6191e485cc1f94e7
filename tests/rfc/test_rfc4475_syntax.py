"""The 49 torture messages of RFC 4475, judged by the syntax layer.

`expectations.json` names for each message the layer that must object. The verdicts ``app`` belong to the
endpoint, so here they must pass. Where the RFC leaves a choice, ``CHOICES`` says what we do and why.

On a stream (RFC 3261 §18.3) five messages differ from their datagrams; ``ON_A_STREAM`` says how.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import NamedTuple

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sipcc.sip.build import response
from sipcc.sip.message import BadMessage, Request, Response, dialog_key, transaction_key
from sipcc.sip.parser import KeepAlive, StreamParser, parse_datagram

CHOICES = {
    # A Date in another zone is of no use to anybody here; nothing of ours reads Date, so it is no reason
    # to lose a call.
    "baddate.dat": "ok",
    # The archive's file lacks the blank line, which is met before the display name.
    "baddn.dat": "framing",
}

ON_A_STREAM: dict[str, tuple[list[str], bool]] = {
    # A second request follows, as it may on a stream. The octets after its body are no message.
    "dblreq.dat": (["Request", "Request", "framing"], True),
    # More octets are promised than came: a stream waits for them, a datagram cannot.
    "clerr.dat": ([], False),
    # The header block never ends.
    "baddn.dat": ([], False),
    # No Content-Length, which is mandatory on a stream: nobody can tell where the message ends.
    "inv2543.dat": (["framing"], True),
}


class Expected(NamedTuple):
    file: str
    layer: str
    answers: list[int | str]
    is_request: bool


def load(directory: Path) -> list[Expected]:
    entries = json.loads((directory / "expectations.json").read_text())
    out = []
    for entry in entries:
        verdict = entry["verdict"]
        layer = "ok" if verdict in {"valid", "app"} else verdict
        layer = CHOICES.get(entry["file"], layer)
        out.append(Expected(entry["file"], layer, entry["uas_allowed"], entry["kind"] == "request"))
    return out


def layer_of(data: bytes) -> tuple[str, Request | Response | BadMessage]:
    try:
        message = parse_datagram(data)
    except BadMessage as error:
        return error.layer, error
    return "ok", message


def names(items: list[object]) -> list[str]:
    return [getattr(item, "layer", type(item).__name__) for item in items if not isinstance(item, KeepAlive)]


def test_all_49_are_there(torture: Path) -> None:
    files = {path.name for path in torture.glob("*.dat")}
    assert files == {expected.file for expected in load(torture)}
    assert len(files) == 49


def test_verdicts(torture: Path) -> None:
    """Each message is stopped by the layer that it offends, and by no other."""
    found = {}
    for expected in load(torture):
        layer, _ = layer_of((torture / expected.file).read_bytes())
        if layer != expected.layer:
            found[expected.file] = (expected.layer, layer)
    assert found == {}


def test_answers(torture: Path) -> None:
    """What cannot be used gets an answer that the RFC allows, or none; a good message gets no 400."""
    for expected in load(torture):
        layer, result = layer_of((torture / expected.file).read_bytes())
        if layer == "ok":
            assert isinstance(result, Request if expected.is_request else Response), expected.file
            continue
        assert isinstance(result, BadMessage)
        if result.request is None:
            assert "silence" in expected.answers, expected.file
            continue
        assert expected.is_request, expected.file
        assert result.status_hint in expected.answers, expected.file
        answer = response(result.request, result.status_hint, to_tag="t")
        assert bytes(answer).startswith(b"SIP/2.0 %d " % result.status_hint)
        assert answer.headers.get_raw("Via") == result.request.headers.get_raw("Via")


def test_views_of_good_messages_cannot_fail(torture: Path) -> None:
    for expected in load(torture):
        data = (torture / expected.file).read_bytes()
        layer, message = layer_of(data)
        if layer != "ok":
            continue
        assert isinstance(message, Request | Response)
        views = (
            message.vias,
            message.from_,
            message.to,
            message.cseq,
            message.contacts,
            message.max_forwards,
        )
        assert all(view is not None for view in views)
        assert message.call_id in data.decode("utf-8", "surrogateescape")
        _ = message.routes, message.record_routes, transaction_key(message), dialog_key(message)
        again = parse_datagram(bytes(message))
        assert list(again.headers)[:-1] == [item for item in message.headers if item[0] != "Content-Length"]
        assert (again.body, again.start_line) == (message.body, message.start_line)


@pytest.mark.parametrize("step", [1, 2, 7, 100_000])
def test_streams(torture: Path, step: int) -> None:
    """The same verdicts on a stream, wherever the bytes are cut; see ``ON_A_STREAM`` for the others."""
    for expected in load(torture):
        data = (torture / expected.file).read_bytes()
        parser = StreamParser()
        items: list[object] = []
        for at in range(0, len(data), step):
            items += parser.receive(data[at : at + step])
        kind = "Request" if expected.is_request else "Response"
        layer = kind if expected.layer == "ok" else expected.layer
        wanted = ON_A_STREAM.get(expected.file, ([layer], layer == "framing"))
        assert (names(items), parser.broken) == wanted, expected.file


def test_streams_split_in_two_at_every_byte(torture: Path) -> None:
    for expected in load(torture):
        data = (torture / expected.file).read_bytes()
        whole = names(list(StreamParser().receive(data)))
        for at in range(1, len(data)):
            parser = StreamParser()
            items = [*parser.receive(data[:at]), *parser.receive(data[at:])]
            assert names(items) == whole, (expected.file, at)


def test_good_messages_follow_each_other_on_a_stream(torture: Path) -> None:
    """One message leaves nothing behind that would change how the next is read."""
    files = [e for e in load(torture) if e.layer == "ok" and e.file not in ON_A_STREAM]
    data = b"".join((torture / e.file).read_bytes() for e in files)
    parser = StreamParser()
    items: list[object] = []
    for at in range(0, len(data), 97):
        items += parser.receive(data[at : at + 97])
    assert names(items) == ["Request" if e.is_request else "Response" for e in files]
    assert parser.idle


class TestDetails:
    """What the RFC's text says about single messages."""

    def request(self, directory: Path, name: str) -> Request:
        message = parse_datagram((directory / name).read_bytes())
        assert isinstance(message, Request)
        return message

    def test_wsinv(self, torture: Path) -> None:
        request = self.request(torture, "wsinv.dat")
        assert [via.sent_by for via in request.vias] == [
            "192.0.2.2",
            "spindle.example.com",
            "192.168.255.111",
        ]
        assert (request.max_forwards, request.cseq.number, request.to.tag) == (68, 9, "1918181833n")
        assert (request.from_.display, request.from_.tag) == ('J Rosenberg \\"', "98asjd8")
        assert len(request.contacts) == 1
        assert request.routes[0].uri.host == "services.example.com"
        assert request.headers.get("UnknownHeaderWithUnusualValue") == ";;,,;;,;"
        assert request.headers.get("NewFangledHeader") == "newfangled value continued newfangled value"

    def test_intmeth(self, torture: Path) -> None:
        request = self.request(torture, "intmeth.dat")
        assert request.method == "!interesting-Method0123456789_*+`.%indeed'~"
        assert request.to.display == "BEL:\x07 NUL:\x00 DEL:\x7f"
        assert request.from_.tag == "_token~1'+`*%!-."
        assert request.from_.uri.user == "mundane"

    def test_escapes(self, torture: Path) -> None:
        request = self.request(torture, "esc01.dat")
        assert request.uri.user == "sips:user@example.com"
        assert request.uri.host == "example.net"
        assert request.to.uri.user == "user"
        assert request.from_.uri.user == "I have spaces"
        contacts = self.request(torture, "escnull.dat").contacts
        assert [contact.uri.user for contact in contacts] == ["\0", "\0\0"]
        other = self.request(torture, "esc02.dat")
        assert other.method == "RE%47IST%45R"
        assert len(other.contacts) == 2  # C%6Fntact is another header

    def test_uris(self, torture: Path) -> None:
        assert self.request(torture, "semiuri.dat").uri.user == "user;par=u@example.net"
        assert self.request(torture, "unkscm.dat").uri.scheme == "nobodyknowsthisscheme"
        assert self.request(torture, "novelsc.dat").uri.scheme == "soap.beep"
        contact = self.request(torture, "cparam01.dat").contacts[0]
        assert ("unknownparam" in contact.params, "unknownparam" in contact.uri.params) == (True, False)
        contact = self.request(torture, "cparam02.dat").contacts[0]
        assert ("unknownparam" in contact.params, "unknownparam" in contact.uri.params) == (False, True)
        assert self.request(torture, "regescrt.dat").contacts[0].uri.headers.startswith("Route=")

    def test_trailing_octets(self, torture: Path) -> None:
        request = self.request(torture, "dblreq.dat")
        assert (request.method, request.body) == ("REGISTER", b"")

    def test_binary_body(self, torture: Path) -> None:
        body = self.request(torture, "mpart01.dat").body
        assert b"\0" in body
        assert len(body) == 553

    def test_reasons(self, torture: Path) -> None:
        answer = parse_datagram((torture / "unreason.dat").read_bytes())
        assert isinstance(answer, Response)
        assert answer.reason.startswith("= 2**3 * 5**2 но ")
        answer = parse_datagram((torture / "noreason.dat").read_bytes())
        assert isinstance(answer, Response)
        assert answer.reason == ""

    def test_old_branches(self, torture: Path) -> None:
        """Without a full branch the transaction is found as RFC 2543 did (RFC 4475 §3.2.1)."""
        request = self.request(torture, "badbranch.dat")
        other = request.copy()
        other.headers.set("CSeq", "9 OPTIONS")
        assert transaction_key(request) != transaction_key(other)
        invite = self.request(torture, "inv2543.dat")
        assert transaction_key(invite)[1:] == (b"iftgw.example.com", b"INVITE")
        assert invite.max_forwards == 70


@given(data=st.data())
def test_mutations(torture: Path, data: st.DataObject) -> None:
    """Whatever is done to these messages, the reader says BadMessage or gives a message it can write."""
    files = sorted(torture.glob("*.dat"))
    raw = bytearray(data.draw(st.sampled_from(files)).read_bytes())
    other = data.draw(st.sampled_from(files)).read_bytes()
    for _ in range(data.draw(st.integers(1, 5))):
        at = data.draw(st.integers(0, len(raw)))
        cut = data.draw(st.integers(0, 30))
        piece = data.draw(st.integers(0, len(other)))
        raw[at : at + cut] = data.draw(st.binary(max_size=4) | st.just(other[piece : piece + 20]))
    layer, result = layer_of(bytes(raw))
    if isinstance(result, BadMessage):
        if result.request is not None:
            bytes(response(result.request, 400, to_tag="t"))
    else:
        assert layer == "ok"
        parse_datagram(bytes(result))
        transaction_key(result)
        _ = result.vias, result.from_, result.to, result.contacts, result.routes, result.record_routes
    StreamParser().receive(bytes(raw))
