from __future__ import annotations

import math
import tracemalloc

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sipcc.errors import ConfigError
from sipcc.events import Event
from sipcc.sip import guard as module
from sipcc.sip.guard import (
    POINTS,
    AccountAttacked,
    Guard,
    GuardBanned,
    Offence,
    is_scanner,
    source_of,
)
from sipcc.sip.settings import GuardSettings, TrunkSettings
from sipcc.sip.transport.base import Address, TransportName

STRANGER = "203.0.113.9"
CARRIER = TrunkSettings(name="carrier", addresses=("192.0.2.10:5060", "198.51.100.0/24"), host="192.0.2.20")


class FakeFlow:
    transport: TransportName = "udp"
    local = Address("192.0.2.1", 5060)
    reliable = False
    closed = False
    peer_names: frozenset[str] = frozenset()

    def __init__(self, host: str, port: int = 5060) -> None:
        self.remote = Address(host, port)

    def send(self, data: bytes) -> None:
        raise AssertionError(data)

    def close(self) -> None: ...


def make(**settings: object) -> tuple[Guard, list[Event]]:
    guard = Guard(GuardSettings(**settings), [CARRIER])  # type: ignore[arg-type]
    told: list[Event] = []
    guard.on_event = told.append
    return guard, told


def allowed(guard: Guard, host: str, count: int, *, seconds: float = 0.0, at: float = 0.0) -> int:
    """How many of `count` messages pass that come evenly over some seconds."""
    flow = FakeFlow(host)
    times = [at + seconds * i / count for i in range(count)]
    return sum(not guard.blocked(host, now=now) and guard.allow(flow, now=now) for now in times)


# -- who is who -----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("host", "source"),
    [
        ("192.0.2.7", "192.0.2.7"),
        ("2001:db8:1:2:3:4:5:6", "2001:db8:1:2::/64"),
        ("2001:db8:1:2::1", "2001:db8:1:2::/64"),
        ("fe80::1%eth0", "fe80::/64"),
        ("::ffff:192.0.2.7", "192.0.2.7"),
        ("no address:", "no address:"),
    ],
)
def test_sources(host: str, source: str) -> None:
    assert source_of(host) == source


@pytest.mark.parametrize(
    ("host", "kind"),
    [
        ("192.0.2.10", "trunk"), ("192.0.2.20", "trunk"), ("198.51.100.77", "trunk"),
        ("::ffff:192.0.2.10", "trunk"), ("127.0.0.1", "agent"), ("::1", "agent"),
        (STRANGER, "stranger"), ("2001:db8::1", "stranger"), ("odd", "stranger"),
    ],
)  # fmt: skip
def test_classes(host: str, kind: str) -> None:
    guard, _ = make()
    assert guard.class_of(host, now=0.0) == kind


def test_a_host_is_an_agents_for_a_day_after_its_password() -> None:
    guard, _ = make()
    guard.welcome(STRANGER, now=10.0)
    assert guard.class_of(STRANGER, now=10.0 + module.KNOWN_FOR - 1) == "agent"
    assert guard.class_of(STRANGER, now=10.0 + module.KNOWN_FOR) == "stranger"


def test_a_certificate_makes_a_host_a_trunk() -> None:
    guard, _ = make()
    guard.welcome(STRANGER, now=0.0, trunk=True)
    assert guard.class_of(STRANGER, now=1.0) == "trunk"


@pytest.mark.parametrize("entry", ["everybody", "192.0.2.1/33", "0.0.0.0/0", "::/0", "192.0.2.1:5060"])
def test_what_nobody_can_trust(entry: str) -> None:
    with pytest.raises(ConfigError):
        make(trusted=(entry,))


def test_a_trunk_known_by_name_alone_is_no_address() -> None:
    guard = Guard(GuardSettings(), [TrunkSettings(name="x", host="sbc.example.net")])
    assert guard.class_of("203.0.113.1", now=0.0) == "stranger"


# -- rates ----------------------------------------------------------------------------------------------


def test_a_flood_from_one_source_is_banned_within_two_seconds() -> None:
    guard, told = make()
    flow = FakeFlow(STRANGER)
    at = next(i / 20_000 for i in range(40_000) if not guard.allow(flow, now=i / 20_000) and told)
    assert at < 0.1
    assert guard.blocked(STRANGER, now=at)
    assert isinstance(told[0], GuardBanned)
    assert (told[0].source, told[0].offence, told[0].times) == (STRANGER, "rate", 1)


def test_a_burst_and_a_rate_just_under_the_limit_are_fine() -> None:
    guard, told = make()
    assert allowed(guard, STRANGER, 60) == 60
    assert allowed(guard, STRANGER, 1900, seconds=100, at=10.0) == 1900
    assert told == []


def test_good_sources_do_not_notice_a_flood() -> None:
    guard, _ = make()
    good = FakeFlow("203.0.113.77")
    for second in range(30):
        allowed(guard, STRANGER, 5000, seconds=1, at=float(second))
        assert guard.allow(good, now=second + 0.9)


def test_many_sources_together_meet_the_limit_of_all_strangers() -> None:
    guard, _ = make(strangers_rate=100.0)
    guard.welcome("203.0.112.1", now=0.0)
    agent, carrier = FakeFlow("203.0.112.1"), FakeFlow("192.0.2.10")
    passed = 0
    for step in range(2000):
        now = step / 200
        passed += sum(guard.allow(FakeFlow(f"203.0.113.{i}"), now=now) for i in range(step % 5, 200, 5))
        if step % 20 == 0:
            assert guard.allow(agent, now=now)
            assert guard.allow(carrier, now=now)
    assert passed <= 100 * 10 + 300


def test_each_bound_address_of_a_host_has_its_own_rate() -> None:
    guard, _ = make(agent_rate=10.0)
    guard.welcome("203.0.112.1", now=0.0)
    guard.is_bound = lambda address: address.port in {40001, 40002}
    counts = [
        sum(guard.allow(FakeFlow("203.0.112.1", port), now=0.0) for _ in range(50))
        for port in (40001, 40002, 40003, 40004)
    ]
    assert counts == [30, 30, 30, 0]


def test_trunks_have_a_rate_and_are_never_banned() -> None:
    guard, told = make(trunk_rate=100.0)
    assert allowed(guard, "192.0.2.10", 1000) == 300
    assert not guard.ban("192.0.2.10", "rate", now=0.0)
    assert told == []


def test_the_trusted_are_neither_limited_nor_banned() -> None:
    guard, told = make(trusted=("203.0.113.0/24",))
    assert allowed(guard, STRANGER, 5000) == 5000
    for _ in range(200):
        guard.tell(STRANGER, "malformed", now=0.0)
    assert told == []


def test_switched_off_it_lets_everything_pass() -> None:
    guard, told = make(enabled=False)
    assert allowed(guard, STRANGER, 5000) == 5000
    for _ in range(50):
        guard.tell(STRANGER, "wrong_password", now=0.0, account="1001")
    assert guard.may_try(STRANGER, "1001", now=0.0)
    assert not any(isinstance(event, GuardBanned) for event in told)


# -- bans -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("offence", sorted(POINTS))
def test_every_offence_ends_in_a_ban(offence: Offence) -> None:
    guard, told = make()
    needed = math.ceil(100 / POINTS[offence])
    for _ in range(needed - 1):
        guard.tell(STRANGER, offence, now=0.0)
        assert not guard.blocked(STRANGER, now=0.0)
    guard.tell(STRANGER, offence, now=0.0)
    assert guard.blocked(STRANGER, now=0.0)
    assert len(told) == 1


def test_patience_comes_back() -> None:
    guard, told = make()
    for minute in range(300):
        guard.tell(STRANGER, "wrong_password", now=minute * 60.0)
    assert told == []


def test_bans_end_and_grow_up_to_a_limit() -> None:
    guard, told = make(ban=10.0, max_ban=50.0)
    now = 0.0
    for seconds in (10.0, 20.0, 40.0, 50.0, 50.0):
        assert guard.ban(STRANGER, "scanner", now=now)
        assert guard.blocked(STRANGER, now=now + seconds - 0.1)
        assert [(ban.source, ban.until - now) for ban in guard.bans(now=now)] == [(STRANGER, seconds)]
        now += seconds
        assert not guard.blocked(STRANGER, now=now)
    assert [event.times for event in told if isinstance(event, GuardBanned)] == [1, 2, 3, 4, 5]


def test_a_ban_is_for_the_whole_ipv6_network() -> None:
    guard, _ = make()
    guard.ban("2001:db8:1:2::1", "scanner", now=0.0)
    assert guard.blocked("2001:db8:1:2:ffff::9", now=1.0)
    assert not guard.blocked("2001:db8:1:3::1", now=1.0)
    assert guard.unban("2001:db8:1:2::/64")


def test_pardon() -> None:
    guard, told = make()
    guard.ban(STRANGER, "scanner", now=0.0)
    assert guard.unban(STRANGER)
    assert not guard.unban(STRANGER)
    assert not guard.blocked(STRANGER, now=0.0)
    guard.ban(STRANGER, "scanner", now=0.0)
    assert isinstance(told[-1], GuardBanned)
    assert told[-1].times == 1


def test_the_right_password_ends_a_ban() -> None:
    guard, _ = make()
    guard.ban(STRANGER, "rate", now=0.0)
    guard.welcome(STRANGER, now=1.0)
    assert not guard.blocked(STRANGER, now=1.0)


def test_nobody_can_ban_an_agent_by_forging_his_address() -> None:
    guard, told = make()
    guard.welcome("203.0.112.1", now=0.0)
    for offence in POINTS:
        for _ in range(500):
            guard.tell("203.0.112.1", offence, now=1.0)
    assert told == []


def test_a_spray_of_methods() -> None:
    guard, told = make()
    methods = ["INVITE", "REGISTER", "SUBSCRIBE", "MESSAGE", "PUBLISH", "REFER", "NOTIFY", "OPTIONS"]
    for _ in range(3):
        for method in methods[:5]:
            guard.got_nowhere(STRANGER, method, now=0.0)
    level = guard._stranger(STRANGER).patience.level(0.0)
    guard.got_nowhere(STRANGER, methods[5], now=0.0)
    assert level - guard._stranger(STRANGER).patience.level(0.0) == POINTS["spray"]
    guard.got_nowhere(STRANGER, methods[6], now=0.0)
    assert told == []
    guard.got_nowhere("192.0.2.10", "INVITE", now=0.0)


def test_many_accounts_from_one_source() -> None:
    guard, told = make()
    for i in range(module.MANY_ACCOUNTS):
        guard.tell(STRANGER, "unknown_user", now=i * 120.0, account=f"10{i:02}")
    assert [event.offence for event in told if isinstance(event, GuardBanned)] == ["accounts"]


@pytest.mark.parametrize(
    ("name", "scans"),
    [
        (b"friendly-scanner", True), (b"SIPVicious 0.3", True), (b"sipcli/v1.8", True), (None, False),
        (b"", False), (b"Linphone/5.2 (belle-sip)", False), (b"Yealink SIP-T46S 66.86.0.15", False),
    ],
)  # fmt: skip
def test_scanners(name: bytes | None, scans: bool) -> None:
    assert is_scanner(name) == scans


# -- passwords ------------------------------------------------------------------------------------------


def tries(guard: Guard, host: str, account: str, seconds: float) -> int:
    """How many digests are checked when somebody tries once a second."""
    checked = 0
    for now in range(int(seconds)):
        if guard.may_try(host, account, now=now):
            checked += 1
            guard.tell(host, "wrong_password", now=now, account=account)
    return checked


@pytest.mark.parametrize("known", [False, True])
def test_at_most_twenty_tries_an_hour_from_one_source(known: bool) -> None:
    guard, _ = make()
    if known:
        guard.welcome(STRANGER, now=0.0)
    assert 10 <= tries(guard, STRANGER, "1001", 3600) <= 20
    assert guard.may_try("203.0.113.10", "1001", now=3600)
    assert guard.may_try(STRANGER, "1002", now=3600)


def test_a_siege_of_an_account_is_told_once_an_hour() -> None:
    guard, told = make()
    for source in range(200):
        for _ in range(5):
            guard.tell(f"203.0.{source // 250}.{source % 250}", "wrong_password", now=1.0, account="1001")
    sieges = [event for event in told if isinstance(event, AccountAttacked)]
    assert [(siege.user, siege.sources) for siege in sieges] == [("1001", 11)]
    guard.tell(STRANGER, "wrong_password", now=3602.0, account="1001")
    assert len([event for event in told if isinstance(event, AccountAttacked)]) == 1
    for _ in range(100):
        guard.tell(STRANGER, "wrong_password", now=3603.0, account="1001")
    assert len([event for event in told if isinstance(event, AccountAttacked)]) == 2


# -- memory ---------------------------------------------------------------------------------------------


def test_long_names_take_no_more_room_than_short_ones() -> None:
    guard, told = make()
    tracemalloc.start()
    for n in range(1000):
        host, name = f"203.0.{n >> 8}.{n & 255}", f"{n:06d}" + "a" * 4000
        guard.tell(host, "unknown_user", now=0.0, account=name)
        guard.got_nowhere(host, name, now=0.0)
    used, _peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert used < 2_500_000
    for _ in range(60):
        guard.tell("203.0.113.9", "wrong_password", now=0.0, account="b" * 4000)
    assert not guard.may_try("203.0.113.9", "b" * 4000, now=0.0)
    assert [len(event.user) for event in told if isinstance(event, AccountAttacked)] == [64]


def test_no_number_of_sources_grows_it_beyond_its_bounds(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("SOURCES", "BANS", "KNOWN", "PAIRS"):
        monkeypatch.setattr(module, name, 50)
    guard, _ = make()
    for i in range(2000):
        host = f"10.{i >> 16}.{(i >> 8) & 255}.{i & 255}"
        guard.allow(FakeFlow(host), now=float(i))
        guard.tell(host, "wrong_password", now=float(i), account=f"a{i}")
        guard.ban(host, "scanner", now=float(i))
        guard.welcome(f"11.0.{i >> 8}.{i & 255}", now=float(i))
        guard.allow(FakeFlow(f"11.0.{i >> 8}.{i & 255}"), now=float(i))
        assert len(guard) < 7 * 50 + 1000
        assert guard.blocked(host, now=float(i))


@given(st.lists(st.tuples(st.sampled_from(sorted(POINTS)), st.floats(0, 100)), max_size=60))
def test_a_ban_always_ends(offences: list[tuple[Offence, float]]) -> None:
    guard, _ = make(ban=5.0, max_ban=20.0)
    now = 0.0
    for offence, pause in offences:
        now += pause
        guard.tell(STRANGER, offence, now=now)
    assert not guard.blocked(STRANGER, now=now + 20.0)
