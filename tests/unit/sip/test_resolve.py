from __future__ import annotations

import random
from collections import Counter
from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.samples import so_many

from sipcc.sip.resolve import (
    MAX_HOPS,
    Answer,
    AnswerCache,
    Hop,
    HopHealth,
    Naptr,
    Plan,
    Query,
    Srv,
    Wanted,
    plain_address,
    plan,
    srv_order,
    weighted_order,
)

Zone = dict[tuple[str, str], list[object]]

ZONE: Zone = {
    ("example.com", "NAPTR"): [
        Naptr(100, 50, "s", "SIP+D2U", "_sip._udp.example.com"),
        Naptr(90, 50, "s", "SIPS+D2T", "_sips._tcp.example.com."),
        Naptr(90, 60, "s", "SIP+D2T", "_sip._tcp.example.com"),
        Naptr(10, 10, "s", "SIP+D2S", "_sip._sctp.example.com"),
        Naptr(10, 10, "u", "E2U+sip", "!^.*$!sip:x@example.com!"),
    ],
    ("_sip._udp.example.com", "SRV"): [Srv(10, 1, 5060, "a.example.com"), Srv(20, 1, 5070, "b.example.com.")],
    ("_sip._tcp.example.com", "SRV"): [Srv(10, 1, 5062, "a.example.com")],
    ("_sips._tcp.example.com", "SRV"): [Srv(10, 1, 5061, "b.example.com")],
    ("a.example.com", "A"): ["192.0.2.1", "192.0.2.11"],
    ("a.example.com", "AAAA"): ["2001:db8::1"],
    ("b.example.com", "A"): ["192.0.2.2"],
    # has an address and SRV records, but no NAPTR
    ("example.net", "A"): ["198.51.100.9"],
    ("_sip._udp.example.net", "SRV"): [Srv(0, 0, 5080, "b.example.com")],
    ("_sip._tcp.example.net", "SRV"): [Srv(0, 0, 5081, "b.example.com")],
    # has nothing but an address
    ("plain.example.net", "A"): ["198.51.100.7"],
    # says that there is no SIP over UDP
    ("_sip._udp.none.example.net", "SRV"): [Srv(0, 0, 0, ".")],
    ("none.example.net", "A"): ["198.51.100.8"],
    # an address as the target, which RFC 2782 forbids
    ("_sip._udp.wrong.example.net", "SRV"): [Srv(0, 0, 5060, "203.0.113.5"), Srv(1, 0, 0, "a.example.com")],
}


def ask_all(wanted: Wanted, zone: Zone = ZONE, chance: Callable[[], float] = lambda: 0.0) -> Plan:
    """The plan once everything that it asked for was answered."""
    known: dict[Query, Answer] = {}
    for _round in range(8):
        found = plan(wanted, known.get, chance=chance)
        if not found.missing:
            return found
        for query in found.missing:
            known[query] = tuple(zone.get((query.name, query.kind), ()))  # type: ignore[assignment]
    raise AssertionError("it never stops asking")


def way(found: Plan) -> list[tuple[str, str, int]]:
    return [hop[:3] for hop in found.hops]


@pytest.mark.parametrize(
    ("wanted", "hops"),
    [
        # an address: no question at all
        (Wanted("192.0.2.5"), [("udp", "192.0.2.5", 5060)]),
        (Wanted("192.0.2.5", 5070), [("udp", "192.0.2.5", 5070)]),
        (Wanted("192.0.2.5", None, "tcp"), [("tcp", "192.0.2.5", 5060)]),
        (Wanted("192.0.2.5", None, "tls"), [("tls", "192.0.2.5", 5061)]),
        (Wanted("2001:db8::5", None, "wss"), [("wss", "2001:db8::5", 443)]),
        (Wanted("192.0.2.5", sips=True), [("tls", "192.0.2.5", 5061)]),
        (Wanted("192.0.2.5", None, "tcp", sips=True), [("tls", "192.0.2.5", 5061)]),
        # a port: addresses only, UDP unless asked otherwise
        (Wanted("plain.example.net", 5090), [("udp", "198.51.100.7", 5090)]),
        (Wanted("plain.example.net", 5090, "tcp"), [("tcp", "198.51.100.7", 5090)]),
        (Wanted("plain.example.net", 5090, sips=True), [("tls", "198.51.100.7", 5090)]),
        (Wanted("example.net", 5060), [("udp", "198.51.100.9", 5060)]),
        # a transport: its SRV, else addresses
        (Wanted("example.net", None, "tcp"), [("tcp", "192.0.2.2", 5081)]),
        (Wanted("plain.example.net", None, "tcp"), [("tcp", "198.51.100.7", 5060)]),
        (Wanted("plain.example.net", None, "tls"), [("tls", "198.51.100.7", 5061)]),
        # NAPTR: order, then preference; what we do not speak is passed over
        (
            Wanted("Example.COM."),
            [
                ("tls", "192.0.2.2", 5061),
                ("tcp", "192.0.2.1", 5062), ("tcp", "192.0.2.11", 5062), ("tcp", "2001:db8::1", 5062),
                ("udp", "192.0.2.1", 5060), ("udp", "192.0.2.11", 5060), ("udp", "2001:db8::1", 5060),
                ("udp", "192.0.2.2", 5070),
            ],
        ),
        (Wanted("example.com", sips=True), [("tls", "192.0.2.2", 5061)]),
        # no NAPTR: SRV of each transport of ours, before any address of the domain itself
        (Wanted("example.net"), [("udp", "192.0.2.2", 5080), ("tcp", "192.0.2.2", 5081)]),
        # nothing but an address
        (Wanted("plain.example.net"), [("udp", "198.51.100.7", 5060)]),
        (Wanted("plain.example.net", sips=True), [("tls", "198.51.100.7", 5061)]),
        # the service is decidedly not there
        (Wanted("none.example.net", None, "udp"), []),
        (Wanted("wrong.example.net", None, "udp"), [("udp", "203.0.113.5", 5060)]),
        (Wanted("unknown.example.net"), []),
    ],
)  # fmt: skip
def test_hops_in_order(wanted: Wanted, hops: list[tuple[str, str, int]]) -> None:
    assert way(ask_all(wanted)) == hops


def test_a_hop_keeps_the_name_that_was_asked_for() -> None:
    assert {hop.name for hop in ask_all(Wanted("example.com")).hops} == {"example.com"}


def test_it_asks_for_what_it_misses_only() -> None:
    first = plan(Wanted("example.net"), lambda query: None, chance=lambda: 0.0)
    assert first == Plan([], [Query("example.net", "NAPTR")])
    second = plan(
        Wanted("example.net"), lambda query: () if query.kind == "NAPTR" else None, chance=lambda: 0.0
    )
    assert [query.name for query in second.missing] == [
        "_sip._udp.example.net", "_sip._tcp.example.net", "_sips._tcp.example.net",
    ]  # fmt: skip


def test_families_are_asked_in_the_order_given() -> None:
    known = {Query("a.example.com", "A"): ("192.0.2.1",), Query("a.example.com", "AAAA"): ("2001:db8::1",)}
    found = plan(Wanted("a.example.com", 5060), known.get, chance=lambda: 0.0, families=("AAAA", "A"))
    assert [hop.host for hop in found.hops] == ["2001:db8::1", "192.0.2.1"]
    found = plan(Wanted("a.example.com", 5060), known.get, chance=lambda: 0.0, families=("A",))
    assert [hop.host for hop in found.hops] == ["192.0.2.1"]


def test_a_zone_without_end_gives_a_bounded_plan() -> None:
    zone: Zone = {
        ("_sip._udp.big.example.net", "SRV"): [Srv(1, 1, 5060, f"h{i}.example.net") for i in range(500)]
    }
    zone |= {(f"h{i}.example.net", "A"): [f"10.0.{i // 250}.{i % 250 + 1}"] for i in range(500)}
    assert 0 < len(ask_all(Wanted("big.example.net", None, "udp"), zone).hops) <= MAX_HOPS


def test_srv_weights_within_two_per_cent_over_10000_picks() -> None:
    records = [Srv(1, 60, 5060, "a"), Srv(1, 30, 5060, "b"), Srv(1, 10, 5060, "c"), Srv(1, 0, 5060, "z")]
    dice = random.Random(1)
    firsts = Counter(srv_order(records, dice.random)[0].target for _ in range(10_000))
    for record in records:
        assert abs(firsts[record.target] / 10_000 - record.weight / 100) < 0.02
    assert firsts["z"] > 0


def test_servers_without_weight_share_evenly() -> None:
    records = [Srv(1, 0, 5060, name) for name in "abcd"]
    dice = random.Random(2)
    firsts = Counter(srv_order(records, dice.random)[0].target for _ in range(10_000))
    assert all(abs(count / 10_000 - 0.25) < 0.02 for count in firsts.values())


@given(
    st.lists(st.tuples(st.integers(0, 3), st.integers(0, 65535)), max_size=12),
    st.lists(st.floats(0, 1, exclude_max=True), min_size=1),
)
def test_srv_order_loses_nobody_and_keeps_priorities(rows: list[tuple[int, int]], draws: list[float]) -> None:
    records = [Srv(priority, weight, 5060, str(i)) for i, (priority, weight) in enumerate(rows)]
    turns = iter(draws * (len(rows) + 1))
    ordered = srv_order(records, lambda: next(turns))
    assert sorted(ordered) == sorted(records)
    assert [record.priority for record in ordered] == sorted(record.priority for record in records)


def test_weighted_order_of_one() -> None:
    assert weighted_order(["a"], [0], lambda: 0.99) == ["a"]


A, B, C = (Hop("udp", f"192.0.2.{i}", 5060, "example.com") for i in (1, 2, 3))


def test_a_failed_hop_is_last_until_its_time_is_over() -> None:
    health = HopHealth(60.0)
    assert health.order([A, B, C], now=0.0) == [A, B, C]
    health.failed(A, now=0.0)
    assert health.order([A, B, C], now=59.0) == [B, C, A]
    health.failed(B, now=10.0, seconds=5.0)
    assert health.order([A, B, C], now=12.0) == [C, B, A]
    assert health.order([A, B, C], now=15.0) == [B, C, A]
    assert health.order([A, B, C], now=60.0) == [A, B, C]


def test_a_hop_that_answers_is_forgiven() -> None:
    health = HopHealth(60.0)
    health.failed(A, now=0.0, seconds=1e9)
    assert not health.is_back(A, now=3599.0)
    assert health.is_back(A, now=3600.0)
    health.failed(A, now=0.0)
    health.worked(A)
    assert health.order([A, B], now=1.0) == [A, B]


def test_what_hop_health_remembers_is_bounded() -> None:
    health = HopHealth(60.0)
    for i in range(so_many(10_000, 4_500)):
        health.failed(Hop("udp", f"10.0.{i // 250}.{i % 250}", 5060, ""), now=0.0)
    assert len(health._until) <= 4096


def test_the_cache_keeps_to_times_and_bounds() -> None:
    cache = AnswerCache(entries=2, max_ttl=100.0, negative_ttl=10.0, stale=50.0)
    one, two, three = (Query(name, "A") for name in ("one", "two", "three"))
    cache.put(one, ("192.0.2.1",), 1000.0, now=0.0)
    assert cache.fresh(one, now=99.0) == ("192.0.2.1",)
    assert cache.fresh(one, now=100.0) is None
    assert cache.stale(one, now=149.0) == ("192.0.2.1",)
    assert cache.stale(one, now=150.0) is None
    cache.put(two, (), 1000.0, now=0.0)
    assert cache.fresh(two, now=9.0) == ()
    assert cache.fresh(two, now=10.0) is None
    assert cache.stale(two, now=10.0) is None
    cache.put(three, (), 5.0, now=0.0)
    assert len(cache) == 2
    assert cache.fresh(one, now=0.0) is None


@pytest.mark.parametrize(
    ("text", "address"),
    [
        ("192.0.2.1", "192.0.2.1"), ("2001:DB8:0::1", "2001:db8::1"), ("0.0.0.0", None), ("::", None),
        ("224.0.0.1", None), ("name", None),
    ],
)  # fmt: skip
def test_plain_address(text: str, address: str | None) -> None:
    assert plain_address(text) == address
