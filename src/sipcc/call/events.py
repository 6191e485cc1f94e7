"""What happens to calls and legs, as events. `sipcc.records` folds them into CDRs.

An interaction is one caller's whole visit; it has one `call` id, one caller leg, and one leg for each
party that was rung for it.
"""

from __future__ import annotations

from typing import Literal

from sipcc.events import Event
from sipcc.rtp.events import AlarmKind
from sipcc.rtp.flow import RtpStats

EndedBy = Literal["caller", "callee", "us", "network"]

TransferKind = Literal["blind", "attended", "takeover", "application", "consult"]
"""``blind`` and ``attended`` by REFER, ``takeover`` by INVITE with Replaces or by a supervisor,
``application`` by a program, ``consult`` by a program on behalf of an agent who has asked first."""


class CallStarted(Event, frozen=True, kw_only=True):
    """An INVITE for a new call was accepted for handling; `at` is when it arrived."""

    call: str
    caller: str
    """The caller's number or user, from the trusted identity or From."""
    called: str
    """The number that was dialled, normalised."""
    trunk: str | None
    sip_call_id: str
    source: str
    """The address it came from, ``host:port``."""


class CallRinging(Event, frozen=True, kw_only=True):
    """We sent the first 18x to the caller."""

    call: str


class CallAnswered(Event, frozen=True, kw_only=True):
    """We sent the 200 OK to the caller; `at` is when the first copy left."""

    call: str


class LegStarted(Event, frozen=True, kw_only=True):
    """We sent an INVITE to another party for this call."""

    call: str
    leg: str
    target: str
    """The SIP URI rung."""
    agent: str | None = None
    """The agent at that place, be it rung by a queue or by somebody else."""
    sip_call_id: str = ""
    trunk: str = ""
    """The trunk that it goes over; empty for none."""


class InteractionJoined(Event, frozen=True, kw_only=True):
    """A call is one visit of a caller together with another one: a consultation, a transfer, a callback."""

    call: str
    interaction: str
    """The call that the visit began with."""


class DialBlocked(Event, frozen=True, kw_only=True):
    """The toll guard refused to ring a party; nothing was sent. Each one is worth an alert."""

    call: str
    user: str
    """The user on whose account it was tried; empty for a caller from outside."""
    trunk: str
    """The trunk that it would have gone over; empty for a bare SIP URI."""
    number: str
    """What was asked for, canonical where it is a number."""
    why: str
    """``denied``, ``do_not_call``, ``not_allowed``, ``not_a_number``, ``night``, ``hours``, ``callee``,
    ``calls``, ``minutes``, ``loop``, ``hops`` or ``host``; `sipcc.call.tollguard` explains them."""


class CallScreened(Event, frozen=True, kw_only=True):
    """A caller from a trunk did not come through to the number that it dialled; see ``[screening]``."""

    call: str
    caller: str
    """What people are shown: a number, or ``anonymous``."""
    trunk: str
    why: str
    """``denied``, ``anonymous`` or ``too_often``; `sipcc.call.screening` explains them."""
    to: str
    """The destination that it got instead."""
    challenged: bool = False
    """True when it was asked to press a key, and did not."""


class LegRinging(Event, frozen=True, kw_only=True):
    """The other party sent 180 or 183."""

    call: str
    leg: str


class LegAnswered(Event, frozen=True, kw_only=True):
    """The other party's 200 OK arrived."""

    call: str
    leg: str


class LegEnded(Event, frozen=True, kw_only=True):
    """A leg other than the caller's is over."""

    call: str
    leg: str
    cause: str
    """A cause of `sipcc.call.cause`, such as ``busy`` or ``normal``."""
    sip_status: int
    """The final SIP status, 200 when it ended by BYE."""
    ended_by: EndedBy
    stats: RtpStats | None = None


class CallResumed(Event, frozen=True, kw_only=True):
    """The process that served a call died, and another one goes on with it; its audio never stopped."""

    call: str
    talking: bool = True
    """False for a caller who talked to nobody: its treatment begins anew."""
    caller: str = ""
    called: str = ""
    """The number that was dialled, normalised."""
    seconds: float = 0.0
    """How old the call is."""
    sip_call_ids: tuple[str, ...] = ()
    """The Call-IDs of the caller's leg and of the other one, if there is one."""


class ConferenceJoined(Event, frozen=True, kw_only=True):
    """A caller is in a conference."""

    call: str
    conference: str


class ConferenceLeft(Event, frozen=True, kw_only=True):
    """A caller has left a conference."""

    call: str
    conference: str


class SupervisionChanged(Event, frozen=True, kw_only=True):
    """A supervisor began to supervise a call, does it in another role, took it over, or has left."""

    call: str
    """The call that is supervised."""
    supervisor: str
    """The call of the supervisor, or the leg that was rung for it in this call."""
    role: str
    """``listen``, ``whisper``, ``barge``, ``take_over`` or ``left``."""
    agent: str = ""
    """The supervisor's name as an agent; empty for somebody who is none."""


class BridgeStarted(Event, frozen=True, kw_only=True):
    """Caller and leg hear each other."""

    call: str
    leg: str


class BridgeEnded(Event, frozen=True, kw_only=True):
    """Caller and leg do not hear each other any more."""

    call: str
    leg: str


class LegHeld(Event, frozen=True, kw_only=True):
    """A party is on hold: it put us there, or we it."""

    call: str
    leg: str
    by: Literal["party", "us"]


class LegResumed(Event, frozen=True, kw_only=True):
    """A hold is over."""

    call: str
    leg: str
    by: Literal["party", "us"]


ConsultEnd = Literal["completed", "merged", "returned", "left"]
"""What came of asking: who was asked has the caller, talks with both, was hung up, or has hung up."""


class ConsultStarted(Event, frozen=True, kw_only=True):
    """An agent asks somebody while the caller waits; between the two events of a transfer."""

    call: str
    leg: str
    """Who is asked."""
    by: str
    """The agent's leg."""


class ConsultEnded(Event, frozen=True, kw_only=True):
    """Agent and who was asked do not talk alone any more."""

    call: str
    leg: str
    how: ConsultEnd


class TransferStarted(Event, frozen=True, kw_only=True):
    """Somebody wants the other party of a conversation to talk to somebody else."""

    call: str
    leg: str
    """The leg that goes: who asked for it, or whom the application replaces; empty for nobody."""
    kind: TransferKind
    target: str
    """The URI or user that was named."""


class TransferCompleted(Event, frozen=True, kw_only=True):
    """The transfer is done: the party that stays talks to `new`, and `leg` is released."""

    call: str
    leg: str
    kind: TransferKind
    new: str
    """The leg that took its place; for ``attended`` one that came from another call."""
    into: str = ""
    """The call in which the party goes on, if that is another one than `call`."""


class TransferFailed(Event, frozen=True, kw_only=True):
    """The transfer came to nothing; the transferor has its party back."""

    call: str
    leg: str
    kind: TransferKind
    sip_status: int
    """What the target answered; 487 when a party left meanwhile."""


class DigitsCollected(Event, frozen=True, kw_only=True):
    """The caller's answer to a prompt. `digits` is masked with ``*`` when it was asked as secret."""

    call: str
    prompt: str
    digits: str
    outcome: Literal["match", "noinput", "nomatch"]


class FaxHeard(Event, frozen=True, kw_only=True):
    """A fax machine speaks on a leg: one that calls, or one that answers (``[media] fax_tones``)."""

    call: str
    leg: str
    role: Literal["calling", "answering"]


class QualityAlarm(Event, frozen=True, kw_only=True):
    """The audio of a leg goes one way only, or has much loss or jitter; or that is over."""

    call: str
    leg: str
    kind: AlarmKind
    active: bool
    """True when it begins, False when it ends."""
    value: float
    """Seconds of audio in one direction only, the fraction lost, or the jitter in ms."""


class RecordingConsent(Event, frozen=True, kw_only=True):
    """The caller was told that it is recorded, before anything was; or it is not to be recorded."""

    call: str
    prompt: str
    outcome: Literal["announced", "given", "blocked"]
    """``announced``: it heard the prompt to its end. ``given``: it pressed the key as well. ``blocked``:
    nothing is recorded."""
    why: str = ""
    """Of ``blocked``: why."""


class RecordingStarted(Event, frozen=True, kw_only=True):
    """Recording began."""

    call: str
    path: str
    recording: str = ""
    """Its id: that of the call, with a number behind it from the second one on."""
    interaction: str = ""
    """The call that the conversation came from by a transfer; else `call`."""
    caller: str = ""
    called: str = ""
    queue: str = ""
    """The queue whose rules it goes by."""
    number: str = ""
    """The number whose rules it goes by."""
    consent: Literal["", "announced", "given"] = ""
    """Whether the caller was told, and has agreed."""
    retention_days: int = 90
    """How long it is kept."""


class RecordingFinished(Event, frozen=True, kw_only=True):
    """The recording is complete. `reason` as in `sipcc.rtp.events.RecordingEnded`."""

    call: str
    path: str
    seconds: float
    reason: str


class RecordingPaused(Event, frozen=True, kw_only=True):
    """What is said now is not recorded; the file goes on in silence or under a tone."""

    call: str
    path: str
    reason: str
    """Why, in the words of whoever paused it, such as ``card number``."""


class RecordingResumed(Event, frozen=True, kw_only=True):
    """A pause of the recording is over."""

    call: str
    path: str


class RecordingStored(Event, frozen=True, kw_only=True):
    """A recording has its final form (see ``[media.recording]``)."""

    call: str
    path: str
    """The file of `RecordingFinished`; it is gone when `stored` is another one."""
    stored: str
    """The file that has the audio now."""
    size_bytes: int
    waveform: str = ""
    """A JSON file with the peaks of both sides, where one was asked for."""
    error: str = ""
    """Why the recording was left as it was; empty when all is well."""
    sha256: str = ""
    """The digest of `stored`, in hex; empty when it cannot be read."""


class DiskFilling(Event, frozen=True, kw_only=True):
    """The disk of the recordings has passed a limit, upwards or downwards."""

    folder: str
    level: Literal["ok", "low", "critical"]
    percent: float
    """How much of it is used."""
    free_mb: int


class PromptUnplayable(Event, frozen=True, kw_only=True):
    """A prompt could not be played to a leg; where it can, a fallback tone sounds in its place."""

    call: str
    leg: str
    path: str
    """The file; empty for a tone that the leg's codec cannot carry."""
    error: str


class CallEndedEvent(Event, frozen=True, kw_only=True, tag="CallEnded"):
    """The caller's leg is over: `at` is when BYE, CANCEL or the final refusal was sent or arrived."""

    call: str
    cause: str
    sip_status: int
    """200 for an answered call that ended by BYE, else the final status that the caller got."""
    ended_by: EndedBy
    stats: RtpStats | None = None


class Decision(Event, frozen=True, kw_only=True):
    """A choice that was made about a call, with its reason: what ``sipccd ladder`` shows between messages."""

    call: str
    what: str
    """What was decided on and how it came out: ``route: queue:sales``, ``trunk: carrier-b``."""
    why: str = ""
    """The reason in plain words; for a choice also why the others were passed over."""


class TrunkDown(Event, frozen=True, kw_only=True):
    """A carrier takes no calls for now; those of its routes go to the other trunks."""

    trunk: str
    why: str
    """What speaks against it, in words."""


class TrunkUp(Event, frozen=True, kw_only=True):
    """A carrier takes calls again."""

    trunk: str
    why: str
