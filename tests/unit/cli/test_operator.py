"""`sipccd bans`, `unban`, `trunks`, `registrations` and `hours`, by a console without a socket."""

from __future__ import annotations

from pathlib import Path

import msgspec
import pytest
from click.testing import CliRunner
from tests.unit.sip.test_registrar import FakeFlow, Phone
from tests.unit.switch.desks import Parts

from sipcc.cli import console as module
from sipcc.cli.main import main
from sipcc.sip import TrunkSettings
from sipcc.sip.settings import HealthSettings
from sipcc.sip.trace import Trace, TraceSettings
from sipcc.sip.transport.base import Address
from sipcc.switch.console import Answer, Console, Question

STRANGER = "203.0.113.66"
TRUNKS = (
    TrunkSettings(
        name="east",
        addresses=("192.0.2.9",),
        max_calls=30,
        calls_per_second=10.0,
        health=HealthSettings(ping=30.0),
    ),
    TrunkSettings(name="west", host="sip.example.net", health=HealthSettings(ping=0.0)),
    TrunkSettings(
        name="north", host="192.0.2.20", port=5070, register=True, username="400", password="x"
    ),
)  # fmt: skip


@pytest.fixture
def config(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    Path("sipcc.toml").write_text('[records]\ndatabase = "calls.db"\n')


@pytest.fixture
async def parts(tmp_path: Path, config: None, monkeypatch: pytest.MonkeyPatch) -> Parts:
    made = Parts(trunks=TRUNKS)
    answering = Console(tmp_path / "s", Trace(TraceSettings(), wall_of=float), made.desk)

    def ask(path: Path, question: Question) -> Answer:
        answer = msgspec.json.encode(answering.answer(msgspec.json.encode(question)))
        return msgspec.json.decode(answer, type=Answer)

    monkeypatch.setattr(module, "ask", ask)
    return made


def lines(*arguments: str, status: int = 0) -> list[list[str]]:
    """The columns of each line that a command prints."""
    result = CliRunner().invoke(main, arguments)
    assert result.exit_code == status, result.output
    return [line.split() for line in result.output.splitlines()]


async def test_bans_are_listed_and_forgiven(parts: Parts) -> None:
    assert lines("bans") == [["SOURCE", "SINCE", "UNTIL", "WHY", "TIMES"]]
    for host, offence in ((STRANGER, "scanner"), ("2001:db8:1:2::3", "wrong_password")):
        parts.guard.ban(host, offence, now=1000.0)  # type: ignore[arg-type]
    parts.clock.at = 1030.0
    parts.guard.ban(STRANGER, "rate", now=1030.0)
    _, latest, other = lines("bans")
    assert (latest[0], latest[-2:]) == (STRANGER, ["rate", "2"])
    assert (other[0], other[-2:]) == ("2001:db8:1:2::/64", ["wrong_password", "1"])
    assert lines("unban", STRANGER) == [[STRANGER, "is", "listened", "to", "again"]]
    assert not parts.guard.blocked(STRANGER, now=1030.0)
    [problem] = lines("unban", STRANGER, status=1)
    assert problem[:4] == ["sipccd:", repr(STRANGER), "is", "not"]
    assert lines("unban", "all") == [["2001:db8:1:2::/64", "is", "listened", "to", "again"]]
    assert lines("unban", "all") == []


async def test_a_ban_that_is_over_is_not_listed(parts: Parts) -> None:
    parts.guard.ban(STRANGER, "scanner", now=1000.0)
    parts.clock.at = 1061.0
    assert len(lines("bans")) == 1


async def test_trunks(parts: Parts) -> None:
    parts.trunks.health_of("east").start(now=1000.0)
    parts.trunks.take("east", 30)
    assert parts.trunks.refusal(TRUNKS[0]) == ""
    parts.trunks.health_of("west").called(503, now=1000.0, retry_after=60.0)
    head, east, west, north = lines("trunks")
    assert head[:3] == ["TRUNK", "WHERE", "STATE"]
    assert east == ["east", "192.0.2.9", "up", "1/30", "1.0/10", "in", "0", "s", "-"]
    assert west[:7] == ["west", "sip.example.net", "down", "0", "-", "-", "-"]
    assert " ".join(west[7:]) == "it asked for 60 s without calls"
    assert north[:4] == ["north", "192.0.2.20:5070", "up", "0"]


async def test_registrations(parts: Parts) -> None:
    phone = Phone(parts.registrar)
    instance = '+sip.instance="<urn:uuid:1>"'
    phone.register(f"<sip:1001@192.0.2.7;transport=tcp>;expires=60;{instance}", now=1000.0)
    closed = FakeFlow(Address("192.0.2.8", 40001), "wss")
    closed.closed = True
    phone.register("<sip:1001@192.0.2.8>;expires=90", now=1000.0, flow=closed)
    parts.clock.at = 1010.0
    head, first, second = lines("registrations")
    assert head == ["USER", "CONTACT", "FLOW", "ENDS", "INSTANCE"]
    assert first == [
        "1001",
        "sip:1001@192.0.2.7;transport=tcp",
        "tcp:192.0.2.7:40000",
        "in",
        "50",
        "s",
        "urn:uuid:1",
    ]
    assert second == ["1001", "sip:1001@192.0.2.8", "wss:192.0.2.8:40001", "(closed)", "in", "80", "s", "-"]
    assert lines("registrations", "1002") == [["USER", "CONTACT", "FLOW", "ENDS", "INSTANCE"]]
    assert lines("registrations", "1001", "--limit", "1")[2][:3] == ["and", "1", "more:"]


async def test_hours_are_listed_overridden_and_cleared(parts: Parts) -> None:
    assert lines("hours")[0] == ["CALENDAR", "NOW", "WHY", "DETAIL"]
    assert lines("hours")[1][:3] == ["office", "open", "hours"]
    for given, seconds in (("2h", 7200), ("90s", 90), ("1d12h30m", 131_400)):
        _, shut = lines("hours", "office", "closed", "--for", given)
        assert shut[:6] == ["office", "closed", "override", "closed", "by", "sipccd"]
        override = parts.hours.views()[0].override
        assert override is not None
        assert override.until == 1_700_001_000 + seconds
    assert lines("hours", "office")[1] == shut
    assert lines("hours", "office", "clear")[1][:3] == ["office", "open", "hours"]


@pytest.mark.parametrize(
    ("arguments", "status", "message"),
    [
        (("home",), 1, "there is no calendar 'home'; known: office"),
        (("home", "clear"), 1, "there is no calendar 'home'; known: office"),
        (("home", "open", "--for", "1h"), 1, "there is no calendar 'home'; known: office"),
        (("office", "closed"), 2, "say how long: --for 2h"),
        (("office", "clear", "--for", "2h"), 2, "--for goes with open or closed"),
        (("office", "closed", "--for", "120"), 2, "'120' is no time: write 30m, 2h or 1d12h"),
        (("office", "closed", "--for", "0h"), 2, "is no time"),
        (("office", "closed", "--for", "400d"), 1, "in the future, at most"),
        (("office", "ajar"), 2, "ajar"),
    ],
)
async def test_hours_that_are_refused(
    parts: Parts, arguments: tuple[str, ...], status: int, message: str
) -> None:
    result = CliRunner().invoke(main, ["hours", *arguments])
    assert (result.exit_code, message in result.output) == (status, True), result.output
    assert parts.hours.views()[0].override is None
