"""The caller is told that it is recorded, before anything is; whatever goes wrong, nothing is recorded."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sipcc.call import events
from sipcc.call.asking import ask
from sipcc.call.digits import CollectSettings, OptionsMatcher
from sipcc.errors import CallEnded
from sipcc.log import get_logger
from sipcc.recordpolicy import RecordPolicy
from sipcc.rtp.flow import PlayFile

if TYPE_CHECKING:
    from sipcc.call.call import Call

_log = get_logger("sipcc.call")


async def prepare(call: Call, policy: RecordPolicy) -> None:
    """Let `policy` hold for the call's conversations; the caller hears its prompt, if it is to be recorded.

    The policy of a number holds whatever queues say. Nobody hears the prompt twice.

    Raises:
        CallEnded: the caller hung up, or is hung up because ``[media.recording] unrecorded`` says so.
    """
    taping = call.taping
    if taping.policy is not None and taping.policy.number and not policy.number:
        return
    taping.policy = policy
    taping.part()
    if not policy.announces(call.id) or taping.consent == "blocked" or policy.is_satisfied(taping.consent):
        return
    await call.free()
    await call.answer()
    why, ours = "it was broken off", False
    taping.consent, taping.asking = "blocked", True  # until the prompt was heard, whatever ends it
    try:
        failed = await _announce(call, policy)
        ours = bool(failed)
        why = failed or (await _asked(call, policy) if policy.rules.key else "")
    except CallEnded:
        why = "the caller hung up before it was told to the end"
        raise
    finally:
        if not why:
            taping.consent = "given" if policy.rules.key else "announced"
        taping.asking = False
        call.note()
        _tell(call, policy, why)
    if ours and call.context.media.recording.unrecorded != "talk":
        call.leg.hangup("unrecorded")
        raise CallEnded("unrecorded")


async def _announce(call: Call, policy: RecordPolicy) -> str:
    """Play the prompt to its end; why it was not heard, or an empty text."""
    name = policy.rules.prompt
    items = await call.prompt_items((name,))
    if not any(isinstance(item, PlayFile) for item in items):
        return f"the prompt {name!r} is missing"
    heard = await call.unless_ended(call.player.play(items))
    return "" if heard else f"the prompt {name!r} was cut off or cannot be played"


async def _asked(call: Call, policy: RecordPolicy) -> str:
    """Wait for the key; why there is no consent, or an empty text."""
    rules = policy.rules
    settings = CollectSettings(timeout=rules.key_timeout, terminators="")
    collected = await call.unless_ended(ask(call, [], OptionsMatcher((rules.key,)), settings))
    return "" if collected.outcome == "match" else "the caller did not press the key"


def _tell(call: Call, policy: RecordPolicy, why: str) -> None:
    context, consent = call.context, call.taping.consent
    if why:
        _log.warning("recording.blocked", call_id=call.id, why=why)
    context.bus.emit(
        events.RecordingConsent(
            at=context.clock.now(),
            call=call.id,
            prompt=policy.rules.prompt,
            outcome=consent or "blocked",
            why=why,
        )
    )
