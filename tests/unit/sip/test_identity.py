"""Who calls, as headers say it, and what may leave to a carrier."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sipcc.sip.headers import Headers
from sipcc.sip.identity import (
    ANONYMOUS,
    EDGE_ONLY,
    Privacy,
    at_the_edge,
    identity_headers,
    identity_of,
    is_anonymous,
)
from sipcc.sip.uri import NameAddr, SipUri

FROM = NameAddr.parse('"From" <sip:13800138000@example.com>;tag=1')
PAI = '"Li Lei" <sip:+8613800138001@example.net;user=phone>'
TEL = "<tel:+86-138-0013-8002>"


def identity(*lines: tuple[str, str], trusted: bool = True, sender: NameAddr = FROM) -> tuple[str, str, str]:
    found = identity_of(Headers(lines), sender, trusted=trusted)
    return found.subscriber, found.display, found.source


@pytest.mark.parametrize(
    ("lines", "expected"),
    [
        ([("P-Asserted-Identity", PAI)], ("+8613800138001", "Li Lei", "asserted")),
        # two lines, and two values on one line, are legal (RFC 3325 §9.1; OpenSIPS #1386)
        ([("P-Asserted-Identity", PAI), ("P-Asserted-Identity", TEL)],
         ("+86-138-0013-8002", "Li Lei", "asserted")),
        ([("P-Asserted-Identity", f"{PAI}, {TEL}")], ("+86-138-0013-8002", "Li Lei", "asserted")),
        ([("P-Asserted-Identity", "tel:+8613800138003")], ("+8613800138003", "", "asserted")),
        ([("P-Asserted-Identity", f"rubbish <, {TEL}")], ("13800138000", "From", "from")),
        ([("P-Asserted-Identity", "http://example.com")], ("13800138000", "From", "from")),
        ([("Remote-Party-ID", '"A, B" <sip:4008123456@example.com>;party=calling;screen=yes;privacy=off')],
         ("4008123456", "A, B", "remote-party")),
        ([("Remote-Party-ID", "<sip:4008123456@example.com>;party=called")], ("13800138000", "From", "from")),
        ([("Remote-Party-ID", "<sip:4008123456@example.com>;screen=no")], ("13800138000", "From", "from")),
        ([("P-Asserted-Identity", PAI), ("Remote-Party-ID", "<sip:1@example.com>")],
         ("+8613800138001", "Li Lei", "asserted")),
        ([("P-Preferred-Identity", PAI)], ("13800138000", "From", "from")),
        ([], ("13800138000", "From", "from")),
    ],
)  # fmt: skip
def test_who_calls_over_a_trusted_trunk(lines: list[tuple[str, str]], expected: tuple[str, str, str]) -> None:
    assert identity(*lines) == expected


def test_nobody_else_may_assert_an_identity() -> None:
    lines = [("P-Asserted-Identity", PAI), ("Remote-Party-ID", "<sip:4008123456@example.com>")]
    assert identity(*lines, trusted=False) == ("13800138000", "From", "from")


@pytest.mark.parametrize(
    ("values", "caller", "history", "refused"),
    [
        ([], False, False, False),
        (["id"], True, False, False),
        (["ID;critical"], True, False, False),
        (["user"], True, False, False),
        (["header"], True, True, False),
        (["history"], False, True, False),
        (["none"], False, False, False),
        (["none;id"], False, False, False),
        (["id", "history"], True, True, False),
        (["id, history"], True, True, False),
        (["teleport"], False, False, False),
        (["teleport;critical"], False, False, True),
    ],
)
def test_privacy(values: list[str], caller: bool, history: bool, refused: bool) -> None:
    privacy = Privacy.of(Headers([("Privacy", value) for value in values]))
    assert (privacy.hides_caller, privacy.hides_history, privacy.cannot_serve) == (caller, history, refused)


def test_a_privacy_is_written_as_it_is_read() -> None:
    assert str(Privacy(frozenset({"critical", "user", "id"}))) == "id;user;critical"


@pytest.mark.parametrize(
    ("uri", "expected"),
    [
        ("sip:anonymous@anonymous.invalid", True),
        ("sip:Anonymous@example.com", True),
        ("sip:4008123456@anonymous.invalid", True),
        ("sip:restricted@example.com", True),
        ("sip:example.com", True),
        ("sip:4008123456@example.com", False),
    ],
)
def test_anonymous(uri: str, expected: bool) -> None:
    assert is_anonymous(SipUri.parse(uri)) is expected


def test_a_hidden_caller_is_known_and_not_to_be_shown() -> None:
    lines = Headers([("P-Asserted-Identity", PAI), ("Privacy", "id")])
    found = identity_of(lines, ANONYMOUS, trusted=True)
    assert (found.subscriber, found.anonymous) == ("+8613800138001", True)
    untrusted = identity_of(lines, ANONYMOUS, trusted=False)
    assert (untrusted.subscriber, untrusted.anonymous) == ("", True)
    party = Headers([("Remote-Party-ID", "<sip:4008123456@example.com>;privacy=full")])
    assert identity_of(party, FROM, trusted=True).anonymous


def test_the_four_ways_to_tell_a_carrier() -> None:
    address = NameAddr(SipUri(user="4008123456", host="pbx.example.com"), "Support")
    written = '"Support" <sip:4008123456@pbx.example.com>'
    assert identity_headers("from", address) == []
    assert identity_headers("pai", address) == [("P-Asserted-Identity", written)]
    assert identity_headers("ppi", address, private=True) == [
        ("P-Preferred-Identity", written),
        ("Privacy", "id"),
    ]
    assert identity_headers("rpid", address, private=True) == [
        ("Remote-Party-ID", f"{written};party=calling;screen=yes;privacy=full")
    ]


@pytest.mark.parametrize("name", sorted(EDGE_ONLY))
def test_what_rules_write_is_never_taken_from_others(name: str) -> None:
    assert at_the_edge([(name, "x")], passed=[name]) == ()


def test_internal_headers_leave_only_when_they_are_named() -> None:
    headers = [
        ("X-Account", "7"),
        ("P-Charging-Vector", "icid"),
        ("Subject", "x"),
        ("p-asserted-identity", "x"),
    ]
    assert at_the_edge(headers) == (("Subject", "x"),)
    assert at_the_edge(headers, ["x-account"]) == (("X-Account", "7"), ("Subject", "x"))


@given(
    st.lists(
        st.tuples(
            st.sampled_from(["P-Asserted-Identity", "Remote-Party-ID", "Privacy", "From", "Diversion"]),
            st.binary(max_size=80).map(lambda raw: raw.translate(None, b"\r\n")),
        ),
        max_size=6,
    ),
    st.booleans(),
)
def test_nothing_that_a_peer_writes_raises(lines: list[tuple[str, bytes]], trusted: bool) -> None:
    identity_of(Headers(lines), FROM, trusted=trusted)
