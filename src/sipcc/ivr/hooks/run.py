"""Carries out what webhook applications say, on a session: the one runner for jambonz and TwiML.

Whatever goes wrong with the application while the caller is there, the caller goes on to its fall-back
destination: a hook that is slow or dead, an answer that cannot be read, requests in a circle.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Awaitable, Callable, Coroutine, Sequence
from contextlib import suppress
from functools import partial
from typing import Any, Literal, TypeVar

import msgspec

from sipcc.call.destination import Destination
from sipcc.errors import CallEnded, ConfigError, LocalProtocolError, SipccError
from sipcc.ivr import steps
from sipcc.ivr.hooks import model
from sipcc.ivr.hooks.commands import Commands
from sipcc.ivr.hooks.desk import Desk, NoDesk
from sipcc.ivr.hooks.door import (
    Command,
    Deed,
    Door,
    Finish,
    Follow,
    HookFailed,
    Replace,
    Tape,
)
from sipcc.ivr.hooks.errands import Over, caught, meanwhile, unpacked, while_there
from sipcc.ivr.hooks.live import Deeds, Hands, NoHands, press
from sipcc.ivr.hooks.model import BadAnswer, Defaults, Facts, Hook, NamedVerb, Program, Report, Verb
from sipcc.ivr.hooks.progress import Capturing, Progress
from sipcc.ivr.hooks.rooms import Conferencing, Rooms
from sipcc.ivr.hooks.saying import Sayer
from sipcc.ivr.hooks.screening import Surroundings, screen_by, whisper_by
from sipcc.ivr.hooks.sounds import breakable, hidden
from sipcc.ivr.hooks.waiting import Lines, Pastime
from sipcc.ivr.session import Session
from sipcc.tasks import TaskScope

_T = TypeVar("_T")

MAX_HOOKS = 1000
"""Questions to an application in one call."""
MAX_IDLE_HOOKS = 20
"""Questions in a row in which nothing was done with the caller: they go round in a circle."""

_SOCKETS = {"http": "ws", "https": "wss"}


class Runner:
    """Runs one application on one session."""

    def __init__(
        self,
        session: Session,
        door: Door,
        *,
        fallback: Destination,
        account: str,
        application: str,
        on_failed: Callable[[str, str], None] = lambda kind, why: None,
        permit: Callable[[str], Awaitable[None]] | None = None,
        desk: Desk | None = None,
        hands: Hands | None = None,
        rooms: Rooms | None = None,
        kind: Literal["jambonz", "twiml"] = "jambonz",
        quiet: float = 300.0,
        secret_keys: bool = False,
    ) -> None:
        """Make one for a call.

        Args:
            session: The caller.
            door: The application.
            fallback: Where callers go when it fails.
            account: The account that the application is told of.
            application: Its name.
            on_failed: Told when it fails, with one word for how, and why.
            permit: Raises HookFailed for a URL that must not be opened, of a stream or sound; None takes all.
            desk: Takes callers out of queues; None where there are none.
            hands: Does what is no step; None where there is no real call.
            rooms: The conferences of all applications; None for some of its own.
            kind: The language of the application.
            quiet: How long the application may leave the caller with nothing, in seconds.
            secret_keys: Whether answers by keys are shown nowhere.
        """
        self._permit, self._secret_keys, self._quiet = permit, secret_keys, quiet
        self._gone = asyncio.Event()
        self._sayer = Sayer(session, door, permit)
        self._hands = hands or NoHands()
        self._deeds = Deeds(self._hands, self._tag, self._remark)
        self.kind = kind
        pastime = Pastime(session, self._hook, self._verb, lambda: self._defaults, door.keep_place)
        self._lines = Lines(session, desk or NoDesk(), pastime)
        self._session, self._door, self._fallback = session, door, fallback
        self._account, self._application, self._on_failed = account, application, on_failed
        self._defaults = Defaults()
        self._tags: dict[str, str] = {}
        self._answered_at: float | None = None
        self._hooks = self._idle_hooks = 0
        self._ours = False
        self._tasks = TaskScope("webapp")
        self._commands = Commands(door, self._tasks)
        self._conferencing = Conferencing(
            session, rooms or Rooms(), pastime, ask=self._hook, tell=self._aside, tasks=self._tasks
        )

    async def run(self) -> None:
        """Let the application have the call until it is over, or until it goes elsewhere."""
        self._began = self._session.now()
        self._session.on_hangup(self._gone.set)
        try:
            await self._through(await self._there(self._door.start(self.facts())))
        except (Over, CallEnded):
            pass
        except SipccError as error:  # also a queue that is not there, and whatever else it wants in vain
            await self._fall_back(error)
        finally:
            self._commands.close()
            await self._tasks.join()
            await self._door.tell(self.facts(over=True))
            await self._door.close()

    async def _fall_back(self, error: SipccError) -> None:
        kind = error.kind if isinstance(error, HookFailed) else "unreadable"
        self._session.log("webapp.failed", application=self._application, kind=kind, why=str(error))
        self._on_failed(kind, str(error))
        with suppress(CallEnded):
            await self._session.go(self._fallback)

    async def _there(self, asking: Coroutine[Any, Any, _T]) -> _T:
        return await while_there(self._tasks, asking, self._gone)

    def facts(self, *, over: bool = False) -> Facts:
        """What is known of the call."""
        answered = self._session.answered
        return Facts(
            call=self._session.id,
            caller=self._session.caller,
            dialled=self._session.dialled,
            account=self._account,
            application=self._application,
            status="completed" if over else "in-progress" if answered else "trying",
            sip_status=200 if answered else 487 if over else 100,
            seconds=round(self._session.now() - self._began) if over else None,
            ended_by_caller=over and not self._ours,
            tags=dict(self._tags),
        )

    async def _through(self, program: Program) -> None:
        """Carry out a program and whatever comes after it, to the end of the call."""
        todo = deque(program)
        while True:
            if todo:
                changed = await self._listening(self._verb(todo.popleft()))
            elif self._commands.open:
                changed = await self._commands.wait(self._gone, self._quiet)
            else:
                changed = Finish()
            if changed is None or (new := await self._follow(changed)) is None:
                continue
            if isinstance(changed, Replace) and changed.later:
                todo.extend(new)
            else:
                todo = deque(new)

    async def _listening(self, verb: Awaitable[Program | None]) -> Command | None:
        """Carry out a verb; what is said meanwhile cuts it, unless it is for later."""
        doing = self._tasks.spawn(caught(verb), name="verb")
        try:
            while True:
                saying = self._commands.next()
                await asyncio.wait({doing, saying}, return_when=asyncio.FIRST_COMPLETED)
                if doing.done():
                    break
                command = self._commands.take()
                if isinstance(command, Deed):
                    self._deeds.try_to(command)
                elif command is not None:
                    return command
            new = unpacked(doing.result())
            return None if new is None else Replace(new)
        finally:
            doing.cancel()
            await asyncio.wait({doing})

    def tell(self, commands: Sequence[Command]) -> None:
        """Have something else done, from outside.

        Raises:
            LocalProtocolError: it is not possible now.
        """
        for command in commands:
            if isinstance(command, Deed):
                self._deeds.do(command)
            else:
                self._commands.put(command)

    async def _follow(self, command: Command) -> Program | None:
        """What a command leads to."""
        match command:
            case Replace():
                return command.program
            case Follow():
                return await self._hook(command.hook, model.Redirected())
            case Finish():
                await self._hang_up()
                raise Over
            case _:
                self._deeds.try_to(command)
                return None

    async def _verb(self, verb: Verb) -> Program | None:
        """Carry out one verb, and tell of it if the application wants to know."""
        if not (self._defaults.telling and isinstance(verb, NamedVerb)):
            return await self._do(verb)
        await self._door.note(self.facts(), "starting", verb)
        try:
            return await self._do(verb)
        finally:
            await self._door.note(self.facts(), "finished", verb)

    async def _do(self, verb: Verb) -> Program | None:
        """Carry out one verb; a program is what comes in place of the rest."""
        action = verb(self._defaults)
        if not isinstance(action, model.Redirect | model.Configure | model.Tag | model.Remark):
            self._idle_hooks = 0
        match action:
            case model.Answer():
                await self._answer()
            case model.Say():
                return await self._say(action)
            case model.Ask():
                return await self._ask(action)
            case model.Record():
                return await self._record(action)
            case model.Dial():
                return await self._dial(action)
            case model.Refer():
                await self._answer()
                return await self._hook(
                    action.hook, model.Referred(await self._session.transfer(action.step))
                )
            case model.Enqueue():
                return await self._enqueue(action)
            case model.Take():
                return await self._take(action)
            case model.Join():
                return await self._join(action)
            case model.Stream():
                return await self._stream(action)
            case model.Redirect():
                return await self._hook(action.hook, model.Redirected())
            case _:
                await self._plain(action)
        return None

    async def _plain(self, action: model.Action) -> None:
        match action:
            case model.Pause():
                await self._session.wait(action.seconds)
            case model.Leave():  # nobody waits here any more
                pass
            case model.Tag():
                self._tag(action.data)
            case model.Press():
                await self._answer()
                await press(action.keys, self._deeds.try_to, self._session.wait)
            case model.Configure():
                self._defaults = action.change(self._defaults)
                if action.tape is not None:
                    self._deeds.try_to(Tape(action.tape))
            case model.Remark():
                self._remark(action.text)
            case model.Reject():
                self._ours = True
                await self._session.reject(action.status)
                raise Over
            case _:
                await self._hang_up()
                raise Over

    async def _hang_up(self) -> None:
        self._ours = True
        await self._session.hangup()

    def _remark(self, what: str) -> None:
        self._session.log("webapp.remark", application=self._application, what=what)

    def _tag(self, data: dict[str, str]) -> None:
        self._tags |= data
        for name, value in data.items():
            self._session.tag(name, value)

    async def _answer(self) -> None:
        if not self._session.answered:
            await self._session.answer()
            self._tasks.spawn(self._door.tell(self.facts()), name="status")

    async def _hook(
        self, hook: Hook | None, report: Report, delay: model.Delay | None = None
    ) -> Program | None:
        """Ask a hook what comes next, if there is one."""
        if hook is None:
            return None
        self._hooks += 1
        self._idle_hooks += 1
        if self._hooks > MAX_HOOKS or self._idle_hooks > MAX_IDLE_HOOKS:
            raise HookFailed("loop", f"{self._idle_hooks} questions in a row did nothing with the caller")
        if self._gone.is_set():  # it is told what came of the last verb, and no more
            await self._aside(hook, report)
            raise CallEnded("the caller has hung up")
        if delay is None:
            return await self._there(self._door.ask(hook, self.facts(), report))
        return await self._patiently(hook, report, delay)

    async def _patiently(self, hook: Hook, report: Report, delay: model.Delay) -> Program | None:
        asking = self._door.ask(hook, self.facts(), report, delay.give_up)
        try:
            return await meanwhile(self._tasks, asking, self._sayer.fill(delay, self._defaults))
        except HookFailed:
            if delay.give_up_actions:
                return delay.give_up_actions
            raise

    async def _say(self, say: model.Say) -> Program | None:
        if not say.early:
            await self._answer()
        interrupting = self._defaults.interrupting
        if interrupting is not None:
            return await self._interruptible(say, interrupting)
        played = await self._sayer.play(say)
        return await self._hook(say.hook, played)

    async def _interruptible(self, say: model.Say, by: model.Interrupting) -> Program | None:
        """Say something that keys or speech break off and answer."""
        prompts, listen = await self._sayer.here(say.prompts), self._defaults.listen
        step = breakable(prompts * (say.times or 100), by, listen, say.limit)
        result = await self._gather(step)
        if result.outcome not in ("keys", "speech"):
            return await self._hook(say.hook, result.played)
        if not by.sticky:
            self._defaults = msgspec.structs.replace(self._defaults, interrupting=None)
        return await self._hook(by.hook, result)

    async def _ask(self, ask: model.Ask) -> Program | None:
        await self._answer()
        step = msgspec.structs.replace(ask.step, prompts=await self._sayer.here(ask.step.prompts))
        result = await self._gather(step)
        answered = result.outcome in ("keys", "speech") or bool(result.keys)
        if not answered and not ask.silence_too:
            return None
        return await self._hook(ask.hook, result, ask.delay)

    async def _record(self, record: model.Record) -> Program | None:
        await self._answer()
        recorded = await self._session.record(record.step)
        if recorded.path and record.status is not None:
            self._tasks.spawn(self._aside(record.status, recorded), name="recording")
        if recorded.ended_by == "hangup":
            if recorded.path:
                await self._aside(record.hook, recorded)
            raise Over
        return await self._hook(record.hook, recorded) if recorded.path else None

    async def _aside(self, hook: Hook | None, report: Report) -> None:
        """Tell a hook something of which no answer is wanted."""
        if hook is not None:
            with suppress(HookFailed, BadAnswer):
                await self._door.apart().ask(hook, self.facts(), report)

    async def _dial(self, dial: model.Dial) -> Program | None:
        self._tag(dial.tags)
        if dial.answer_first:
            await self._answer()
        step = msgspec.structs.replace(dial.step, waiting=await self._sayer.here(dial.step.waiting))
        if dial.confirm:
            screen = screen_by(dial.confirm, self._door, self.facts(), **self._surroundings())
            step = msgspec.structs.replace(step, screen=screen)
        ours = self._session, self._hands, self._aside, self._tasks
        with Progress(dial.watches, *ours) as progress, Capturing(dial.capture, *ours):
            try:
                result = await self._session.transfer(step)
            except CallEnded:
                await self._aside(dial.hook, model.Dialled(step, progress.left))
                raise
        return await self._hook(dial.hook, model.Dialled(step, result))

    async def _enqueue(self, enqueue: model.Enqueue) -> Program | None:
        await self._answer()
        queue = enqueue.step.queue
        try:
            left = await self._lines.stand(enqueue, self._tags)
        except CallEnded:
            await self._aside(enqueue.hook, model.Queued(queue, None))
            raise
        except (ConfigError, LocalProtocolError) as error:
            raise BadAnswer(enqueue.at, str(error)) from error
        if left.to and enqueue.hook is None:  # the queue's own settings say where its callers go then
            await self._go(left.to)
        return await self._hook(enqueue.hook, model.Queued(queue, left))

    def _surroundings(self) -> Surroundings:
        log = partial(self._session.log, "webapp.confirm_failed", application=self._application)
        return {"permit": self._permit, "defaults": self._defaults, "log": log}

    async def _take(self, take: model.Take) -> Program | None:
        await self._answer()
        try:
            said = whisper_by(take, self._door, self.facts(), **self._surroundings())
            taken = await self._lines.take(take, said)
        except (ConfigError, LocalProtocolError) as error:
            raise BadAnswer(take.at, str(error)) from error
        return await self._hook(take.hook, taken)

    async def _go(self, to: str) -> None:
        """Give the call away."""
        try:
            destination = Destination.parse(to)
        except ValueError as error:
            raise BadAnswer("to", str(error)) from None
        self._ours = True
        await self._session.go(destination)
        raise Over

    async def _join(self, join: model.Join) -> Program | None:
        await self._answer()
        return await self._hook(join.hook, await self._conferencing.join(join))

    async def _stream(self, stream: model.Stream) -> Program | None:
        await self._answer()
        url = self._door.absolute(stream.step.url)
        scheme, mark, rest = url.partition("://")
        url = _SOCKETS.get(scheme, scheme) + mark + rest
        step = msgspec.structs.replace(stream.step, url=url)
        if self._permit is not None:
            await self._permit(url)
        result = await self._session.stream(step)
        if result.to:
            await self._go(result.to)
        return await self._hook(stream.hook, result)

    async def _gather(self, step: steps.Gather) -> steps.Gathered:
        return await self._session.gather(hidden(step) if self._secret_keys else step)
