"""Checks of names, as a core: each stands for one thing, and whatever is named exists."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from sipcc.acd.callback import HERE
from sipcc.acd.settings import AgentSettings, QueueSettings, bound_name
from sipcc.call.destination import Destination
from sipcc.call.settings import NumberSettings
from sipcc.config.schema import LISTS
from sipcc.errors import ParseError
from sipcc.numbers import Plan, bare, parse
from sipcc.reading.convert import did_you_mean
from sipcc.reading.findings import Report
from sipcc.reading.lines import Path
from sipcc.sip.uri import SipUri

# for menus, sipcc.ivr.check says it
_UNIQUE = (
    "users", "trunks", "agents", "queues", "workflows", "routers", "routes", "hours", "alerts", "webhooks",
    "flows", "webapps", "mailboxes", "surveys", "bots",
)  # fmt: skip

_CALLED = {"hours": "calendar", "mailboxes": "mailbox"}
"""What one entry of a section is called, where that is not its name without the ``s``."""


def _called(section: str) -> str:
    return _CALLED.get(section, section.removesuffix("s"))


class Names:
    """The names that a file defines, well-formed entries or not, so that one error causes no second."""

    def __init__(self, data: Mapping[str, Any]) -> None:
        vxml = data.get("vxml")
        documents = vxml.get("documents") if isinstance(vxml, dict) else None
        self.documents = list(documents) if isinstance(documents, dict) else []
        """The names of VoiceXML documents."""
        self._places: dict[str, dict[str, int]] = {
            section: _named(data.get(section)) for section in LISTS if section != "numbers"
        }

    def known(self, section: str) -> list[str]:
        """The names in ``[[section]]``."""
        return list(self._places[section])

    def need(self, section: str, name: str, path: Path, report: Report) -> None:
        """Report `path` unless ``[[section]]`` has an entry called `name`."""
        known = self._places[section]
        if name not in known:
            report.error(path, f"there is no {_called(section)} {name!r}", did_you_mean(name, known))


def _named(entries: Any) -> dict[str, int]:
    if not isinstance(entries, list):
        return {}
    names: dict[str, int] = {}
    for index, entry in enumerate(entries):
        if isinstance(entry, dict) and "name" in entry:
            names.setdefault(str(entry["name"]), index)
    return names


def check_unique(data: Mapping[str, Any], report: Report) -> None:
    """Report every name and every number that stands for two things."""
    for section in _UNIQUE:
        entries = data.get(section)
        first = _named(entries)
        for index, entry in enumerate(entries if isinstance(entries, list) else ()):
            name = entry.get("name") if isinstance(entry, dict) else None
            if isinstance(name, str) and first[name] != index:
                report.error(
                    (section, index, "name"),
                    f"another {_called(section)} is called {name!r} already, at {section}[{first[name]}]",
                    "give each its own name",
                )


def check_numbers(
    numbers: Sequence[tuple[int, NumberSettings]], names: Names, report: Report, plan: Plan | None = None
) -> None:
    """Check what the numbers are and where they lead; `plan` tells which spellings mean the same."""
    seen: dict[tuple[str, str], int] = {}
    for index, entry in numbers:
        path: Path = ("numbers", index)
        number = bare(entry.number)
        if not number or "*" in number[:-1] or any(char.isspace() for char in number):
            report.error(
                (*path, "number"),
                f"{entry.number!r} is no number",
                "write digits, a user name, or a beginning with * at its end",
            )
        elif (first := seen.setdefault((_meaning(number, plan), entry.trunk), index)) != index:
            report.error(
                (*path, "number"),
                f"{entry.number!r} has a destination already, at numbers[{first}]",
                "keep one, or tell them apart by trunk",
            )
        if entry.trunk:
            names.need("trunks", entry.trunk, (*path, "trunk"), report)
        if entry.max_calls < 0:
            report.error((*path, "max_calls"), "expected 0 for no limit, or a positive number")
        if entry.full:
            check_destination(entry.full, (*path, "full"), names, report)
            if not entry.max_calls:
                report.error((*path, "full"), "the number has no limit", "add max_calls = NUMBER")
        check_destination(entry.to, (*path, "to"), names, report)
        _check_closed(entry, path, names, report)
        for region, to in entry.regions.items():
            check_destination(to, (*path, "regions", region), names, report)


def _check_closed(entry: NumberSettings, path: Path, names: Names, report: Report) -> None:
    """A calendar and what happens while it is closed go together."""
    if entry.hours:
        names.need("hours", entry.hours, (*path, "hours"), report)
        if not entry.closed:
            hint = 'add closed = "...", as in "play:closed"'
            report.error((*path, "hours"), "nothing says what happens while it is closed", hint)
    if entry.closed:
        check_destination(entry.closed, (*path, "closed"), names, report)
        if not entry.hours:
            report.error((*path, "closed"), "no calendar ever closes this number", 'add hours = "NAME"')


def _meaning(number: str, plan: Plan | None) -> str:
    read = parse(number, plan) if plan is not None else None
    return read.canonical if read is not None else number


def check_destination(text: str, path: Path, names: Names, report: Report) -> None:
    """Check that a destination can be read and that what it names exists."""
    try:
        destination = Destination.parse(text)
    except ValueError as error:
        message, _, known = str(error).partition("; ")
        report.error(path, message, known or "as in menu:NAME, queue:NAME, dial:sip:USER@HOST")
        return
    argument = destination.argument
    match destination.kind:
        case "menu" | "flow" | "queue" | "workflow" | "router" | "webapp" | "bot" | "survey":
            names.need(f"{destination.kind}s", argument, path, report)
        case "vxml" if "://" not in argument:
            if argument not in names.documents:
                known = did_you_mean(argument, names.documents)
                report.error(path, f"there is no document {argument!r} in [vxml] documents", known)
        case "voicemail":
            names.need("mailboxes", argument, path, report)
        case "dial":
            check_target(argument, path, names, report)
        case "app":
            report.warn(
                path,
                f"{text!r} works only in a Python program that routes {argument!r}",
                "sipccd alone does not know it",
            )
        case _:
            pass


def check_target(text: str, path: Path, names: Names, report: Report) -> None:
    """Check what a call can be sent to: a user, ``TRUNK/NUMBER``, ``ROUTE/NUMBER``, or a SIP or tel URI."""
    if text in names.known("users"):
        return
    trunk, slash, number = text.partition("/")
    if slash and number and ":" not in trunk:
        if trunk not in names.known("routes"):
            names.need("trunks", trunk, path, report)
        return
    try:
        uri = SipUri.parse(text)
    except ParseError:
        hint = did_you_mean(text, names.known("users")) if names.known("users") else ""
        if not hint.startswith("did"):
            hint = "write a user, TRUNK/NUMBER, or a URI such as sip:1001@192.0.2.1"
        report.error(path, f"{text!r} cannot be called", hint)
        return
    if uri.scheme not in {"sip", "tel"}:
        report.error(path, f"{uri.scheme}: addresses cannot be called", "write sip:USER@HOST")


def check_bound(number: str, path: Path, names: Names, report: Report) -> None:
    """Check one number that is bound to a queue: an outside one, and nobody's name."""
    if bound_name(number) in names.known("agents"):
        report.error(
            path, f"an agent is called {bound_name(number)!r} already", "give that agent the queue instead"
        )
    elif "/" not in number and ":" not in number:
        report.error(path, f"{number!r} is no outside number", "write TRUNK/NUMBER, or add [[agents]]")
    else:
        check_target(number, path, names, report)


def _check_exit(text: str, path: Path, names: Names, report: Report) -> None:
    """Check where a queue leads: to a callback in it, or to any destination."""
    if text != HERE:
        check_destination(text, path, names, report)


def check_queue_exits(queues: Sequence[tuple[int, QueueSettings]], names: Names, report: Report) -> None:
    """Check where callers go on to from each queue, and that no rule sends away everybody."""
    for index, queue in queues:
        path: Path = ("queues", index)
        if queue.then:
            _check_exit(queue.then, (*path, "then"), names, report)
        for key, to in queue.keys.items():
            _check_exit(to, (*path, "keys", key), names, report)
        for place, number in enumerate(queue.bound):
            check_bound(number, (*path, "bound", place), names, report)
        for place, rule in enumerate(queue.overflow):
            _check_exit(rule.to, (*path, "overflow", place, "to"), names, report)
            if rule.when != "no_agent" and not rule.at:
                report.error(
                    (*path, "overflow", place, "at"),
                    f'when = "{rule.when}" with at = 0 would let nobody wait',
                    "write at = CALLERS" if rule.when == "size" else "write at = SECONDS",
                )


def check_agents(agents: Sequence[tuple[int, AgentSettings]], names: Names, report: Report) -> None:
    """Check that every agent has a phone and that its queues exist."""
    for index, agent in agents:
        path: Path = ("agents", index)
        if not agent.places:
            report.error(path, f"agent {agent.name!r} has no phone", 'add user = "..." or uri = "sip:..."')
        if agent.user and agent.uri:
            report.warn((*path, "uri"), "user and uri are both given", "keep the one, the other to contacts")
        if agent.user:
            names.need("users", agent.user, (*path, "user"), report)
        if agent.uri:
            check_target(agent.uri, (*path, "uri"), names, report)
        for position, contact in enumerate(agent.contacts):
            check_target(contact.to, (*path, "contacts", position, "to"), names, report)
        _check_accepting(agent, path, report)
        for position, queue in enumerate(agent.queues):
            names.need("queues", queue, (*path, "queues", position), report)
        if not agent.queues:
            report.warn((*path, "name"), f"agent {agent.name!r} serves no queue", 'add queues = ["..."]')


def _check_accepting(agent: AgentSettings, path: Path, report: Report) -> None:
    """Check that there is something to accept where a prompt asks for it."""
    if agent.accept_prompt and not agent.accepting:
        report.warn(
            (*path, "accept_prompt"),
            "nobody hears it, because no key is asked for",
            'add accept_key = "1", here or to a contact',
        )
