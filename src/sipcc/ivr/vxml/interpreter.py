"""VoiceXML for one caller: documents one after the other, until something ends the session.

It only awaits its session and its fetcher, and knows neither loop nor clock.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Final
from urllib.parse import urldefrag

import msgspec

from sipcc.errors import CallEnded
from sipcc.ivr.fetch import Fetcher, shown
from sipcc.ivr.js import Json
from sipcc.ivr.session import Session
from sipcc.ivr.vxml.data import fetch_data
from sipcc.ivr.vxml.documents import Document, Library
from sipcc.ivr.vxml.errors import Event, Stopped, Thrown
from sipcc.ivr.vxml.events import Counters, handle
from sipcc.ivr.vxml.fia import Visit
from sipcc.ivr.vxml.inputs import Result
from sipcc.ivr.vxml.limits import Limits
from sipcc.ivr.vxml.machine import Machine, Waiter
from sipcc.ivr.vxml.navigate import arrival_at, load_script
from sipcc.ivr.vxml.parse import Element
from sipcc.ivr.vxml.scope import Application, Context, Place
from sipcc.ivr.vxml.secrets import Secrets
from sipcc.ivr.vxml.signals import Arrival, Exit, Finish, Jump, NextItem, Note


class Setup(msgspec.Struct, kw_only=True):
    """What an interpreter works with."""

    library: Library
    limits: Limits = Limits()
    properties: Mapping[str, str] = {}
    """Defaults in place of VoiceXML's."""
    note: Callable[[Note], None] = lambda note: None
    waiter: Waiter | None = None
    secrets: Secrets = msgspec.field(default_factory=Secrets)
    """Of one session; what is noted is without them."""
    connection: Mapping[str, Json] = {}
    """More of ``session.connection``."""
    languages: tuple[str, ...] = ()
    """Those that can be spoken and understood; none stands for `sipcc.ivr.vxml.languages.LANGUAGES`."""


_BLANK: Final = Element("vxml", {"version": "2.1"}, None, 1, 1)


async def interpret(session: Session, fetcher: Fetcher, url: str, setup: Setup) -> Exit:
    """Run a document until its end. The caller is not hung up, unless a document says so.

    Args:
        session: The caller.
        fetcher: Gets documents, scripts and grammars.
        url: The first document, perhaps with the id of a dialog behind a ``#``.
        setup: Limits, defaults, and who watches.

    Returns:
        How it ended; a failure is an exit too.
    """
    waiter = {} if setup.waiter is None else {"waiter": setup.waiter}
    machine = Machine(
        session,
        fetcher,
        library=setup.library,
        limits=setup.limits,
        properties=setup.properties,
        note=setup.note,
        secrets=setup.secrets,
        languages=setup.languages,
        **waiter,
    )
    machine.run_context = lambda context, arrival, given: _run(machine, context, arrival, given)
    _describe(machine, setup.connection)
    context = Context(machine.engine, machine.session_scope)
    try:
        try:
            arrival = await _first(machine, context, url)
            await _run(machine, context, arrival, {})
        except Finish as end:
            await _say_goodbye(machine)
            return setup.secrets.masked_exit(_told(machine, end.exit))
        except CallEnded:
            return Exit(reason="hangup")
        raise AssertionError("a context ends by a signal")
    except Stopped as stop:
        return Exit(reason="limit", message=str(stop))
    except RecursionError:
        return Exit(reason="limit", message="the document is nested too deeply")
    finally:
        del machine.run_context  # it refers back to the machine


def _told(machine: Machine, ended: Exit) -> Exit:
    """The exit, with what <disconnect> had to say if nothing else did."""
    if ended.values or not machine.farewell:
        return ended
    return msgspec.structs.replace(ended, values=machine.farewell)


async def _say_goodbye(machine: Machine) -> None:
    """What waits is heard before the end (VoiceXML 2.0 §4.1.8)."""
    try:
        await machine.flush()
    except (Thrown, Finish):
        machine.ended()


def _describe(machine: Machine, more: Mapping[str, Json]) -> None:
    """Make the session's variables, which nobody can change."""
    session = machine.session
    connection: dict[str, Json] = {
        "local": {"uri": _uri(session.dialled)},
        "remote": {"uri": _uri(session.caller)},
        "protocol": {"name": "sip", "version": "2.0"},
        **more,
    }
    machine.engine.set(machine.session_scope, "connection", connection)
    if "originator" not in connection:
        machine.engine.run("connection.originator = connection.remote", (machine.session_scope,))
    machine.engine.freeze(machine.session_scope)


def _uri(party: str) -> str:
    """A number or a SIP address as a URI."""
    if party.lower().startswith(("sip:", "sips:", "tel:")):
        return party
    if party.lstrip("+").isdigit():
        return f"tel:{party}"
    return f"sip:{party}" if "@" in party else f"sip:{party}@anonymous.invalid"


async def _first(machine: Machine, context: Context, url: str) -> Arrival:
    """Get the first document. There is none that could catch what goes wrong in it."""
    target, fragment = urldefrag(url)
    blank = Document(target, _BLANK)
    scope = machine.engine.scope("application")
    machine.engine.alias(scope, "document")
    context.document, context.scope = blank, scope
    context.application = Application(blank, scope)
    place = context.place
    try:
        fetched = await machine.fetch(place, None, machine.request(place, None, "document", url=target))
        document = machine.library.document(fetched, target)
        return await arrival_at(machine, place, document, fragment, "goto", False)
    except Thrown as thrown:
        await handle(machine, place, thrown.event, Counters())
        raise Finish(_failed(thrown.event)) from None


def _failed(event: Event) -> Exit:
    return Exit(reason="error", event=event.name, message=event.told)


async def _run(
    machine: Machine, context: Context, arrival: Arrival, parameters: Mapping[str, object]
) -> None:
    """Go from dialog to dialog.

    Raises:
        Finish, Return, Stopped: always one of them.
    """
    carried: Result | None = None
    while True:
        try:
            if arrival.document is not None:
                await _enter(machine, context, arrival)
            if arrival.dialog is None:
                raise Finish(Exit(reason="done"))
            visit = Visit(machine, context, arrival.dialog)
            try:
                await visit.run(carried, parameters)
            finally:
                visit.over()
        except Jump as jump:
            machine.step(context.document.root)
            arrival, carried, parameters = jump.arrival, jump.carried, {}


async def _enter(machine: Machine, context: Context, arrival: Arrival) -> None:
    """Make the scopes of a document, and fill them (VoiceXML 2.0 §1.5.2, §5.1.2)."""
    document = arrival.document
    assert document is not None
    machine.note(Note(what="visit", text=document.url))
    for told in [document] if arrival.root is None else [document, arrival.root]:
        for element, fault in told.faults.items():
            where = f"{shown(told.url)}:{element.line}:{element.column}"
            machine.note(Note(what="fault", text=f"{where}: {fault}"))
    to_root = not document.application
    try:
        if arrival.new_application:
            await _begin_application(machine, context, arrival.root or document)
        application = context.application
        if to_root:
            application.root = document
        context.document = document
        context.scope = application.scope if to_root else machine.engine.scope("document")
        if not to_root:
            await _fill(machine, context.place, document)
    except Thrown as thrown:
        try:
            await handle(machine, context.place, thrown.event, Counters())
        except NextItem as signal:
            raise Finish(_failed(Event("error.badfetch", f"no item {signal.name!r} here"))) from None


async def _begin_application(machine: Machine, context: Context, root: Document) -> None:
    """Make the variables of an application root, which is the current document meanwhile."""
    scope = machine.engine.scope("application")
    machine.engine.alias(scope, "document")
    machine.engine.declare(scope, "lastresult$")
    context.application = Application(root, scope)
    context.document, context.scope = root, scope
    await _fill(machine, context.place, root)


async def _fill(machine: Machine, place: Place, document: Document) -> None:
    """Make the variables of a document, in its order."""
    for element in document.root.elements("var", "script", "data"):
        machine.step(element)
        try:
            place.see(element)
            if element.tag == "var":
                place.declare(element.attributes["name"], element.get("expr"))
            elif element.tag == "script":
                place.script(await load_script(machine, place, element))
            else:
                await fetch_data(machine, place, element)
        except Thrown as thrown:
            raise thrown.at(place.where(element)) from None
