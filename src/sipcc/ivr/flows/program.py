"""Flows in Python: a coroutine that is handed a `FlowCall`, and goes through the same engine as any graph.

    @app.flow("order_status", fallback="queue:service")
    async def order_status(call: FlowCall) -> str | None:
        number = await call.ask("What is your order's number?", digits=(6, 12))
        if number is None:
            await call.enqueue("service", priority=5)
        order = await call.lookup("orders", number=number, default={"state": "unknown"})
        await call.say(f"Your order is {order['state']}.")
        return "told"

Each verb is a node: it is told by the same events, under the name `label` or that of the verb, and has the
same tries, timers and ways out. Whoever hangs up ends the coroutine: the next verb raises `CallEnded`. An
error in it leads to the `fallback`, as it does in a graph.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Collection, Iterable, Mapping
from typing import Any, Literal, NoReturn, TypeAlias, TypeVar

import msgspec

from sipcc.call.destination import Destination
from sipcc.ivr.flows import connecting, nodes
from sipcc.ivr.flows.forms import problems, retry_problems
from sipcc.ivr.flows.load import convert_head, plain_retry, sound
from sipcc.ivr.flows.model import FlowHead, Node, Phrase, Retry, Said
from sipcc.ivr.flows.phrases import plain
from sipcc.ivr.flows.run import Came, Ending, FlowFault, Leaving, Playable, Run
from sipcc.ivr.session import Session
from sipcc.ivr.steps import (
    Audio,
    BargeIn,
    Left,
    Named,
    Recorded,
    Silence,
    Streamed,
    Text,
    Transferred,
    Value,
    Wire,
)
from sipcc.reading.findings import Report

Heard: TypeAlias = "str | Mapping[str, Any] | Named | Text | Value | Audio | Silence"
"""Something to be heard: a prompt's name or a text, as in a file; a table, as in a file; or a step."""

ProgramFunction: TypeAlias = "Callable[[FlowCall], Awaitable[str | None]]"
"""Takes a call through a flow, and tells the exit with which it returns to whoever called it."""

T = TypeVar("T")


class FlowCall:
    """One call in a Python flow."""

    def __init__(self, run: Run) -> None:
        self._run = run
        self._count = 0

    @property
    def session(self) -> Session:
        """The call underneath, for steps that have no verb here."""
        return self._run.session

    @property
    def id(self) -> str:
        """The call's id."""
        return self.session.id

    @property
    def caller(self) -> str:
        """The caller's number or address."""
        return self.session.caller

    @property
    def dialled(self) -> str:
        """The number that was called."""
        return self.session.dialled

    @property
    def variables(self) -> dict[str, object]:
        """What is kept with the call, and goes along from flow to flow; never a secret."""
        return self.session.variables

    @property
    def language(self) -> str:
        """The language of the call; it may be set."""
        return self.session.language

    @language.setter
    def language(self, language: str) -> None:
        self.session.language = language

    # -- what is heard and asked ----------------------------------------------------------------------

    async def say(self, *what: Heard, bargein: BargeIn = "any", label: str = "") -> None:
        """Have something heard before the next question; what is typed meanwhile cuts it and answers that."""
        await self._visit(label, nodes.Say(prompt=heard(what), bargein=bargein))

    async def menu(
        self,
        *what: Heard,
        options: Collection[str],
        words: Mapping[str, Iterable[str]] | None = None,
        retry: Retry | None = None,
        timeout: float | None = None,
        bargein: BargeIn = "any",
        label: str = "",
    ) -> str | None:
        """Ask for one of `options`; None when the tries are used up.

        Args:
            what: What the caller hears.
            options: Keys.
            words: What may be said in place of an option's keys.
            retry: How often it is asked again; the flow's when not given.
            timeout: Seconds from the end of the prompt to the first key.
            bargein: What cuts the prompt.
            label: The name of the node.
        """
        node = nodes.Menu(
            prompt=heard(what),
            options=dict.fromkeys(options, ""),
            words={key: tuple(several) for key, several in (words or {}).items()},
            retry=retry,
            timeout=timeout,
            bargein=bargein,
        )
        return str(self._run.result) if await self._visit(label, node) != "retry" else None

    async def ask(
        self,
        *what: Heard,
        digits: int | tuple[int, int] | None = None,
        speech: bool = False,
        words: Iterable[str] = (),
        terminator: str = "#",
        secret: bool = False,
        retry: Retry | None = None,
        timeout: float | None = None,
        interdigit: float | None = None,
        bargein: BargeIn = "any",
        label: str = "",
    ) -> str | None:
        """Ask for keys or words; None when the tries are used up.

        Args:
            what: What the caller hears.
            digits: How many keys, or the fewest and the most.
            speech: Whether the answer may be spoken.
            words: What may be said; empty takes anything.
            terminator: The key that ends the answer.
            secret: True for a PIN or a card number: nothing here writes it down. The program must not either.
            retry: How often it is asked again; the flow's when not given.
            timeout: Seconds from the end of the prompt to the first key.
            interdigit: Seconds from key to key.
            bargein: What cuts the prompt.
            label: The name of the node.
        """
        node = nodes.Gather(
            prompt=heard(what),
            into="answer",
            digits=digits,
            speech=speech,
            words=tuple(words),
            terminator=terminator,
            secret=secret,
            retry=retry,
            timeout=timeout,
            interdigit=interdigit,
            bargein=bargein,
        )
        came = await self._visit(label, node)
        self._run.values.forget("answer")
        return str(self._run.result) if came != "retry" else None

    async def survey(
        self,
        *what: Heard,
        store: str,
        scale: str = "1-5",
        retry: Retry | None = None,
        timeout: float | None = None,
        bargein: BargeIn = "any",
        label: str = "",
    ) -> int | None:
        """Ask for a number that is kept with the call, its agent and queue; None when there is none.

        Args:
            what: What the caller hears.
            store: What the answer is called in records.
            scale: The lowest and the highest answer, one digit each.
            retry: How often it is asked again; the flow's when not given.
            timeout: Seconds from the end of the prompt to the first key.
            bargein: What cuts the prompt.
            label: The name of the node.
        """
        node = nodes.Survey(
            prompt=heard(what), store=store, scale=scale, retry=retry, timeout=timeout, bargein=bargein
        )
        self._run.values.forget(store)  # whom a survey of the switch has asked is asked no more
        await self._visit(label, node)
        answer = self._run.values.get(store)
        return answer if isinstance(answer, int) else None

    async def record(
        self,
        *what: Heard,
        beep: bool = True,
        max_time: float = 60.0,
        final_silence: float | None = 5.0,
        label: str = "",
    ) -> Recorded:
        """Record what the caller says; hanging up in it is a result."""
        node = connecting.Record(
            prompt=heard(what), into="recorded", beep=beep, max_time=max_time, final_silence=final_silence
        )
        await self._visit(label, node)
        assert isinstance(self._run.result, Recorded)
        return self._run.result

    # -- what is looked up ----------------------------------------------------------------------------

    async def lookup(
        self,
        source: str,
        *,
        deadline: float = nodes.DEADLINE,
        default: T | None = None,
        wait: Heard | None = None,
        label: str = "",
        **send: object,
    ) -> Mapping[str, Any] | T:
        """What is found by a function, or by a service over HTTP; `default` when nothing is in time.

        Args:
            source: The function's name, or an ``http(s)`` URL.
            deadline: Seconds for the answer.
            default: Stands for an answer that does not come; an empty table when not given.
            wait: What is heard when it takes longer than a second.
            label: The name of the node.
            send: What the function or the service is told.
        """
        is_url = source.startswith(("http://", "https://"))
        node = nodes.Lookup(
            source="" if is_url else source,
            url=source if is_url else "",
            into="found",
            send={key: _literal(value) for key, value in send.items()},
            deadline=deadline,
            wait_prompt=() if wait is None else heard((wait,)),
        )
        came = await self._visit(label, node)
        self._run.values.forget("found")
        if came == "failed":
            return {} if default is None else default
        assert isinstance(self._run.result, Mapping)
        return self._run.result

    # -- whom the caller meets ------------------------------------------------------------------------

    async def enqueue(
        self,
        queue: str,
        *,
        priority: int | None = None,
        skills: Iterable[str] = (),
        context: Mapping[str, str] | None = None,
        label: str = "",
    ) -> Left:
        """Let the caller wait until an agent has spoken with it, or it leaves the queue otherwise."""
        told = {key: str(_literal(value)) for key, value in (context or {}).items()}
        node = connecting.Queue(queue=queue, priority=priority, skills=tuple(skills), context=told)
        await self._visit(label, node)
        assert isinstance(self._run.result, Left)
        return self._run.result

    async def dial(
        self,
        *targets: str,
        timeout: float = 30.0,
        max_time: float | None = None,
        record: bool = False,
        caller: str = "",
        label: str = "",
    ) -> Transferred:
        """Call somebody, and go on after the conversation."""
        node = connecting.Dial(
            to=tuple(str(_literal(one)) for one in targets),
            timeout=timeout,
            max_time=max_time,
            record=record,
            caller=caller,
        )
        await self._visit(label, node)
        assert isinstance(self._run.result, Transferred)
        return self._run.result

    async def transfer(
        self,
        to: str,
        *,
        mode: Literal["blind", "consultation"] = "blind",
        timeout: float = 30.0,
        label: str = "",
    ) -> Transferred:
        """Send the caller to somebody, and leave; returns only when that did not go well."""
        node = connecting.Transfer(to=str(_literal(to)), mode=mode, timeout=timeout)
        await self._visit(label, node)
        assert isinstance(self._run.result, Transferred)
        return self._run.result

    async def voicemail(self, box: str, *, label: str = "") -> None:
        """Let the caller leave a message."""
        await self._visit(label, connecting.Voicemail(box=box))

    async def bot(
        self,
        url: str,
        *,
        wire: Wire = "twilio",
        send: Mapping[str, str] | None = None,
        timeout: float = 5.0,
        label: str = "",
    ) -> Streamed:
        """Let a program speak with the caller."""
        told = {key: str(_literal(value)) for key, value in (send or {}).items()}
        await self._visit(label, connecting.Bot(url=url, wire=wire, send=told, timeout=timeout))
        assert isinstance(self._run.result, Streamed)
        return self._run.result

    # -- where the call goes --------------------------------------------------------------------------

    async def call(self, flow: str, *, label: str = "") -> str:
        """Go through another flow; the exit with which it returned."""
        await self._visit(label, connecting.Call(flow=flow))
        return str(self._run.result)

    def go(self, destination: str) -> NoReturn:
        """Leave the flow for a destination, such as ``queue:service`` or ``flow:main``."""
        raise Leaving(Ending(how="destination", destination=Destination.parse(destination)))

    def back(self, exit: str = "") -> NoReturn:  # the word of the files
        """Go back to the flow that called this one, with an exit."""
        raise Leaving(Ending(how="returned", exit=exit))

    async def hangup(self, *what: Heard, cause: str = "normal") -> NoReturn:
        """Say something, and end the call."""
        await self._visit("hangup", connecting.Hangup(prompt=heard(what), cause=cause))
        raise AssertionError("a hangup always leaves")

    async def _visit(self, label: str, node: Node) -> str:
        self._count += 1
        _check(node)
        came: Came = await self._run.visit(label or f"{node.kind}_{self._count}", node)
        if isinstance(came, Ending):
            raise Leaving(came)
        return came


def head_of(name: str, head: Mapping[str, Any]) -> FlowHead:
    """What the table of a flow says besides its nodes, as a program says it.

    Raises:
        ConfigError: something in it is wrong, as it would be in a file.
    """
    report = Report(f"flow {name!r}")
    data, retry = dict(head), head.get("retry")
    if isinstance(retry, Retry):
        for path, message, hint in retry_problems(retry):
            report.error(("retry", *path), message, hint)
    elif retry is not None:
        data["retry"] = plain_retry(retry, ("retry",), report)
    return sound(convert_head(msgspec.to_builtins(data), (), report), report)


def _check(node: Node) -> None:
    """See that the fields of a node are such as a file may have.

    Raises:
        FlowFault: one is not.
    """
    if not isinstance(node, nodes.Question | connecting.Record | connecting.Dial | connecting.Transfer):
        return
    try:
        msgspec.convert(msgspec.to_builtins(node), type(node))
    except msgspec.ValidationError as error:
        raise FlowFault(f"{node.kind}: {error}") from None
    for path, message, hint in problems(node):
        raise FlowFault(": ".join((node.kind, *map(str, path), message)) + (f"; {hint}" if hint else ""))


def program(name: str, function: ProgramFunction, head: FlowHead | None = None) -> Playable:
    """A flow in Python to go through."""

    async def go_through(run: Run) -> str:
        return await function(FlowCall(run)) or ""

    head = head or FlowHead()
    return Playable(name=name, version=head.version or "program", head=head, program=go_through)


def heard(what: Iterable[Heard]) -> Phrase:
    """What a program wants to be heard, as flows have it; braces in it are braces.

    Raises:
        FlowFault: something in it is wrong.
    """
    found: list[Said] = []
    for one in what:
        if isinstance(one, str | Mapping):
            report = Report("")
            written = one.replace("{", "{{").replace("}", "}}") if isinstance(one, str) else dict(one)
            made = plain(written, (), report)
            if report.failed:
                raise FlowFault(f"{report.findings[0].message}: {one!r}")
            found += msgspec.convert(made, Phrase)
        else:
            found.append(_escaped(one))
    return tuple(found)


def _escaped(said: Named | Text | Value | Audio | Silence) -> Said:
    """A step as it is: braces in it are braces."""
    match said:
        case Text():
            return msgspec.structs.replace(said, text=_literal(said.text))
        case Value():
            return msgspec.structs.replace(said, value=_literal(said.value))
        case Audio():
            return msgspec.structs.replace(said, source=_literal(said.source))
    return said


def _literal(value: object) -> Any:
    """A value that is no template."""
    return value.replace("{", "{{").replace("}", "}}") if isinstance(value, str) else value
