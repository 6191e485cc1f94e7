"""Calls that webhook applications drive, commanded from outside as jambonz and Twilio have it.

The paths and bodies are theirs, so that their client libraries can be used: jambonz' ``Calls`` by JSON with a
bearer token, Twilio's ``Calls`` and ``Recordings`` by forms with the token as the password.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, Literal

from litestar import Request, Response, delete, get, post, put
from litestar.exceptions import NotFoundException
from litestar.params import FromPath, JSONBody

from sipcc.api.access import Permit
from sipcc.api.office import bearer_of, needs, office_of
from sipcc.api.schema import Problem
from sipcc.api.soundfiles import sound_of
from sipcc.ivr.hooks.door import Command, Finish
from sipcc.ivr.hooks.live import LiveApp
from sipcc.ivr.hooks.model import BadAnswer, Ended, Facts
from sipcc.ivr.hooks.told import payload
from sipcc.ivr.hooks.updates import jambonz_update, twilio_update
from sipcc.log import get_logger
from sipcc.records.events import RecordingAccessed

COMMANDING = [needs(Permit.COMMAND_ALL)]
COMMANDING_BASIC = [needs(Permit.COMMAND_ALL, basic=True)]
HEARING = [needs(Permit.LISTEN_ALL, basic=True)]

JAMBONZ = "/v1/Accounts/{account:str}"
TWILIO = "/2010-04-01/Accounts/{account:str}"

_MESSAGE = re.compile(r"[A-Za-z0-9_-]{1,100}")

_log = get_logger("sipcc.api")


def _found(
    request: Request[Any, Any, Any], kind: Literal["jambonz", "twiml"], account: str, call: str
) -> LiveApp:
    app = office_of(request).centre.live_apps.find(kind, account, call)
    if app is None:
        raise NotFoundException(f"no {kind} application of account {account!r} drives a call {call!r}")
    return app


def _told(
    request: Request[Any, Any, Any], app: LiveApp, wanted: Callable[[], Sequence[Command]]
) -> Response[Any] | None:
    """Have a call do what is wanted; the refusal when that cannot be read."""
    try:
        commands = wanted()
    except BadAnswer as error:
        problem = Problem(error="invalid", message=error.message, path=error.where)
        return Response(problem, status_code=400)
    app.tell(commands)
    names = [type(command).__name__.lower() for command in commands]
    _log.info("api.call_updated", by=bearer_of(request).name, call_id=app.facts().call, what=",".join(names))
    return None


# -- jambonz -----------------------------------------------------------------------------------------------


@get(f"{JAMBONZ}/Calls", guards=COMMANDING)
async def calls(request: Request[Any, Any, Any], account: FromPath[str]) -> list[dict[str, Any]]:
    """The live calls that jambonz applications of an account drive."""
    facts = [app.facts() for app in office_of(request).centre.live_apps if app.kind == "jambonz"]
    return [payload(one, Ended()) for one in facts if one.account == account]


@get(f"{JAMBONZ}/Calls/{{call:str}}", guards=COMMANDING)
async def call_info(
    request: Request[Any, Any, Any], account: FromPath[str], call: FromPath[str]
) -> dict[str, Any]:
    """One of them."""
    return payload(_found(request, "jambonz", account, call).facts(), Ended())


@put(f"{JAMBONZ}/Calls/{{call:str}}", guards=COMMANDING, status_code=202)
async def update(
    request: Request[Any, Any, Any],
    account: FromPath[str],
    call: FromPath[str],
    data: JSONBody[dict[str, Any]],
) -> Response[Any]:
    """Send a call to another hook, end, mute, tag or record it, or send it keys."""
    app = _found(request, "jambonz", account, call)
    return _told(request, app, lambda: jambonz_update(data)) or Response(None, status_code=202)


@delete(f"{JAMBONZ}/Calls/{{call:str}}", guards=COMMANDING, status_code=204)
async def end(request: Request[Any, Any, Any], account: FromPath[str], call: FromPath[str]) -> None:
    """End a call."""
    _told(request, _found(request, "jambonz", account, call), lambda: [Finish()])


# -- Twilio ------------------------------------------------------------------------------------------------


def _call_json(facts: Facts) -> dict[str, Any]:
    return {
        "sid": facts.call,
        "account_sid": facts.account,
        "api_version": "2010-04-01",
        "direction": "inbound",
        "from": facts.caller,
        "to": facts.dialled,
        "status": "ringing" if facts.status == "trying" else facts.status,
        "uri": f"/2010-04-01/Accounts/{facts.account}/Calls/{facts.call}.json",
    }


@get(f"{TWILIO}/Calls/{{call:str}}", guards=COMMANDING_BASIC)
async def twilio_call(
    request: Request[Any, Any, Any], account: FromPath[str], call: FromPath[str]
) -> dict[str, Any]:
    """A live call that a TwiML application drives."""
    return _call_json(_found(request, "twiml", account, call.removesuffix(".json")).facts())


@post(f"{TWILIO}/Calls/{{call:str}}", guards=COMMANDING_BASIC, status_code=200)
async def twilio_change(
    request: Request[Any, Any, Any], account: FromPath[str], call: FromPath[str]
) -> Response[Any]:
    """Send a call to another document, give it one, or end it."""
    app = _found(request, "twiml", account, call.removesuffix(".json"))
    form, facts = await request.form(), app.facts()

    def wanted() -> Sequence[Command]:
        for name, value in form.items():
            if not isinstance(value, str):
                raise BadAnswer(name, "a text is needed, not a file")
        return twilio_update(dict(form), answered=facts.status == "in-progress")

    refused = _told(request, app, wanted)
    return refused or Response(_call_json(facts), status_code=200)


@get(f"{TWILIO}/Recordings/{{recording:str}}", guards=HEARING)
async def message(
    request: Request[Any, Any, Any], account: FromPath[str], recording: FromPath[str]
) -> Response[Any]:
    """The sound of a Record, whole or the bytes of a ``Range``; with ``.json`` what is known of it."""
    centre, bearer = office_of(request).centre, bearer_of(request)
    name, _, ending = recording.partition(".")
    path = Path(centre.live_apps.messages) / f"{name}.wav"
    if not _MESSAGE.fullmatch(name) or ending not in ("", "wav", "json"):
        raise NotFoundException(f"there is no recording {recording!r}")
    what: Literal["audio", "metadata"] = "metadata" if ending == "json" else "audio"

    def tell() -> None:
        now = centre.clock.now()
        centre.bus.emit(
            RecordingAccessed(at=now, call="", recording=name, by=bearer.name, role=bearer.role, what=what)
        )

    if what == "audio":
        return await sound_of(request, str(path), name, tell)
    if not path.exists():
        raise NotFoundException(f"there is no recording {recording!r}")
    tell()
    place = f"/2010-04-01/Accounts/{account}/Recordings/{name}"
    return Response({"sid": name, "account_sid": account, "uri": f"{place}.json", "media_url": place})


APPLICATIONS = [calls, call_info, update, end, twilio_call, twilio_change, message]
