"""What applications, menus and queues hold: one caller's visit, as an object with verbs.

A verb on a call that is over raises CallEnded, which the runner of the call catches; so a handler is
read from top to bottom and needs no clean-up of its own.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterable, Iterator, Sequence
from contextlib import contextmanager, nullcontext
from typing import TYPE_CHECKING, Any

from sipcc.call import events
from sipcc.call.asking import ask
from sipcc.call.consent import prepare
from sipcc.call.conversation import BridgeResult
from sipcc.call.digits import CollectSettings, Matcher, OptionsMatcher, matcher_for
from sipcc.call.leg import Leg
from sipcc.call.ringing import ring_targets
from sipcc.call.rooms import ConferenceStay, Supervising, Supervision, join, supervise
from sipcc.call.tapping import AudioTap
from sipcc.call.verbs import CallVerbs

if TYPE_CHECKING:
    from sipcc.call.ringing import Target
    from sipcc.recordpolicy import RecordPolicy
    from sipcc.rtp.flow import PlayItem


class Call(CallVerbs):
    """One caller's visit: the caller's leg, what is played to it, and whoever it is bridged with."""

    # -- verbs; those of signalling are in `sipcc.call.verbs` -------------------------------------------

    async def wait(self, seconds: float) -> None:
        """Let time pass, unless the caller hangs up."""
        await self.unless_ended(asyncio.sleep(seconds))

    # -- prompts and keys ---------------------------------------------------------------------------

    def start_playing(self, *prompts: str, loop: bool = False, shared: bool = False) -> None:
        """Start to play and return at once; replaces what plays. While a transfer has the caller: nothing."""
        self._check()
        if self.is_lent:
            return  # whoever talks to the caller after a transfer is not talked over
        items = self._context.prompts.resolve(prompts, self.language)
        self.player.start(items, loop=loop, shared=shared)

    def stop_playing(self) -> None:
        """Stop what plays; silent on an ended call."""
        if not self.ended and not self.is_lent:
            self.player.stop()

    async def prompt_items(self, names: Sequence[str], language: str = "") -> list[PlayItem]:
        """What to play for prompts, in the call's language by default; a text among them is spoken first."""
        prompts, language = self._context.prompts, language or self.language
        late = prompts.prepare(names, language)
        if late is not None:
            await self.unless_ended(late)
        return prompts.resolve(names, language)

    async def play(self, *prompts: str, loop: bool = False, shared: bool = False) -> None:
        """Play prompts to their end. Cancelling stops the sound within 20 ms."""
        await self.free()
        items = await self.prompt_items(prompts)
        await self.unless_ended(self.player.play(items, loop=loop, shared=shared))

    async def play_stream(self, chunks: AsyncIterable[bytes], *, rate_hz: int = 8000) -> None:
        """Play speech as it is made: 16-bit mono samples, in pieces of any length, until there are no more.

        The producer is made to wait while ten seconds lie ahead; while it is late there is silence.

        Args:
            chunks: little-endian samples.
            rate_hz: their rate, such as 8000, 16000, 24000 or 48000.

        Raises:
            ValueError: no such rate.
        """
        await self.free()
        await self.unless_ended(self.player.play_stream(chunks, rate_hz=rate_hz))

    def pause_playing(self) -> None:
        """Let what plays be silent until `resume_playing`; it goes on where it was."""
        self.player.pause(True)

    def resume_playing(self) -> None:
        """Let what was paused go on."""
        self.player.pause(False)

    def seek_playing(self, seconds: float) -> None:
        """Go to a place in what plays, counted from its beginning."""
        self.player.seek(seconds)

    async def say(self, kind: str, value: object) -> None:
        """Say a value in the call's language: a ``number``, ``digits``, a ``date`` ..."""
        await self.free()
        items = self._context.prompts.say(kind, value, self.language)
        await self.unless_ended(self.player.play(items))

    async def ask(
        self,
        *prompts: str,
        digits: int | tuple[int, int] = 1,
        options: Sequence[str] | None = None,
        timeout: float = 5.0,
        interdigit: float = 3.0,
        terminators: str = "#",
        allowed: str = "0123456789*#",
        bargein: bool = True,
        secret: bool = False,
    ) -> str | None:
        """Play prompts and collect keys.

        Args:
            prompts: what to play first; a key cuts it when `bargein` is set.
            digits: how many keys, or (least, most).
            options: the inputs that are valid, such as ``("1", "2", "12")``, instead of a number of keys.
            timeout: seconds from the end of the prompt to the first key.
            interdigit: seconds from key to key.
            terminators: keys that end the input and are not part of it.
            allowed: the keys that may be part of the input.
            bargein: False plays the prompt to its end and forgets keys pressed before.
            secret: the keys go into no log, event or record, and nobody else hears them: `secure_keys`.

        Returns:
            The keys, or None when nothing or nothing valid came; `last_outcome` tells which.
        """
        await self.free()
        items = await self.prompt_items(prompts) if prompts else []
        matcher: Matcher
        if options is not None:
            matcher = OptionsMatcher(options)
        else:
            matcher = matcher_for(digits, allowed=allowed, terminators=terminators)
        settings = CollectSettings(
            timeout=timeout, interdigit=interdigit, terminators=terminators, bargein=bargein, secret=secret
        )
        with self.secure_keys() if secret else nullcontext():
            collected = await self.unless_ended(ask(self, items, matcher, settings))
        self.last_outcome = collected.outcome
        self._emit(
            events.DigitsCollected(
                at=self._now(),
                call=self.id,
                prompt=" ".join(prompts),
                digits=collected.shown,
                outcome=collected.outcome,
            )
        )
        return collected.digits if collected.outcome == "match" else None

    @contextmanager
    def secure_keys(self) -> Iterator[None]:
        """Keep the caller's keys from the other party and from recordings, as for a card number.

        However they come, as events, tones or INFO, this program alone is told of them. What the caller says
        is heard 40 ms late meanwhile, so that nothing of a tone slips through.
        """
        self._check()
        self._secrets += 1
        self.leg.secure_keys(True)
        try:
            yield
        finally:
            self._secrets -= 1
            if not self._secrets:
                self.leg.secure_keys(False)

    def listen_keys(self, sink: Any) -> None:
        """Give key events (DigitBegan, DigitEnded) to `sink` while nobody collects: see `unlisten_keys`."""
        self._key_sinks.append(sink)

    def unlisten_keys(self, sink: Any) -> None:
        """Take back `listen_keys`."""
        self._key_sinks.remove(sink)

    # -- recording ------------------------------------------------------------------------------------

    def record(self, path: str | None = None, *, consent: bool | None = None) -> str:
        """Record the call in stereo: left the caller, right what the caller hears. Returns the path.

        What becomes of a call that cannot be recorded says ``[media.recording] unrecorded``.

        Args:
            path: the file; by default the call's id in the folder of the recordings.
            consent: whether all parties hear a tone again and again; None goes by the settings.
        """
        self._check()
        return self._recording.start(self.leg, path or self._recording.next_path(), consent=consent)

    def pause_recording(self, reason: str = "", *, mark: bool = False) -> None:
        """Keep what is said out of the recording, as while a card number is read; its time goes on.

        Args:
            reason: for the event and the log.
            mark: True lets a tone of 1 kHz stand in its place, False silence.

        Raises:
            LocalProtocolError: nothing is recorded.
        """
        self._check()
        self._recording.pause(reason, mark=mark)

    def resume_recording(self) -> None:
        """Record again what is said."""
        self._recording.resume()

    async def stop_recording(self) -> None:
        """End the recording and wait until its file is complete."""
        await self._recording.stop()

    async def prepare_recording(self, policy: RecordPolicy) -> None:
        """Let `policy` decide which conversations of this call are recorded, from now on.

        The caller is told first if the policy has a prompt for that; unless it hears all of it, nothing is
        recorded. A queue does this for whoever enters it.
        """
        await prepare(self, policy)

    def demand_recording(self) -> str:
        """Record until the conversation ends, because somebody asks for it. Returns the recording's id.

        Raises:
            LocalProtocolError: the policy has nothing recorded, or the caller's consent is missing.
        """
        self._recording.demand(self)
        return self._recording.recording_id

    def refuse_recording(self) -> None:
        """End the recording at once, and let none begin by itself."""
        self._recording.refuse()

    @property
    def recording(self) -> str | None:
        """Path of the running recording."""
        return self._recording.path

    # -- other parties ----------------------------------------------------------------------------------

    async def dial(
        self,
        *targets: Target | str,
        timeout: float = 20.0,
        agent: str | None = None,
        early: bool | None = None,
    ) -> Leg:
        """Ring one party at one or several places; the first that answers is the leg returned.

        Args:
            targets: where to ring, all at once.
            timeout: seconds to ring.
            agent: the agent who is rung by a queue; None for any other party.
            early: whether the caller hears the ringing and the early audio of those who ring. None: it
                does, unless an agent is rung, because queues have sounds of their own.

        Raises:
            CallRejected: all refused; `status` is the best of their answers (RFC 3261 §16.7).
            TransactionTimeout: nobody answered within `timeout` seconds.
            CallEnded: the caller hung up meanwhile; whoever rang was cancelled.
        """
        await self.free()
        return await self.unless_ended(
            ring_targets(
                self, targets, timeout=timeout, agent=agent, early=agent is None if early is None else early
            ),
            undo=lambda leg: leg.hangup("cancelled"),
        )

    def tap(self, leg: Leg | None = None, *, coded: bool = False) -> AudioTap:
        """Listen in on what the caller, or another leg, says and hears: iterate over what is returned.

        With `coded` it may be told as G.711, where the leg has that.

        Raises:
            CallEnded: the call is over.
        """
        self._check()
        return AudioTap(leg or self.leg, coded=coded)

    async def join(self, conference: str, *, muted: bool = False) -> ConferenceStay:
        """Let the caller into a conference; it begins with its first member and ends with the last.

        The stay that is returned can be left, muted and waited for. Everybody hears all others.

        Raises:
            CallError: the caller's phone refuses to move its audio to where the conference is.
        """
        await self.free()
        await self.answer()
        self.stop_playing()
        return await self.unless_ended(join(self, conference, muted=muted), undo=lambda stay: stay.leave())

    async def supervise(self, other: Call, role: Supervising = "listen") -> Supervision:
        """Let the caller listen to another call, whisper to its agent, or barge in.

        The supervision that is returned can change its `role`, take the conversation over, be left and
        waited for. It follows the other caller from agent to agent.

        Raises:
            CallEnded: the other call, or this one, is over.
            CallError: the caller's phone refuses to move its audio to where the other call is.
        """
        await self.free()
        await self.answer()
        self.stop_playing()
        return await self.unless_ended(supervise(self, other, role), undo=lambda stay: stay.leave())

    async def bridge(self, leg: Leg, *, record: bool = False) -> BridgeResult:
        """Let the caller and `leg` talk until one of them hangs up; the other leg is then hung up too.

        The caller stays in the call when it was the other one who left, so that a handler may go on. After
        a transfer, which releases `leg`, the next verb that sounds waits until the caller is free again.
        An agent whom a queue rang, and who goes on in another call or in the place of this caller, is waited
        for: the queue must not take it for free.
        """
        await self.free()
        self.leg.match(leg)
        await self.answer()
        self.stop_playing()
        if record:
            self.record()
        result = await self._recording.during(self, self.converse(leg))
        if result.transferred and leg.agent is not None:
            await (self.free() if leg is self.leg else leg.wait_over())
        return result
