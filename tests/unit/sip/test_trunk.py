from __future__ import annotations

import pytest

from sipcc.errors import ConfigError
from sipcc.sip.settings import TrunkSettings
from sipcc.sip.transport.base import Address, TransportName
from sipcc.sip.trunk import TrunkTable, destination_of, leads_to


def table(**trunks: tuple[str, ...]) -> TrunkTable:
    return TrunkTable(TrunkSettings(name=name, addresses=addresses) for name, addresses in trunks.items())


TRUNKS = table(
    one=("192.0.2.1", "2001:db8::1"),
    port=("192.0.2.2:5080", "[2001:db8::2]:5080"),
    wide=("198.51.100.0/24",),
    narrow=("198.51.100.64/28",),
    v6=("[2001:db8::3]", "2001:db8:1::/48"),
)


@pytest.mark.parametrize(
    ("host", "port", "name"),
    [
        ("192.0.2.1", 5060, "one"), ("192.0.2.1", 1, "one"), ("2001:db8::1", 5060, "one"),
        ("2001:DB8:0:0:0:0:0:1", 5060, "one"), ("::ffff:192.0.2.1", 5060, "one"),
        ("192.0.2.2", 5080, "port"), ("192.0.2.2", 5060, None), ("2001:db8::2", 5080, "port"),
        ("198.51.100.1", 5060, "wide"), ("198.51.100.70", 5060, "narrow"), ("2001:db8::3", 9, "v6"),
        ("2001:db8:1::99", 9, "v6"), ("203.0.113.1", 5060, None), ("::1", 5060, None), ("nonsense", 1, None),
    ],
)  # fmt: skip
def test_match(host: str, port: int, name: str | None) -> None:
    trunk = TRUNKS.match_address(Address(host, port))
    assert (trunk.name if trunk else None) == name


def test_by_name_and_iteration() -> None:
    assert TRUNKS.by_name("one") is not None
    assert TRUNKS.by_name("none") is None
    assert [trunk.name for trunk in TRUNKS] == ["one", "port", "wide", "narrow", "v6"]
    assert len(TRUNKS) == 5


@pytest.mark.parametrize(
    "address",
    [
        "", "carrier.example.com", "192.0.2.1:0", "192.0.2.1:99999", "192.0.2.1:5_0", "0.0.0.0/0", "::/0",
        "10.0.0.1/8", "0x7f.1", "127.1",
    ],
)  # fmt: skip
def test_bad_addresses(address: str) -> None:
    with pytest.raises(ConfigError):
        table(x=(address,))


@pytest.mark.parametrize("address", ["192.0.2.1", "192.0.2.1:5060", "198.51.100.0/24"])
def test_an_address_has_one_owner(address: str) -> None:
    with pytest.raises(ConfigError):
        table(x=(address,), y=(address,))


def test_a_name_is_used_once() -> None:
    with pytest.raises(ConfigError):
        TrunkTable([TrunkSettings(name="x"), TrunkSettings(name="x")])


class Connection:
    """As much of a flow as decides whose it is."""

    def __init__(self, host: str, transport: TransportName = "tls", *names: str) -> None:
        self.transport: TransportName = transport
        self.remote = Address(host, 40000)
        self.local = Address("198.51.100.9", 5061)
        self.reliable = transport != "udp"
        self.closed = False
        self.peer_names = frozenset(names)

    def send(self, data: bytes) -> None:
        raise NotImplementedError

    def close(self) -> None:
        raise NotImplementedError


NAMED = TrunkTable(
    [
        TrunkSettings(name="named", addresses=("192.0.2.1",), tls_names=("SIP.carrier.example.com",)),
        TrunkSettings(name="plain", addresses=("192.0.2.2",)),
    ]
)


@pytest.mark.parametrize(
    ("flow", "name"),
    [
        (Connection("203.0.113.7", "tls", "sip.carrier.example.com"), "named"),
        (Connection("203.0.113.7", "tls", "x.example.net", "sip.carrier.example.com"), "named"),
        (Connection("192.0.2.1", "tls", "sip.carrier.example.com"), "named"),
        (Connection("192.0.2.1", "tls", "other.example.com"), None),
        (Connection("192.0.2.1", "tls"), None),
        (Connection("192.0.2.1", "wss"), None),
        (Connection("192.0.2.1", "udp"), "named"),
        (Connection("192.0.2.1", "tcp"), "named"),
        (Connection("192.0.2.2", "tls"), "plain"),
        (Connection("192.0.2.2", "tls", "other.example.com"), "plain"),
        (Connection("203.0.113.7", "tls", "carrier.example.com"), None),
    ],
)
def test_a_proved_name_tells_the_carrier(flow: Connection, name: str | None) -> None:
    trunk = NAMED.match(flow)
    assert (trunk.name if trunk else None) == name


def test_a_name_has_one_owner() -> None:
    with pytest.raises(ConfigError):
        TrunkTable(
            [
                TrunkSettings(name="x", tls_names=("sip.example.com",)),
                TrunkSettings(name="y", tls_names=("SIP.example.com",)),
            ]
        )


@pytest.mark.parametrize(
    ("trunk", "way"),
    [
        (TrunkSettings(name="x", host="sip.example.com"), ("sip.example.com", 0, "udp")),
        (TrunkSettings(name="x", host="a.example", port=5070, transport="tls"), ("a.example", 5070, "tls")),
        (TrunkSettings(name="x", host="sip.example.com", transport="auto"), ("sip.example.com", 0, None)),
        (TrunkSettings(name="x", addresses=("192.0.2.1",)), ("192.0.2.1", 0, "udp")),
        (TrunkSettings(name="x", addresses=("192.0.2.1:5070",)), ("192.0.2.1", 5070, "udp")),
        (TrunkSettings(name="x", addresses=("[2001:db8::1]:5070",), port=5080), ("2001:db8::1", 5080, "udp")),
        (TrunkSettings(name="x", addresses=("192.0.2.0/24", "198.51.100.1")), ("198.51.100.1", 0, "udp")),
    ],
)  # fmt: skip
def test_where_calls_to_a_carrier_go(trunk: TrunkSettings, way: tuple[object, ...]) -> None:
    assert destination_of(trunk) == way


SPELT = TrunkSettings(
    name="a",
    host="Sip.Carrier.example.com",
    addresses=("192.0.2.10", "192.0.2.11:5070", "2001:db8::1", "198.51.100.0/24"),
)


@pytest.mark.parametrize(
    ("host", "port", "leads"),
    [
        ("sip.carrier.example.com", 5060, True), ("SIP.carrier.example.com.", 5060, True),
        ("192.0.2.10", 5060, True), ("::ffff:192.0.2.10", 5060, True), ("192.0.2.10", 5080, False),
        ("192.0.2.11", 5070, True), ("192.0.2.11", 5060, True), ("192.0.2.11", 5090, False),
        ("2001:DB8:0::1", 5060, True), ("2001:db8::2", 5060, False),
        ("198.51.100.77", 5060, True), ("198.51.101.77", 5060, False), ("carrier.example.com", 5060, False),
    ],
)  # fmt: skip
def test_a_uri_that_leads_to_a_carrier_in_any_spelling(host: str, port: int, leads: bool) -> None:
    assert leads_to(SPELT, host, port) == leads
