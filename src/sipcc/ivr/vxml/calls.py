"""<record> and <transfer>: items that the session carries out, and what their outcomes are called."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Any, Final, Literal
from urllib.parse import urljoin

import msgspec

from sipcc.ivr.grammar import AnyMatcher
from sipcc.ivr.js import Json, Scope
from sipcc.ivr.steps import Audio, Gathered, Prompt, Record, Recorded, Transfer, Transferred
from sipcc.ivr.vxml.errors import Thrown, semantic
from sipcc.ivr.vxml.grammars import Active, active_grammars
from sipcc.ivr.vxml.inputs import LAST_RESULT, Result, judge, listen_for, modes_of
from sipcc.ivr.vxml.machine import Machine
from sipcc.ivr.vxml.parse import Element
from sipcc.ivr.vxml.properties import flag, seconds
from sipcc.ivr.vxml.recordings import coding_of
from sipcc.ivr.vxml.scope import Place

ANY_KEY: Final = "0123456789*#ABCD"


async def record(machine: Machine, place: Place, element: Element, scope: Scope, name: str) -> Result | None:
    """Record the caller (VoiceXML 2.0 §2.3.6); what was answered instead to a grammar of somebody else.

    A key before anything was said ends it too, and leaves the item as it was.

    Raises:
        Thrown: noinput, or the caller hung up; what it said until then is in the variable.
    """
    machine.no_waiting()
    coding = coding_of(element.get("type") or "audio/x-wav")
    dialog = element.parent
    assert dialog is not None  # an item stands in a form
    active = await active_grammars(machine, place, dialog)
    if element.get("modal") != "false":
        active = [one for one in active if one.owner is element]
    spoken = [one for one in active if not one.by_keys] if "voice" in modes_of(machine, place) else []
    typed = [one for one in active if one.by_keys]
    prompts, timeout = machine.take_prompts()
    longest = element.get("maxtime")
    quiet = element.get("finalsilence")
    term = flag(element.get("dtmfterm") or "true", "dtmfterm")
    keys = "".join(key for key in ANY_KEY if any(one.source.accepts(key) for one in typed))
    step = Record(
        prompts=prompts,
        beep=flag(element.get("beep") or "false", "beep"),
        max_time=seconds(longest, "maxtime") if longest is not None else 60.0,
        final_silence=seconds(quiet, "finalsilence") if quiet is not None else 3.0,
        timeout=machine.seconds(place, "timeout") if timeout is None else timeout,
        terminators=ANY_KEY if term else keys,
        speech=True,
        early=True,
        coding=coding,
        listen=listen_for(machine, place, spoken) if spoken else None,
    )
    recorded = await machine.verb(machine.session.record(step))
    machine.heard_of()
    matched: list[Result] = []
    if recorded.heard:
        matched = judge(machine, place, Gathered(outcome="speech", heard=recorded.heard), spoken)
    elif recorded.key and recorded.key in keys:
        matched = judge(machine, place, Gathered(outcome="keys", keys=recorded.key), typed)
    elif recorded.key:
        _tell_key(machine, place, recorded.key)
    if matched and matched[0].grammar.owner is not element:
        return matched[0]
    if recorded.path:
        about = matched[0].shadow if matched else {}
        termchar = recorded.key if term and recorded.key else None
        _keep(machine, scope, name, recorded, about | {"termchar": termchar})
    if recorded.ended_by == "hangup":
        machine.ended()
        raise Thrown("connection.disconnect.hangup")
    if recorded.ended_by == "failed":
        raise Thrown("error.noresource", "nothing can be recorded")
    if not recorded.path and recorded.ended_by != "key":
        raise Thrown("noinput")
    return None


def _tell_key(machine: Machine, place: Place, key: str) -> None:
    """A key that ended a recording without a grammar of its own, as by ``dtmfterm``."""
    about: Json = {"utterance": key, "confidence": 1.0, "inputmode": "dtmf", "interpretation": key}
    machine.engine.build(place.context.application.scope, "lastresult$", LAST_RESULT, [about])


def _keep(machine: Machine, scope: Scope, name: str, recorded: Recorded, about: dict[str, Json]) -> None:
    machine.engine.set(scope, name, machine.keep_recording(recorded.path))
    if not name.startswith(" "):
        facts = {
            "duration": round(recorded.seconds * 1000),
            "size": recorded.size_bytes,
            "maxtime": recorded.ended_by == "max_time",
        }
        machine.engine.set(scope, f"{name}$", facts | about)


Mode = Literal["blind", "bridge", "consultation"]

_OUTCOMES: Final = {
    "busy": "busy",
    "noanswer": "noanswer",
    "network_busy": "network_busy",
    "far_end": "far_end_disconnect",
    "near_end": "near_end_disconnect",
    "max_time": "maxtime_disconnect",
}

_REFUSALS: Final = {
    401: "error.connection.noauthorization",
    403: "error.connection.noauthorization",
    407: "error.connection.noauthorization",
    404: "error.connection.baddestination",
    410: "error.connection.baddestination",
    484: "error.connection.baddestination",
    604: "error.connection.baddestination",
    405: "error.unsupported.transfer",
    501: "error.unsupported.transfer",
    416: "error.unsupported.uri",
    482: "error.connection.noroute",
    483: "error.connection.noroute",
    502: "error.connection.noroute",
    500: "error.connection.noresource",
}
"""Which event is a refusal by SIP (VoiceXML 2.0 §2.3.7.3); the rest are outcomes, or tell their number."""

SCHEMES: Final = frozenset({"tel", "sip", "sips"})

LONGEST_AAI: Final = 500
"""Characters that an application may tell the one on the other side: a SIP message must stay one datagram."""

_SEPARATORS: Final = re.compile(r"[-.() ]")
"""What may stand in a telephone number for people (RFC 3966 §5.1.1)."""


async def transfer(machine: Machine, place: Place, element: Element, scope: Scope, name: str) -> None:
    """Connect the caller with somebody (VoiceXML 2.0 §2.3.7, 2.1 §8).

    Raises:
        Thrown: the caller is gone, to there or altogether; or there is no way.
    """
    machine.no_waiting()
    mode = _mode(element)
    expression = element.get("destexpr")
    target = (element.attributes["dest"] if expression is None else place.text(expression)).strip()
    scheme, colon, rest = target.partition(":")
    if not colon or not rest:
        raise Thrown("error.connection.baddestination", f"{target!r} is no URI")
    if scheme.lower() not in SCHEMES:
        raise Thrown("error.unsupported.uri", f"calls go to tel: and sip:, not to {scheme}:")
    # A transfer is modal: only its own grammars are listened to.
    own = [one for one in await active_grammars(machine, place, element) if one.owner is element]
    number = _SEPARATORS.sub("", rest.partition(";")[0])
    step = _step(machine, place, element, mode, number if scheme.lower() == "tel" else target)
    if mode != "blind":
        step = msgspec.structs.replace(step, **_ends(machine, place, own))
    if step.keys is not None or step.listen is not None:
        step = msgspec.structs.replace(step, prompts=machine.take_prompts()[0])
    else:
        await machine.flush()
    outcome = await machine.verb(machine.session.transfer(step))
    machine.heard_of()
    if outcome.outcome == "sent":
        machine.ended("transfer")
        raise Thrown("connection.disconnect.transfer")
    value = _outcome(outcome, mode)
    machine.engine.set(scope, name, value)
    about: dict[str, Json] = {"duration": round(outcome.seconds, 3)}
    if outcome.keys or outcome.heard:
        said = Gathered(outcome="keys" if outcome.keys else "speech", keys=outcome.keys, heard=outcome.heard)
        found = judge(machine, place, said, own)
        about |= found[0].shadow if found else {}
    if not name.startswith(" "):
        machine.engine.set(scope, f"{name}$", about)


def _mode(element: Element) -> Mode:
    kind = element.get("type")
    if kind is None:
        kind = "bridge" if flag(element.get("bridge") or "false", "bridge") else "blind"
    modes: dict[str, Mode] = {"blind": "blind", "bridge": "bridge", "consultation": "consultation"}
    return modes[kind]


def _step(machine: Machine, place: Place, element: Element, mode: Mode, target: str) -> Transfer:
    wait = element.get("connecttimeout")
    longest = seconds(element.get("maxtime") or "0s", "maxtime")
    sound = element.get("transferaudio")
    waiting = (Prompt(items=(Audio(urljoin(place.base_of(element), sound)),)),) if sound else ()
    expression = element.get("aaiexpr")
    aai = element.get("aai") if expression is None else place.text(expression)
    if aai:
        if len(aai) > LONGEST_AAI:
            raise semantic(f"aai has more than {LONGEST_AAI} characters")
        machine.session.tag("aai", aai)
    return Transfer(
        targets=(target,),
        mode=mode,
        timeout=seconds(wait, "connecttimeout") if wait is not None else 30.0,
        max_time=longest or None,
        waiting=waiting,
        data=aai or "",
    )


def _ends(machine: Machine, place: Place, own: Sequence[Active]) -> dict[str, Any]:
    """The keys and the words by which the caller may end it."""
    modes = modes_of(machine, place)
    matchers = [one.source.matcher() for one in own] if "dtmf" in modes else []
    keys = [matcher for matcher in matchers if matcher is not None]
    spoken = [one for one in own if not one.by_keys] if "voice" in modes else []
    return {
        "keys": AnyMatcher(keys) if keys else None,
        "listen": listen_for(machine, place, spoken) if spoken else None,
    }


def _outcome(outcome: Transferred, mode: Mode) -> str:
    """The value of the item; a call that came about only in part, or not at all, is an event."""
    if outcome.outcome in _OUTCOMES and outcome.status not in _REFUSALS:
        return _OUTCOMES[outcome.outcome]
    if outcome.seconds:
        return "network_disconnect"
    if outcome.status:
        event = _REFUSALS.get(outcome.status, f"error.connection.protocol.{outcome.status}")
        whole = f"{event}.{mode}" if event == "error.unsupported.transfer" else event
        raise Thrown(whole, f"the status is {outcome.status}")
    return "unknown"
