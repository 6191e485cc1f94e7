"""The bots of ``[[bots]]``, as treatments of calls."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sipcc.call import Call, Destination, Handler
from sipcc.errors import CallEnded, ConfigError, LocalProtocolError, SipccError
from sipcc.ivr.bots.handover import tell_context
from sipcc.ivr.live import LiveSession
from sipcc.ivr.steps import Stream, Streamed
from sipcc.switch.missing import missing

if TYPE_CHECKING:
    from sipcc.ivr.bots.settings import BotSettings
    from sipcc.switch.treatments import Treatments

MAX_HANDED_ON = 20
"""So often bots hand one call on to each other; then it goes to the fallback, which is none of them."""


async def stream(session: LiveSession, step: Stream) -> Streamed:
    """Let a program speak with a caller; what that needs is loaded with the first one."""
    from sipcc.ivr.bots.serve import stream as serve

    return await serve(session, step)


class Bots:
    """The treatments behind ``bot:NAME``."""

    def __init__(self, host: Treatments) -> None:
        """Take the bots of the configuration of `host`."""
        self._host = host
        self._bots = {bot.name: bot for bot in host.config.bots}
        self._handed_on: dict[str, int] = {}

    def handler(self, name: str) -> Handler:
        """The treatment of calls that are sent to the bot called `name`.

        Raises:
            ConfigError: there is none.
        """
        if name not in self._bots:
            raise missing("bot", name, self._bots)
        bot = self._bots[name]

        async def handler(call: Call) -> None:
            first = call.id not in self._handed_on
            self._handed_on[call.id] = self._handed_on.get(call.id, 0) + 1
            try:
                await self._run(bot, call)
            finally:
                if first:
                    del self._handed_on[call.id]

        return handler

    async def _run(self, bot: BotSettings, call: Call) -> None:
        session = LiveSession(call, self._host.services)
        if self._handed_on[call.id] > MAX_HANDED_ON:
            result = Streamed(ended_by="lost")
        else:
            result = await session.stream(bot.step(caller=session.caller, dialled=session.dialled))
        to = self._next(bot, result)
        self._tell(bot, call, result, to)
        if str(to) != result.to:  # where the bot itself sends the call, that is told already
            tell_context(session, result, to)
        try:
            await session.go(to)
        except CallEnded:
            raise
        except SipccError as error:
            if to.kind == "bot" or str(to) == bot.fallback:  # that bot has a fallback of its own
                raise
            await self._fall_back(bot, session, result, f"{to}: {error}")

    async def _fall_back(self, bot: BotSettings, session: LiveSession, result: Streamed, why: str) -> None:
        """Somebody who is not there, is busy or does not answer must not cost the caller the call."""
        to = Destination.parse(bot.fallback)
        await session.call.free()
        session.log("bot.fell_back", bot=bot.name, why=why)
        session.call.context.decided(session.id, f"bot {bot.name}: {to}", why)
        tell_context(session, result, to)
        await session.go(to)

    def _next(self, bot: BotSettings, result: Streamed) -> Destination:
        """Where the call goes; what the bot makes up leads to the fallback."""
        if result.ended_by == "program":
            try:
                to = Destination.parse(result.to or bot.then)
                self._host.handler_of(to)
            except (ValueError, ConfigError, LocalProtocolError):
                pass
            else:
                return to
        return Destination.parse(bot.fallback)

    def _tell(self, bot: BotSettings, call: Call, result: Streamed, to: Destination) -> None:
        """Tell why the call goes on there."""
        why = result.ended_by if not result.to else f"{result.ended_by}: {result.to}"
        call.context.decided(call.id, f"bot {bot.name}: {to}", why)
