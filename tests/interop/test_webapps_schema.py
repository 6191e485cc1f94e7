"""What we read and what we tell is what the JSON schemas of jambonz say, as they come from npm."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path
from typing import Any

import msgspec
import pytest
from tests.interop.test_webapps import SDK, copied

from sipcc.ivr import steps
from sipcc.ivr.hooks import jambonz, model
from sipcc.ivr.hooks.model import BadAnswer, Defaults, Facts, Report
from sipcc.ivr.hooks.told import payload
from sipcc.ivr.hooks.verbs import REFUSED, VERBS

SCHEMA = SDK / "node_modules" / "@jambonz" / "schema"
FACTS = Facts(
    call="c1", caller="13800138000", dialled="4008123456", account="sipcc", application="bank",
    status="in-progress", sip_status=200, tags={"level": "3"},
)  # fmt: skip
HEARD = (steps.Heard("balance", 0.93), steps.Heard("ballons", 0.5))
DIAL = steps.Transfer(targets=("1001",))

ROOM = model.Join(step=steps.Conference(name="team"))

REPORTS: list[tuple[str, Report]] = [
    ("session-new", model.Started()),
    ("call-status", model.Ended()),
    ("gather", steps.Gathered(outcome="keys", keys="12")),
    ("gather", steps.Gathered(outcome="speech", heard=HEARD)),
    ("gather", steps.Gathered(outcome="nomatch", heard=HEARD)),
    ("gather", steps.Gathered(outcome="nomatch", keys="1")),
    ("gather", steps.Gathered(outcome="noinput")),
    ("play", steps.Played(complete=True, seconds=2.5)),
    ("conference", model.Joined(3.0)),
    ("listen", steps.Streamed(ended_by="program")),
    ("enqueue", model.Queued("sales", steps.Left(exit="answered", seconds=3.2, agent="alice"))),
    ("enqueue", model.Queued("sales", steps.Left(exit="timeout", seconds=30))),
    ("enqueue", model.Queued("sales", None)),
    ("dequeue", model.Taken("sales", "complete", 3.0)),
    ("dequeue", model.Taken("sales", "timeout")),
    ("enqueue-wait", model.InQueue("sales", 2, 3, 4.5)),
    ("conference-status", model.InRoom("join", "team", "c1", 2, 3.0, 1.7e9, 1, ROOM)),
    ("conference-wait", model.InRoom("join", "team", "c1", 1, 0.0, 1.7e9, 0, ROOM)),
    ("sip-refer", model.Referred(steps.Transferred(outcome="sent", status=202))),
    ("sip-refer", model.Referred(steps.Transferred(outcome="busy", status=486))),
    *(
        ("dial", model.Dialled(DIAL, steps.Transferred(outcome=outcome)))
        for outcome in (
            "busy",
            "noanswer",
            "network_busy",
            "failed",
            "far_end",
            "near_end",
            "max_time",
            "sent",
        )
    ),
]


def checked(folder: Path, pairs: list[tuple[str, Any]]) -> list[list[str]]:
    """What the schemas say is wrong with each."""
    script = copied("schema_check.mjs", folder)
    lines = "\n".join(json.dumps({"schema": schema, "data": data}) for schema, data in pairs)
    run = subprocess.run(
        ["node", str(script)], input=lines, capture_output=True, text=True, timeout=30, check=True
    )
    found: list[list[str]] = json.loads(run.stdout)
    assert len(found) == len(pairs)
    return found


def schema_of(verb: str) -> dict[str, Any]:
    name = verb.replace(":", "-")
    data: dict[str, Any] = json.loads((SCHEMA / "verbs" / f"{name}.schema.json").read_text())
    return data


def test_what_applications_are_told_is_valid(tmp_path: Path) -> None:
    over = msgspec.structs.replace(FACTS, status="completed", seconds=5, ended_by_caller=True)
    pairs = [(f"callbacks/{name}", payload(FACTS, report)) for name, report in REPORTS]
    pairs.append(("callbacks/call-status", payload(over, model.Ended())))
    wrong = [(pair, errors) for pair, errors in zip(pairs, checked(tmp_path, pairs), strict=True) if errors]
    assert wrong == []


@pytest.mark.parametrize("verb", sorted(VERBS))
def test_every_property_of_a_verb_is_known_and_its_examples_are_read(verb: str, tmp_path: Path) -> None:
    copied("schema_check.mjs", tmp_path)  # skips, or fails in CI, without the package
    schema = schema_of("conference" if verb == "room" else verb)
    known = {field.encode_name for field in msgspec.structs.fields(VERBS[verb])} | {"verb"}
    assert set(schema["properties"]) <= known
    for example in schema.get("examples", []):
        why = problem(example)
        refused = {f"$[0].{name}" for name in REFUSED.get(verb, ())}
        assert why is None or why.where in refused, f"{example}: {why}"


def problem(verb: dict[str, Any]) -> BadAnswer | None:
    """What is wrong with a verb, if anything."""
    try:
        for made in jambonz.program([verb]):
            made(Defaults())
    except BadAnswer as error:
        return error
    return None


def test_every_property_of_what_stands_in_verbs_is_known(tmp_path: Path) -> None:
    copied("schema_check.mjs", tmp_path)
    from sipcc.ivr.hooks import verbs

    for name, kind in {
        "target": verbs.Target, "actionHookDelayAction": verbs.DelaySpec, "actionHook": verbs.HookObject,
        "auth": verbs.Auth,
    }.items():  # fmt: skip
        schema = json.loads((SCHEMA / "components" / f"{name}.schema.json").read_text())
        properties = schema.get("properties") or schema["oneOf"][1]["properties"]
        assert set(properties) <= {field.encode_name for field in msgspec.structs.fields(kind)}, name
