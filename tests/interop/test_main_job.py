"""A caller dials a 400 number, and the right agent answers: SIPp on both sides of `sipccd`."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from tests.interop.centre import AGENT_HZ, CALLER_HZ, Centre
from tests.interop.conftest import Cast
from tests.interop.programs import wait_until
from tests.interop.sipp import Sipp

from sipcc.testing import audio

AGREEMENT_S = 0.020
"""How far a time of the CDR may be from the SIP message that it stands for."""

Start = Callable[..., Centre]


def check_recording(record: dict[str, Any], folder: Path) -> None:
    """The caller is heard left and the agent right, and neither on the other side."""
    assert record["recordings"], record
    path = Path(record["recordings"][0]["path"])
    left, right, rate = audio.read_stereo(path if path.is_absolute() else folder / path)
    assert rate == 8000
    middle = slice(len(left) // 4, len(left) * 3 // 4)
    assert len(left) > 0.8 * rate
    audio.assert_tone(left[middle], CALLER_HZ, what="left channel")
    audio.assert_tone(right[middle], AGENT_HZ, what="right channel")
    audio.assert_no_tone(left[middle], AGENT_HZ, what="left channel")
    audio.assert_no_tone(right[middle], CALLER_HZ, what="right channel")


def check_times(record: dict[str, Any], carrier: Sipp, agent: Sipp | None = None) -> None:
    """The times of the record agree with the messages that SIPp saw."""
    expected = {
        "started": carrier.first("INVITE", "sent").at,
        "answered": carrier.first("SIP/2.0 200", "received", method="INVITE").at,
        "ended": carrier.first("BYE").at,
    }
    found = {name: record[name] for name in expected}
    assert found == pytest.approx(expected, abs=AGREEMENT_S)
    if agent is not None:
        leg = next(leg for leg in record["legs"] if leg["answered"] is not None)
        assert leg["started"] == pytest.approx(agent.first("INVITE", "received").at, abs=AGREEMENT_S)
        assert leg["answered"] == pytest.approx(
            agent.first("SIP/2.0 200", "sent", method="INVITE").at, abs=AGREEMENT_S
        )
        assert leg["ended"] == pytest.approx(agent.first("BYE").at, abs=AGREEMENT_S)


@pytest.mark.parametrize(
    ("transport", "caller_codec", "agent_codec", "workers"),
    [
        ("udp", "pcmu", "pcmu", 0),
        ("tcp", "pcma", "pcma", 0),
        ("udp", "pcmu", "pcma", 2),
        ("tcp", "pcma", "pcmu", 2),
    ],
)
def test_prompt_key_queue_agent_and_the_caller_hangs_up(
    start: Start, cast: Cast, transport: str, caller_codec: str, agent_codec: str, workers: int
) -> None:
    centre = start(workers=workers)
    agent = cast.agent(centre, f"agent_answers_{agent_codec}")
    carrier = cast.carrier(centre, f"carrier_hangs_up_{caller_codec}", transport=transport, pause_ms=4500)
    carrier.succeed()
    agent.succeed()
    (record,) = centre.cdrs(1)
    assert (record["caller"], record["called"], record["trunk"]) == ("13800138000", "4008123456", "carrier")
    assert (record["ended_by"], record["sip_status"]) == ("caller", 200)
    assert record["digits"][0]["digits"] == "1"
    assert centre.exits() == ["answered"]
    assert record["stats"]["packets_received"] > 150
    check_times(record, carrier, agent)
    check_recording(record, centre.folder)
    centre.stop()


def test_the_agent_hangs_up(start: Start, cast: Cast) -> None:
    centre = start()
    agent = cast.agent(centre, "agent_hangs_up_pcmu", pause_ms=2000)
    carrier = cast.carrier(centre, "carrier_waits_pcmu")
    carrier.succeed()
    agent.succeed()
    (record,) = centre.cdrs(1)
    assert record["legs"][0]["ended_by"] == "callee"
    assert centre.exits() == ["answered"]
    check_times(record, carrier, agent)
    check_recording(record, centre.folder)
    centre.stop()


def test_an_agent_over_tcp(start: Start, cast: Cast) -> None:
    centre = start()
    agent = cast.agent(centre, "agent_answers_pcmu", transport="tcp")
    carrier = cast.carrier(centre, "carrier_hangs_up_pcmu", pause_ms=3500)
    carrier.succeed()
    agent.succeed()
    assert centre.exits() == ["answered"]
    centre.stop()


@pytest.mark.parametrize(
    ("number", "key_at", "pause_ms", "exits"),
    [("4008123456", None, 900, []), ("4008123450", None, 900, ["abandoned"])],
    ids=["in the prompt", "in the queue"],
)
def test_the_caller_gives_up(
    start: Start, cast: Cast, number: str, key_at: float | None, pause_ms: int, exits: list[str]
) -> None:
    centre = start()
    carrier = cast.carrier(centre, "carrier_hangs_up_pcmu", number=number, key_at=key_at, pause_ms=pause_ms)
    carrier.succeed()
    (record,) = centre.cdrs(1)
    assert (record["ended_by"], centre.exits()) == ("caller", exits)
    assert record["legs"] == []
    check_times(record, carrier)
    centre.stop()


def test_the_caller_gives_up_while_it_rings(start: Start, cast: Cast) -> None:
    centre = start()
    carrier = cast.carrier(centre, "carrier_cancels", number="4008123451", pause_ms=500)
    carrier.succeed()
    (record,) = centre.cdrs(1)
    assert (record["answered"], record["sip_status"], record["ended_by"]) == (None, 487, "caller")
    assert record["ended"] == pytest.approx(carrier.first("CANCEL", "sent").at, abs=AGREEMENT_S)
    centre.stop()


def test_the_caller_leaves_while_the_agent_rings(start: Start, cast: Cast) -> None:
    centre = start()
    agent = cast.agent(centre, "agent_no_answer")
    carrier = cast.carrier(centre, "carrier_hangs_up_pcmu", number="4008123450", key_at=None, pause_ms=1200)
    carrier.succeed()
    agent.succeed()
    cancelled = agent.first("CANCEL", "received").at
    assert cancelled == pytest.approx(carrier.first("BYE", "sent").at, abs=0.2)
    assert centre.cdrs(1)[0]["ended_by"] == "caller"
    assert centre.exits() == ["abandoned"]
    assert centre.offers() == [("alice", "cancelled")]
    centre.stop()


@pytest.mark.parametrize(
    ("scenario", "status", "outcome"),
    [
        ("agent_declines", "486", "busy"),
        ("agent_declines", "603", "declined"),
        ("agent_no_answer", "", "no_answer"),
    ],
)
def test_the_next_agent_is_offered_the_call(
    start: Start, cast: Cast, scenario: str, status: str, outcome: str
) -> None:
    centre = start(ring_timeout=1.5)
    first = cast.agent(centre, scenario, keys={"status": status} if status else None)
    second = cast.agent(centre, "agent_answers_pcmu", user="1002", host="127.0.0.4")
    carrier = cast.carrier(centre, "carrier_hangs_up_pcmu", number="4008123450", key_at=None, pause_ms=4500)
    carrier.succeed()
    first.succeed()
    second.succeed()
    assert centre.cdrs(1)[0]["legs"][-1]["agent"] == "bob"
    assert centre.exits() == ["answered"]
    assert centre.offers() == [("alice", outcome), ("bob", "answered")]
    centre.stop()


def test_an_unregistered_agent_is_passed_over(start: Start, cast: Cast) -> None:
    centre = start()
    cast.register(centre, "1001", "127.0.0.3", 25070)
    cast.register(centre, "1001", "127.0.0.3", 25070, expires=0)
    second = cast.agent(centre, "agent_answers_pcmu", user="1002", host="127.0.0.4")
    carrier = cast.carrier(centre, "carrier_hangs_up_pcmu", number="4008123450", key_at=None, pause_ms=2000)
    carrier.succeed()
    second.succeed()
    centre.cdrs(1)
    assert centre.offers() == [("bob", "answered")]
    centre.stop()


def test_a_waiting_caller_gets_the_agent_who_registers_later(start: Start, cast: Cast) -> None:
    centre = start()
    carrier = cast.carrier(centre, "carrier_hangs_up_pcmu", number="4008123450", key_at=None, pause_ms=4000)
    wait_until(lambda: carrier.has("SIP/2.0 200", "received"), 5, "the answer")
    agent = cast.agent(centre, "agent_answers_pcmu")
    carrier.succeed()
    agent.succeed()
    centre.cdrs(1)
    assert centre.exits() == ["answered"]
    centre.stop()


@pytest.mark.parametrize("transport", ["udp", "tcp"])
def test_busy_numbers_refuse(start: Start, cast: Cast, transport: str) -> None:
    centre = start()
    carrier = cast.carrier(
        centre, "carrier_refused", number="4008123452", transport=transport, keys={"status": "486"}
    )
    carrier.succeed()
    assert centre.cdrs(1)[0]["sip_status"] == 486
    centre.stop()


def test_ten_callers_at_once_share_two_agents(start: Start, cast: Cast) -> None:
    centre = start()
    agents = [
        cast.agent(centre, "agent_hangs_up_pcmu", user=user, host=host, calls=10, pause_ms=500, keys=None)
        for user, host in (("1001", "127.0.0.3"), ("1002", "127.0.0.4"))
    ]  # either could take all ten: who is faster takes more
    carrier = cast.carrier(centre, "carrier_waits_pcmu", number="4008123450", key_at=None, calls=10)
    carrier.succeed()
    centre.cdrs(10)
    assert centre.exits() == ["answered"] * 10
    taken = Counter(centre.offers())
    assert set(taken) == {("alice", "answered"), ("bob", "answered")}
    assert min(taken.values()) >= 3
    for agent in agents:
        agent.end()
    centre.stop()
