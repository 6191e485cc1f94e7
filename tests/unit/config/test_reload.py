"""What a new configuration changes in one that is in force, and what has to wait for a restart."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from msgspec.structs import replace

from sipcc.acd import AgentSettings, QueueSettings
from sipcc.call import NumberSettings
from sipcc.call.screening import ScreeningSettings
from sipcc.config import Config, check
from sipcc.config.reload import TAKEN, UNTIL_RESTART, digest_of, plan
from sipcc.config.schema import LISTS, TABLES
from sipcc.rtp.settings import MediaSettings
from sipcc.sip.settings import SipSettings, TlsSettings, TrunkSettings, UserSettings

SALES, HELP = QueueSettings(name="sales"), QueueSettings(name="help")
ALICE, BOB = AgentSettings(name="alice", queues=("sales",)), AgentSettings(name="bob")
OLD = Config(
    sip=SipSettings(listen=("udp:127.0.0.1:5060",)),
    users=(UserSettings(name="1001", password="one"),),
    trunks=(TrunkSettings(name="carrier", addresses=("127.0.0.2",)),),
    agents=(ALICE, BOB),
    queues=(SALES, HELP),
    numbers=(NumberSettings(number="600", to="echo"), NumberSettings(number="600", to="busy", trunk="t")),
)


@pytest.mark.parametrize(
    ("new", "told"),
    [
        ({}, []),
        ({"queues": (HELP, SALES)}, []),
        ({"queues": (SALES,)}, ["queues help: removed"]),
        ({"queues": (SALES, HELP, QueueSettings(name="vip"))}, ["queues vip: added"]),
        (
            {"queues": (replace(SALES, strategy="linear", wrap_up=1.0), HELP)},
            ["queues sales: changed strategy, wrap_up"],
        ),
        (
            {"queues": (replace(SALES, name="orders", was="sales"), HELP)},
            ["queues orders: renamed from sales"],
        ),
        (
            {"queues": (replace(SALES, name="orders", was="sales", music=""), HELP)},
            ["queues orders: renamed from sales; changed music"],
        ),
        # `was` of a queue that was there under its name, or of one that nobody knows, says nothing
        ({"queues": (replace(SALES, was="orders"), HELP)}, []),
        ({"queues": (SALES, replace(HELP, was="sales"))}, []),
        (
            {"agents": (replace(ALICE, skills={"french": 2}),)},
            ["agents alice: changed skills", "agents bob: removed"],
        ),
        ({"users": (UserSettings(name="1001", password="two"),)}, ["users 1001: changed password"]),
        ({"trunks": ()}, ["trunks carrier: removed"]),
        ({"screening": ScreeningSettings(deny=("premium",))}, ["screening: changed deny"]),
        (
            {"numbers": (OLD.numbers[0], replace(OLD.numbers[1], to="ring"))},
            ["numbers 600 of t: changed to"],
        ),
    ],
)
def test_changes_are_told(new: dict[str, Any], told: list[str]) -> None:
    made = plan(OLD, replace(OLD, **new))
    assert [str(change) for change in made.changes] == told
    assert made.kept == ()
    assert made.config == replace(OLD, **new)


@pytest.mark.parametrize(
    ("new", "kept"),
    [
        ({"sip": replace(OLD.sip, listen=("udp:127.0.0.1:5070",))}, ["sip.listen"]),
        (
            {"sip": replace(OLD.sip, tls=TlsSettings(certificate="/a.pem"), domain="x")},
            ["sip.domain", "sip.tls.certificate"],
        ),
        ({"media": MediaSettings(workers=3)}, ["media.workers"]),
        ({"queues": (replace(SALES, service_level=30.0), HELP)}, ["queues.sales.service_level"]),
    ],
)
def test_what_needs_a_restart_is_kept_and_told(new: dict[str, Any], kept: list[str]) -> None:
    made = plan(OLD, replace(OLD, **new))
    assert list(made.kept) == kept
    assert made.config == OLD
    assert made.changes == ()


def test_what_can_change_does_although_something_else_cannot() -> None:
    new = replace(
        OLD, sip=replace(OLD.sip, domain="x"), queues=(replace(SALES, wrap_up=3.0, service_level=9.0),)
    )
    made = plan(OLD, new)
    assert made.kept == ("sip.domain", "queues.sales.service_level")
    assert made.config == replace(OLD, queues=(replace(SALES, wrap_up=3.0),))


def test_every_section_is_taken_over_or_waits_for_a_restart() -> None:
    assert {*TAKEN, *UNTIL_RESTART} == {*TABLES, *LISTS}
    assert not {*TAKEN} & {*UNTIL_RESTART}


def test_a_digest_tells_configurations_apart_and_says_nothing_of_passwords() -> None:
    assert digest_of(OLD) == digest_of(replace(OLD))
    assert digest_of(OLD) != digest_of(replace(OLD, queues=(SALES,)))
    other = replace(OLD, users=(UserSettings(name="1001", password="two"),))
    assert digest_of(OLD) == digest_of(other)


@pytest.mark.parametrize(
    ("queues", "place", "cause"),
    [
        ([("a", ""), ("b", "a")], "queues[1].was", "queue 'b' cannot have been 'a': queue 'a' is"),
        ([("a", "x"), ("b", "x")], "queues[1].was", "queue 'b' cannot have been 'x': queue 'a' is"),
        ([("a", "a")], "queues[0].was", "queue 'a' cannot have been 'a': queue 'a' is"),
    ],
)
def test_a_queue_is_the_follower_of_one_that_is_gone(
    tmp_path: Path, queues: list[tuple[str, str]], place: str, cause: str
) -> None:
    path = tmp_path / "sipcc.toml"
    lines = [f'[[queues]]\nname = "{name}"\nwas = "{was}"\n' for name, was in queues]
    path.write_text('[[numbers]]\nnumber = "600"\nto = "echo"\n' + "".join(lines))
    [found] = [finding for finding in check(path, {}) if finding.severity == "error"]
    assert found.message == cause
    assert "take `was` out" in found.hint
    assert found.where.endswith(place)
