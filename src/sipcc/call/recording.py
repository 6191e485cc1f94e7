"""The recordings of one call: started, paused, stopped, waited for, and brought into their final form."""

from __future__ import annotations

import asyncio
import contextlib
import hashlib
from collections.abc import Awaitable
from pathlib import Path
from typing import TYPE_CHECKING

from sipcc.call import events
from sipcc.errors import CallEnded, LocalProtocolError, SipccError
from sipcc.log import get_logger
from sipcc.recordpolicy import Consent, RecordPolicy
from sipcc.rtp.events import RecordingEnded

if TYPE_CHECKING:
    from collections.abc import Callable

    from sipcc.call.call import Call
    from sipcc.call.context import CallContext
    from sipcc.call.conversation import BridgeResult
    from sipcc.call.leg import Leg

PATIENCE = 12.0
"""Seconds that the end of a call waits for its recording to be complete."""

_BLOCK = 1 << 20

_log = get_logger("sipcc.call")


class Finisher:
    """Compresses finished recordings and draws their waveforms, one at a time and never in the loop."""

    def __init__(self) -> None:
        self._turn: asyncio.Semaphore | None = None

    async def finish(self, call_id: str, path: str, context: CallContext) -> None:
        """Bring a recording into the form that ``[media.recording]`` asks for, and tell of it."""
        from sipcc.rtp.finishing import finish  # soundfile, for who records

        settings = context.media.recording
        loop = asyncio.get_running_loop()
        self._turn = self._turn or asyncio.Semaphore(1)
        async with self._turn:
            done = await loop.run_in_executor(
                None, lambda: finish(path, format=settings.format, peaks=settings.waveform)
            )
            digest = await loop.run_in_executor(None, digest_of, done.path)
        if done.error:
            _log.warning("recording.not_stored", call_id=call_id, path=path, error=done.error)
        context.bus.emit(
            events.RecordingStored(
                at=context.clock.now(),
                call=call_id,
                path=path,
                stored=done.path,
                size_bytes=done.size_bytes,
                waveform=done.peaks,
                error=done.error,
                sha256=digest,
            )
        )


def digest_of(path: str) -> str:
    """The SHA-256 of a file in hex; empty when it cannot be read. Blocks."""
    digest = hashlib.sha256()
    try:
        with Path(path).open("rb") as file:
            while block := file.read(_BLOCK):
                digest.update(block)
    except OSError:
        return ""
    return digest.hexdigest()


class _Tape:
    """One file that is written, or waits for its end."""

    def __init__(
        self, path: str, leg: Leg, *, tone: bool = False, paused: bool = False, of_talk: bool = True
    ) -> None:
        self.path = path
        self.leg = leg
        self.tone = tone
        """True when the parties hear that they are recorded."""
        self.paused = paused
        self.of_talk = of_talk
        """True for one that ends with the conversation; one that the program began ends with the call."""
        self.before: Callable[[RecordingEnded], None] | None = None
        """Who was told of recordings at this leg before: the call that it came from."""
        self.complete: asyncio.Future[None] = asyncio.get_running_loop().create_future()


class CallRecording:
    """What is recorded of a call; at most one file at a time."""

    def __init__(self, call_id: str, context: CallContext) -> None:
        self.policy: RecordPolicy | None = None
        """What its queue or its number says; None leaves it to the program."""
        self.consent: Consent = ""
        """What is known of the caller's consent."""
        self.asking = False
        """True while the caller is told and asked: another process has to begin that anew."""
        self.count = 0
        """Files so far."""
        self._call_id = call_id
        self._context = context
        self._tape: _Tape | None = None
        self._unfinished: dict[str, _Tape] = {}
        self._refused = False
        """True once somebody has stopped it: then it does not begin again by itself."""

    @property
    def path(self) -> str | None:
        """The file that is being written."""
        return self._tape.path if self._tape is not None else None

    @property
    def paused(self) -> bool:
        """True while what is said is kept out of the file."""
        return self._tape is not None and self._tape.paused

    @property
    def recording_id(self) -> str:
        """The id of the recording that runs, or ran last; empty before the first."""
        if not self.count:
            return ""
        return self._call_id if self.count == 1 else f"{self._call_id}-{self.count}"

    def next_path(self) -> str:
        """Where the next recording goes that was given no path: each of a call has a file of its own."""
        name = self._call_id if not self.count else f"{self._call_id}-{self.count + 1}"
        return str(Path(self._context.recordings) / f"{name}.wav")

    @property
    def leg_id(self) -> str:
        """The leg that is recorded at, or an empty text."""
        return self._tape.leg.id if self._tape is not None else ""

    # -- by the program, or by a command --------------------------------------------------------------

    def start(self, leg: Leg, path: str, *, consent: bool | None = None, of_talk: bool = False) -> str:
        """Record at `leg`; when a recording runs already, nothing changes. Returns its path.

        Raises:
            LocalProtocolError: the caller's consent is needed, and was not had.
        """
        if self._tape is not None:
            return self._tape.path
        self._need_consent()
        self.count += 1
        self._refused = False
        period_s = self._context.media.recording.consent_tone
        tone = consent if consent is not None else period_s > 0
        tape = self._open(_Tape(path, leg, tone=tone, of_talk=of_talk))
        leg.media.record(path)
        if tone:
            leg.media.consent_tone(period_s or DEFAULT_CONSENT_S)
        self._context.bus.emit(self._started(tape))
        leg.owner.call.note()
        return path

    def demand(self, call: Call) -> None:
        """Somebody wants this call to be recorded from now on.

        Raises:
            LocalProtocolError: the policy of the call's queue or number has none of it, or the caller's
                consent is missing.
        """
        if self.policy is None or not self.policy.may_record:
            raise LocalProtocolError("nothing is recorded here: no `record` of a queue or number allows it")
        if call.ended:
            raise LocalProtocolError("the call is over")
        self.start(call.leg, self.next_path(), of_talk=True)

    def go_on(self, leg: Leg, path: str, *, paused: bool) -> None:
        """A recording runs that another process began."""
        self.count = max(self.count, 1)
        self._open(_Tape(path, leg, paused=paused))

    def pause(self, reason: str, *, mark: bool) -> None:
        """Keep what is said out of the file; the time goes on. Pausing twice does nothing."""
        tape = self._tape
        if tape is None:
            raise LocalProtocolError("there is no recording to pause")
        if not tape.paused:
            tape.paused = True
            tape.leg.media.pause_recording(True, mark=mark)
            self._context.bus.emit(
                events.RecordingPaused(at=self._now(), call=self._call_id, path=tape.path, reason=reason)
            )
            tape.leg.owner.call.note()

    def resume(self) -> None:
        """End a pause; without one nothing happens."""
        tape = self._tape
        if tape is not None and tape.paused:
            tape.paused = False
            tape.leg.media.pause_recording(False)
            self._context.bus.emit(
                events.RecordingResumed(at=self._now(), call=self._call_id, path=tape.path)
            )
            tape.leg.owner.call.note()

    def refuse(self) -> None:
        """End the recording at once, and let it not begin again by itself; the file is complete later."""
        self._refused = True
        self._cut()

    async def stop(self) -> None:
        """End the recording and wait until all files are complete."""
        self._cut()
        for tape in list(self._unfinished.values()):
            await asyncio.shield(tape.complete)

    async def settle(self) -> None:
        """The port is closed: wait for the files, but not for ever."""
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(PATIENCE):
                for tape in list(self._unfinished.values()):
                    await asyncio.shield(tape.complete)
        for path, tape in list(self._unfinished.items()):  # as of a media worker that died with its port
            self.on_ended(RecordingEnded(tape.leg.media.id, path, 0.0, "error: nobody told of its end"))

    # -- by the policy ----------------------------------------------------------------------------------

    async def during(self, call: Call, talk: Awaitable[BridgeResult]) -> BridgeResult:
        """Record `talk` if the policy wants it, and whatever a transfer makes of it."""
        self._begin(call)
        transferred = False
        try:
            result = await talk
            transferred = result.transferred
            return result
        finally:
            if transferred:
                self._context.scope.spawn(self._end_when_free(call), name=f"{self._call_id}/stop-recording")
            elif not call.ended:  # the call closes its recording when it ends
                self._end()

    def follow(self, leg: Leg) -> None:
        """The caller's place is `leg`'s now: what was recorded at another one goes on in a new file."""
        old = self._tape
        if old is None or old.leg is leg:
            return
        self._cut()
        self.start(leg, self.next_path(), consent=old.tone, of_talk=old.of_talk)
        if old.paused:
            self.pause("", mark=False)

    def inherit(self, other: CallRecording) -> None:
        """The caller of the call that `other` is of comes into this one by a transfer."""
        self.consent = other.consent
        if self.policy is None or not self.policy.may_record:
            self.policy = other.policy

    def part(self) -> None:
        """The caller goes on to somewhere else: what is said there has a file of its own, if any."""
        self._end()

    def _begin(self, call: Call) -> None:
        policy = self.policy
        if policy is None or self._refused or self._tape is not None or not policy.wants(self._call_id):
            return
        if not policy.is_satisfied(self.consent):
            return
        try:
            self.start(call.leg, self.next_path(), of_talk=True)
        except (SipccError, OSError) as error:  # a full disk must not cost the caller the talk
            _log.warning("recording.not_begun", call_id=self._call_id, error=str(error))

    def _end(self) -> None:
        if self._tape is not None and self._tape.of_talk:
            self._cut()

    async def _end_when_free(self, call: Call) -> None:
        """The talk goes on with somebody else, and so does its recording."""
        with contextlib.suppress(CallEnded):
            await call.free()
            self._end()

    def _need_consent(self) -> None:
        if self.policy is not None and not self.policy.is_satisfied(self.consent):
            state = self.consent or "missing"
            raise LocalProtocolError(f"the caller may not be recorded: consent is {state}")

    # -- files ------------------------------------------------------------------------------------------

    def _open(self, tape: _Tape) -> _Tape:
        self._tape = self._unfinished[tape.path] = tape
        told = tape.leg.on_recorded
        tape.before = None if told == self.on_ended else told
        tape.leg.on_recorded = self.on_ended
        self._context.disk.begin(self._context)
        return tape

    def _cut(self) -> None:
        tape, self._tape = self._tape, None
        if tape is not None:
            tape.leg.media.stop_recording()
            if tape.tone and not tape.leg.ended:
                tape.leg.media.consent_tone(0)

    def _started(self, tape: _Tape) -> events.RecordingStarted:
        call, policy = tape.leg.owner.call, self.policy or RecordPolicy(when=False)
        consent = self.consent if self.consent != "blocked" else ""
        return events.RecordingStarted(
            at=self._now(),
            call=self._call_id,
            path=tape.path,
            recording=self.recording_id,
            interaction=call.interaction,
            caller=call.caller,
            called=call.called,
            queue=policy.queue,
            number=policy.number,
            consent=consent,
            retention_days=policy.days(consent),
        )

    def on_ended(self, event: RecordingEnded) -> None:
        """A file is complete, or its recording failed; those of another call are not ours."""
        tape = self._unfinished.pop(event.path, None)
        if tape is None:
            for other in self._unfinished.values():
                if other.before is not None:
                    other.before(event)
            return
        context, leg = self._context, tape.leg
        if not any(other.leg is leg for other in self._unfinished.values()):
            leg.on_recorded = tape.before
        context.bus.emit(
            events.RecordingFinished(
                at=self._now(),
                call=self._call_id,
                path=event.path,
                seconds=event.seconds,
                reason=event.reason,
            )
        )
        context.disk.end()
        if tape is self._tape:
            self._tape = None
            if tape.tone and not leg.ended:
                leg.media.consent_tone(0)
        if not tape.complete.done():
            tape.complete.set_result(None)
        if event.reason.startswith("error"):
            self._failed(event, leg)
        if event.seconds > 0:
            finishing = context.finisher.finish(self._call_id, event.path, context)
            context.scope.spawn(finishing, name=f"{self._call_id}/finish-recording")

    def _failed(self, event: RecordingEnded, leg: Leg) -> None:
        """The call goes on unrecorded, or not at all."""
        _log.warning("recording.failed", call_id=self._call_id, path=event.path, error=event.reason)
        policy = self._context.media.recording.unrecorded
        if not leg.ended and (policy == "end" or (policy == "refuse" and not event.seconds)):
            leg.hangup("unrecorded")

    def _now(self) -> float:
        return self._context.clock.now()


DEFAULT_CONSENT_S = 14.0
"""Seconds between consent tones where the settings have them off, but the call wants them."""
