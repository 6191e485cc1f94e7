"""The plain treatments of a call: what a number can do without a menu or a queue."""

from __future__ import annotations

from sipcc.call.call import Call
from sipcc.call.destination import DIALLED, Destination
from sipcc.call.protocols import Handler
from sipcc.rtp.toneplan import BUSY, RINGBACK

BUSY_S = 5.0
"""So long a caller that was answered hears that all is busy."""


async def echo(call: Call) -> None:
    """Answer, and send back what comes, until the caller hangs up."""
    await call.answer()
    call.leg.media.echo()
    await call.wait_ended()


async def ring_for_ever(call: Call) -> None:
    """Ring and never answer."""
    await call.ring()
    await call.wait_ended()


def refuse(status: int) -> Handler:
    """A handler that refuses with `status`; a call that was answered already is hung up.

    With 486 it hears the busy tone first.
    """

    async def handler(call: Call) -> None:
        if call.answered:
            if status == 486:
                call.player.start(BUSY[call.context.settings.tones].items(), loop=True)
                await call.wait(BUSY_S)
            await call.hangup()
        else:
            await call.reject(status)

    return handler


def play_for_ever(prompt: str) -> Handler:
    """A handler that answers and plays `prompt` again and again."""

    async def handler(call: Call) -> None:
        await call.answer()
        items = await call.prompt_items((prompt,))
        call.player.start(items, loop=True)
        await call.wait_ended()

    return handler


def bridge_to(target: str, *, timeout: float = 60.0) -> Handler:
    """A handler that rings `target`, a SIP URI or a user, and bridges the caller with it.

    ``NAME/*`` is the number that the caller dialled, over the trunk or route called NAME.
    The caller hears ringing, or the early audio of the far side, until that answers; a refusal is passed on.
    """

    async def handler(call: Call) -> None:
        if call.answered:
            call.player.start(RINGBACK[call.context.settings.tones].items(), loop=True)
        place = target[:-1] + call.dialled if target.endswith(DIALLED) else target
        leg = await call.dial(place, timeout=timeout)
        await call.bridge(leg)

    return handler


def plain_handler(destination: Destination) -> Handler | None:
    """The handler of a destination that this layer knows; None for menus, queues and applications."""
    match destination.kind:
        case "echo":
            return echo
        case "ring":
            return ring_for_ever
        case "busy":
            return refuse(486)
        case "reject":
            return refuse(int(destination.argument))
        case "play":
            return play_for_ever(destination.argument)
        case "dial":
            return bridge_to(destination.argument)
        case "hangup":
            return refuse(480)
        case _:
            return None
