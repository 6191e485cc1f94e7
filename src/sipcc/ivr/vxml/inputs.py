"""Asking the caller: prompts, timers and grammars become one question, and its answer becomes a result."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

import msgspec

from sipcc.call.asking import NoKeys
from sipcc.call.digits import CollectSettings, Matcher
from sipcc.ivr.grammar import AnyMatcher
from sipcc.ivr.js import UNDEFINED, Json
from sipcc.ivr.steps import Coding, Gather, Gathered, Heard, Listen
from sipcc.ivr.vxml.errors import Thrown, semantic
from sipcc.ivr.vxml.grammars import Active, Phrase, active_grammars
from sipcc.ivr.vxml.machine import Machine
from sipcc.ivr.vxml.parse import Element
from sipcc.ivr.vxml.properties import flag, number
from sipcc.ivr.vxml.recordings import coding_of, milliseconds_of
from sipcc.ivr.vxml.scope import Place
from sipcc.ivr.vxml.secrets import stars
from sipcc.ivr.vxml.signals import Note

_MODES: Final = frozenset({"dtmf", "voice"})


class Result(msgspec.Struct, frozen=True, kw_only=True):
    """What the caller said, and the grammar that it matched."""

    grammar: Active
    interpretation: Json
    about: dict[str, Json]
    """The rest of what shadow variables tell: utterance, confidence, inputmode, the mark that was heard."""

    @property
    def shadow(self) -> dict[str, Json]:
        """What stands in ``name$`` of the inputs that it fills, whichever part of it they get."""
        return {**self.about, "interpretation": self.interpretation}


AT_ONCE_S: Final = 0.1
"""A question that takes less time than this gave the caller no chance."""

LAST_RESULT: Final = """
(function (results) {
  for (const name in results[0]) results[name] = results[0][name];
  return results;
})
"""


async def ask(machine: Machine, place: Place, dialog: Element) -> Result:
    """Ask for the item that runs in a place.

    Raises:
        Thrown: noinput, nomatch, or whatever else came instead of an answer.
        Finish: the caller is gone.
    """
    machine.no_waiting()
    grammars = await active_grammars(machine, place, dialog)
    if not grammars:
        raise semantic("an answer is expected, and no grammar is active")
    step = _question(machine, place, grammars)
    application = place.context.application.scope
    machine.engine.set(application, "lastresult$", UNDEFINED)
    began = machine.session.now()
    gathered = await machine.verb(machine.session.gather(step))
    # A question without prompts and patience is over at once: a circle of those is endless work.
    if gathered.outcome != "noinput" or machine.session.now() - began >= AT_ONCE_S:
        machine.heard_of()
    if gathered.outcome == "noinput":
        raise Thrown("noinput")
    if gathered.outcome == "toolong":
        raise Thrown("maxspeechtimeout")
    results = judge(machine, place, gathered, grammars, secret=step.collect.secret)
    if not results:
        raise Thrown("nomatch")
    return results[0]


def judge(
    machine: Machine, place: Place, gathered: Gathered, grammars: Sequence[Active], *, secret: bool = False
) -> list[Result]:
    """What an answer means, the likeliest first; ``lastresult$`` has it, also when it means nothing."""
    if secret:
        _keep_secret(machine, gathered)
    results = _results(machine, place, gathered, grammars)
    if secret:
        for result in results:
            machine.secrets.add(result.interpretation)
    best: list[Json] = [{**result.about, "interpretation": result.interpretation} for result in results]
    if not best or gathered.outcome == "nomatch":
        results, best = [], [{**_nothing(gathered), "interpretation": None}]
    machine.engine.build(place.context.application.scope, "lastresult$", LAST_RESULT, best)
    about = results[0].about if results else _nothing(gathered)
    details: dict[str, object] = {"mode": about["inputmode"], "confidence": about["confidence"]}
    said = str(about["utterance"])
    text = stars(said) if secret else said
    machine.note(Note(what="result" if results else "nomatch", text=text, details=details))
    return results


def _keep_secret(machine: Machine, gathered: Gathered) -> None:
    for text in (gathered.keys, *(heard.text for heard in gathered.heard)):
        machine.secrets.add(text)


def modes_of(machine: Machine, place: Place) -> set[str]:
    """In which ways the caller may answer in a place: ``dtmf``, ``voice``, or both."""
    modes = set(machine.property(place, "inputmodes").split())
    if not modes or not modes <= _MODES:
        raise semantic(f"inputmodes={' '.join(sorted(modes))!r} is not made of dtmf and voice")
    return modes


def _question(machine: Machine, place: Place, grammars: Sequence[Active]) -> Gather:
    modes = modes_of(machine, place)
    keys, listen = None, None
    if "dtmf" in modes:
        matchers = [found for active in grammars if (found := active.source.matcher()) is not None]
        keys = _matcher(matchers)
    spoken = [active for active in grammars if not active.by_keys]
    if "voice" in modes:
        listen = listen_for(machine, place, spoken)
    prompts, timeout = machine.take_prompts()
    termchar = machine.property(place, "termchar").strip()
    settings = CollectSettings(
        timeout=machine.seconds(place, "timeout") if timeout is None else timeout,
        interdigit=machine.seconds(place, "interdigittimeout"),
        termtimeout=machine.seconds(place, "termtimeout"),
        secret=flag(machine.property(place, "sipcc.secret"), "sipcc.secret"),
        deaf=True,  # §4.1.5: nothing is collected in a prompt without barge-in
        terminators=termchar if len(termchar) == 1 and termchar in "0123456789*#ABCD" else "",
    )
    label = place.element.get("name") or place.element.get("id") or place.element.tag
    return Gather(prompts=prompts, keys=keys, collect=settings, listen=listen, label=label)


def _matcher(matchers: Sequence[Matcher]) -> Matcher:
    if not matchers:
        return NoKeys()
    return matchers[0] if len(matchers) == 1 else AnyMatcher(matchers)


def listen_for(machine: Machine, place: Place, grammars: Sequence[Active]) -> Listen:
    """How answers in words to some grammars are listened to in a place."""
    best = number(machine.property(place, "maxnbest"), "maxnbest")
    kept = _kept_as(machine, place)
    return Listen(
        language=place.element.language,
        hints=tuple(active.source.text for active in grammars if isinstance(active.source, Phrase)),
        accepts=lambda text: any(active.source.accepts(text) for active in grammars),
        complete_timeout=machine.seconds(place, "completetimeout"),
        incomplete_timeout=machine.seconds(place, "incompletetimeout"),
        max_time=machine.seconds(place, "maxspeechtimeout"),
        best=max(int(best), 1),
        confidence=_level(machine, place),
        record=kept is not None,
        coding=kept or "wav",
    )


def _kept_as(machine: Machine, place: Place) -> Coding | None:
    """How what is said is recorded (VoiceXML 2.1 §7.1); None when it is not."""
    if not flag(machine.property(place, "recordutterance"), "recordutterance"):
        return None
    return coding_of(machine.property(place, "recordutterancetype"))


def _level(machine: Machine, place: Place) -> float:
    level = number(machine.property(place, "confidencelevel"), "confidencelevel")
    if level > 1:
        raise semantic(f"confidencelevel={level:g} is more than 1")
    return level


def _results(machine: Machine, place: Place, gathered: Gathered, grammars: Sequence[Active]) -> list[Result]:
    """The interpretations of an answer, the likeliest first; at most as many as are wanted.

    Those of the same confidence go by their grammars, and none is told twice (VoiceXML 2.0 §5.1.5).
    """
    by_keys = gathered.outcome == "keys" or (gathered.outcome == "nomatch" and not gathered.heard)
    heard: Sequence[Heard] = [Heard(gathered.keys)] if by_keys else gathered.heard
    most = max(int(number(machine.property(place, "maxnbest"), "maxnbest")), 1)
    level = _level(machine, place)
    marks = _marks(gathered)
    if gathered.recording and _kept_as(machine, place) is not None:
        marks |= _recording(machine, gathered.recording)
    found: list[Result] = []
    right = [active for active in grammars if active.by_keys is by_keys]
    for one in sorted(heard, key=lambda one: -one.confidence):
        about = _about(one, by_keys, marks)
        for active in right if one.confidence >= level else ():
            for value in active.source.meaning(one.text, most):
                result = Result(grammar=active, interpretation=value, about=about)
                if not any(_same(result, other) for other in found):
                    found.append(result)
                if len(found) == most:
                    return found
    return found


def _same(one: Result, other: Result) -> bool:
    return one.about == other.about and repr(one.interpretation) == repr(other.interpretation)


def _about(heard: Heard, by_keys: bool, marks: dict[str, Json]) -> dict[str, Json]:
    return {
        "utterance": heard.text,
        "confidence": heard.confidence,
        "inputmode": "dtmf" if by_keys else "voice",
        **marks,
    }


def _nothing(gathered: Gathered) -> dict[str, Json]:
    by_keys = not gathered.heard
    heard = Heard(gathered.keys) if by_keys else gathered.heard[0]
    return _about(heard, by_keys, _marks(gathered))


def _recording(machine: Machine, path: str) -> dict[str, Json]:
    """What was said, as a recording (VoiceXML 2.1 §9)."""
    body = machine.read_file(path)
    handle = machine.keep_recording(path)
    return {"recording": handle, "recordingsize": len(body), "recordingduration": milliseconds_of(path, body)}


def _marks(gathered: Gathered) -> dict[str, Json]:
    """The last mark that was heard and the milliseconds after it (VoiceXML 2.1 §7)."""
    reached = gathered.played.reached
    if reached is None:
        return {}
    return {"markname": reached.mark, "marktime": round(reached.seconds * 1000)}
