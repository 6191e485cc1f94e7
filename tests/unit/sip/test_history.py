"""Diversion and History-Info: read into one list, written from it, mapped both ways (RFC 7544)."""

from __future__ import annotations

from typing import get_args

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sipcc.sip.headers import Headers
from sipcc.sip.history import (
    MAX_ENTRIES,
    Reason,
    Redirection,
    as_diversion,
    as_history,
    redirections_of,
    total,
)
from sipcc.sip.uri import SipUri

TARGET = SipUri.parse("sip:13800138009@example.net")


def uri(number: int) -> SipUri:
    return SipUri(user=f"1380013800{number}", host="example.com")


def test_diversion_has_the_latest_on_top() -> None:
    headers = Headers(
        [
            ("Diversion", "<sip:13800138003@example.com>;reason=unconditional;counter=1;privacy=off"),
            (
                "Diversion",
                '"B" <sip:13800138002@example.com>;reason="user-busy";counter=2;privacy=full,'
                "<sip:13800138001@example.com>;reason=no-answer",
            ),
        ]
    )
    assert redirections_of(headers) == (
        Redirection(uri(1), "no-answer"),
        Redirection(uri(2), "user-busy", "B", 2, private=True),
        Redirection(uri(3), "unconditional"),
    )


def test_the_example_of_rfc_7544_as_corrected_by_its_errata() -> None:
    headers = Headers(
        [
            ("History-Info", "<sip:13800138001@example.com?Privacy=none>;index=1"),
            ("History-Info", "<sip:13800138002@example.com;cause=408?Privacy=history>;index=1.1;mp=1"),
            ("History-Info", "<sip:13800138003@example.com;cause=486>;index=1.1.1;mp=1.1"),
            ("History-Info", "<sip:13800138009@example.net;cause=302>;index=1.1.1.1;mp=1.1.1"),
        ]
    )
    assert redirections_of(headers) == (
        Redirection(uri(1), "no-answer"),
        Redirection(uri(2), "user-busy", private=True),
        Redirection(uri(3), "unconditional"),
    )


def test_a_route_taken_by_a_proxy_is_no_redirection() -> None:
    headers = Headers(
        [("History-Info", "<sip:13800138001@example.com>;index=1,<sip:13800138001@10.0.0.1>;index=1.1;rc=1")]
    )
    assert redirections_of(headers) == ()


def test_mp_and_a_reason_in_the_uri_tell_as_well() -> None:
    headers = Headers(
        [
            ("History-Info", "<sip:13800138001@example.com?Reason=SIP%3Bcause%3D486>;index=1"),
            ("History-Info", "<sip:13800138009@example.net>;index=1.1;mp=1"),
        ]
    )
    assert redirections_of(headers) == (Redirection(uri(1), "user-busy"),)


@pytest.mark.parametrize("reason", get_args(Reason))
def test_reasons_survive_as_far_as_the_other_header_can_say_them(reason: Reason) -> None:
    lines = as_history([Redirection(uri(1), reason)], TARGET)
    [back] = redirections_of(Headers(lines))
    known = {"user-busy", "no-answer", "unavailable", "unconditional", "deflection"}
    assert back.reason == (reason if reason in known else "unknown")
    [same] = redirections_of(Headers(as_diversion([Redirection(uri(1), reason)])))
    assert same.reason == reason


entries = st.builds(
    Redirection,
    uri=st.integers(1, 8).map(uri),
    reason=st.sampled_from(["user-busy", "no-answer", "unavailable", "unconditional", "deflection"]),
    count=st.integers(1, 3),
    private=st.booleans(),
)


@given(st.lists(entries, max_size=5))
def test_both_ways_and_back(redirections: list[Redirection]) -> None:
    diversion = Headers(as_diversion(redirections))
    assert redirections_of(diversion) == tuple(redirections)
    history = redirections_of(Headers(as_history(redirections, TARGET)))
    assert history == tuple(redirections)
    assert Headers(as_diversion(history)) == diversion


def test_counters_become_placeholders() -> None:
    lines = as_history([Redirection(uri(1), "user-busy", count=3)], TARGET)
    assert [value.partition("index=")[2].partition(";")[0] for _, value in lines] == [
        "1",
        "1.1",
        "1.1.1",
        "1.1.1.1",
    ]
    assert lines[0][1].startswith("<sip:unknown@unknown.invalid>")
    assert lines[3][1].startswith("<sip:13800138009@example.net;cause=486>")


def test_of_two_headers_the_one_that_knows_more_is_taken() -> None:
    both = as_history([Redirection(uri(1), "user-busy")], TARGET) + as_diversion(
        [Redirection(uri(2), "no-answer"), Redirection(uri(3), "no-answer")]
    )
    assert total(redirections_of(Headers(both))) == 2
    same = as_history([Redirection(uri(1), "user-busy")], TARGET) + as_diversion([Redirection(uri(2))])
    assert redirections_of(Headers(same)) == (Redirection(uri(1), "user-busy"),)


def test_without_redirections_nothing_is_written() -> None:
    assert as_history([], TARGET) == as_diversion([]) == []


def test_a_flood_of_entries_is_cut() -> None:
    lines = as_diversion([Redirection(uri(1), count=100)] * 60)
    found = redirections_of(Headers(lines))
    assert len(found) == MAX_ENTRIES
    assert len(as_history(found, TARGET)) <= MAX_ENTRIES


@given(
    st.sampled_from(["Diversion", "History-Info"]),
    st.lists(st.binary(max_size=90).map(lambda raw: raw.translate(None, b"\r\n")), max_size=4),
)
def test_nothing_that_a_peer_writes_raises(name: str, lines: list[bytes]) -> None:
    redirections_of(Headers([(name, line) for line in lines]))


@pytest.mark.parametrize("counter", ["0", "-1", "1000", "x", "", "٣", "1_0"])
def test_an_odd_counter_counts_once(counter: str) -> None:
    value = f'<sip:13800138001@example.com>;counter="{counter}"'
    assert total(redirections_of(Headers([("Diversion", value)]))) == 1
