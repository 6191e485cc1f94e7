"""What is said about a live call from outside, in jambonz's words and in Twilio's, as a core.

jambonz: the body of ``PUT /v1/Accounts/A/Calls/C``, and ``command`` messages of a WebSocket. Twilio: the form
of ``POST /2010-04-01/Accounts/A/Calls/C.json``.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping

import msgspec

from sipcc.call.digits import KEYS
from sipcc.ivr.hooks import twiml, verbs
from sipcc.ivr.hooks.door import Command, Finish, Follow, Keys, Mute, Note, Replace
from sipcc.ivr.hooks.model import BadAnswer, Hook
from sipcc.ivr.hooks.parts import hook_of, tape_of, texts


def jambonz_update(data: object, at: str = "$") -> list[Command]:
    """What the body of an update wants, in its order.

    Raises:
        BadAnswer: it wants nothing, or what cannot be carried out.
    """
    if not isinstance(data, dict) or not data:
        raise BadAnswer(at, f"an object with one of {', '.join(UPDATES)} is needed")
    wanted: list[Command] = []
    for name, value in data.items():
        place = f"{at}.{name}"
        if name not in UPDATES:
            raise BadAnswer(place, f"{name} is not served; known are {', '.join(UPDATES)}")
        wanted.append(UPDATES[name](value, place))
    return wanted


def _call_hook(value: object, at: str) -> Command:
    try:
        hook = hook_of(msgspec.convert(value, verbs.UpdateHook))
    except msgspec.ValidationError as error:
        raise BadAnswer(at, str(error)) from None
    assert hook is not None
    return Follow(hook)


def _call_status(value: object, at: str) -> Command:
    if value not in ("completed", "no-answer"):
        raise BadAnswer(at, "calls can be made completed, or no-answer")
    return Finish()


def _mute_status(value: object, at: str) -> Command:
    if value not in ("mute", "unmute"):
        raise BadAnswer(at, "callers are muted by mute and unmute")
    return Mute(value == "mute")


def _tag(value: object, at: str) -> Command:
    if not isinstance(value, dict):
        raise BadAnswer(at, "a tag is an object")
    return Note(texts(value))


def _record(value: object, at: str) -> Command:
    return tape_of(value if isinstance(value, dict) else {}, at)


def _dtmf(value: object, at: str) -> Command:
    keys = value.get("digit") if isinstance(value, dict) else None
    if not isinstance(keys, str) or not keys or len(keys) > 64 or not KEYS.issuperset(keys):
        raise BadAnswer(f"{at}.digit", f"{keys!r} is not made of keys of a telephone")
    return Keys(keys)


UPDATES: dict[str, Callable[[object, str], Command]] = {
    "call_hook": _call_hook,
    "call_status": _call_status,
    "mute_status": _mute_status,
    "record": _record,
    "dtmf": _dtmf,
    "tag": _tag,
}


def twilio_update(form: Mapping[str, str], *, answered: bool) -> list[Command]:
    """What the form of an update wants.

    Raises:
        BadAnswer: it wants nothing, or what cannot be carried out; its place is the name of a parameter.
    """
    for name in form:
        if name not in _PARAMETERS:
            raise BadAnswer(name, f"{name} is not served; known are {', '.join(_PARAMETERS)}")
    status, url, twiml_text = form.get("Status", ""), form.get("Url", ""), form.get("Twiml", "")
    if sum(map(bool, (status, url, twiml_text))) != 1:
        raise BadAnswer("Url", "one of Url, Twiml and Status is needed")
    if status:
        if status not in ("completed", "canceled"):
            raise BadAnswer("Status", f"{status!r} is neither completed nor canceled")
        return [Finish()] if status == "completed" or not answered else []
    if twiml_text:
        return [Replace(twiml.read(twiml_text.encode()))]
    method = form.get("Method", "POST").upper()
    if method not in ("GET", "POST"):
        raise BadAnswer("Method", f"{method!r} is neither GET nor POST")
    return [Follow(Hook(url, "GET" if method == "GET" else "POST"))]


_PARAMETERS = ("Url", "Method", "Twiml", "Status")
