from __future__ import annotations

import pytest

from sipcc.sip.fields import Via
from sipcc.sip.nat import is_address, only_by_flow, plain_host, prefers_flow, reach_of, response_address
from sipcc.sip.transport.base import Address


@pytest.mark.parametrize(
    ("host", "reach"),
    [
        ("8.8.8.8", "public"),
        ("10.1.2.3", "private"),
        ("192.168.1.5", "private"),
        ("100.64.0.1", "private"),
        ("169.254.1.1", "private"),
        ("fd00::1", "private"),
        ("2a00:1450::1", "public"),
        ("127.0.0.9", "loopback"),
        ("::1", "loopback"),
        ("0.0.0.0", "none"),
        ("224.0.0.1", "none"),
        ("phone.invalid", "none"),
        ("::ffff:10.1.2.3", "private"),
        ("::ffff:8.8.8.8", "public"),
        ("[2a00:1450::1]", "public"),
        ("fe80::1%eth0", "private"),
    ],
)
def test_reach(host: str, reach: str) -> None:
    assert reach_of(host) == reach
    assert is_address(host) == (host != "phone.invalid")


@pytest.mark.parametrize(
    ("contact", "source", "flow"),
    [
        ("192.168.1.5", "8.8.8.8", True),
        ("192.168.1.5", "10.0.0.1", True),
        ("192.168.1.5", "192.168.1.5", False),
        ("8.8.4.4", "8.8.8.8", False),
        ("phone.invalid", "8.8.8.8", True),
        ("0.0.0.0", "8.8.8.8", True),
        ("127.0.0.1", "8.8.8.8", True),
        ("127.0.0.2", "127.0.0.1", False),
        ("2001:db8:0::1", "2001:DB8::1", False),
        ("192.168.1.5", "::ffff:192.168.1.5", False),
    ],
)
def test_prefers_flow(contact: str, source: str, flow: bool) -> None:
    assert prefers_flow(contact, source) is flow


@pytest.mark.parametrize(
    ("via", "port"),
    [
        ("SIP/2.0/UDP 10.0.0.1:5070;branch=z9hG4bK1;rport", 40000),
        ("SIP/2.0/UDP 10.0.0.1:5070;branch=z9hG4bK1", 5070),
        ("SIP/2.0/UDP 10.0.0.1;branch=z9hG4bK1", 5060),
        ("SIP/2.0/UDP 192.168.7.7:5070;branch=z9hG4bK1", 40000),
        ("SIP/2.0/UDP phone.invalid;branch=z9hG4bK1", 40000),
    ],
)
def test_where_a_response_goes(via: str, port: int) -> None:
    assert response_address(Via.parse(via), Address("10.0.0.1", 40000)) == Address("10.0.0.1", port)


@pytest.mark.parametrize(
    ("host", "plain"),
    [
        ("192.0.2.1", "192.0.2.1"),
        ("::ffff:192.0.2.1", "192.0.2.1"),
        ("::FFFF:c000:201", "192.0.2.1"),
        ("[2001:DB8:0:0::1]", "2001:db8::1"),
        ("fe80::1%eth0", "fe80::1"),
        ("PBX.Example.COM", "pbx.example.com"),
        ("", ""),
    ],
)
def test_one_spelling(host: str, plain: str) -> None:
    assert plain_host(host) == plain


def test_a_response_to_another_spelling_of_the_source_goes_to_the_port_of_the_via() -> None:
    via = Via.parse("SIP/2.0/UDP [2001:DB8:0::1]:5070;branch=z9hG4bK1")
    assert response_address(via, Address("2001:db8::1", 40000)).port == 5070


@pytest.mark.parametrize(
    ("host", "only"),
    [
        ("df7jal23ls0d.invalid", True),
        ("A.INVALID.", True),
        ("invalid.example.com", False),
        ("invalid", False),
    ],
)
def test_hosts_that_no_name_server_knows(host: str, only: bool) -> None:
    assert only_by_flow(host) is only
