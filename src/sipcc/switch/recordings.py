"""What the switch does about recordings that calls and the ACD do not do by themselves."""

from __future__ import annotations

from sipcc.call import Call, Handler, NumberSettings
from sipcc.recordpolicy import RecordPolicy


def recorded(settings: NumberSettings, handler: Handler) -> Handler:
    """`handler` for calls that are recorded as their number says; as it is where the number says nothing."""
    if settings.record is None:
        return handler
    policy = RecordPolicy(when=settings.record, rules=settings.recording, number=settings.number)

    async def treat(call: Call) -> None:
        await call.prepare_recording(policy)
        await handler(call)

    return treat
