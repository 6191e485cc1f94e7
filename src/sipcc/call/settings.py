"""Settings of the call layer."""

from __future__ import annotations

from typing import Annotated, Literal

import msgspec

from sipcc.recordpolicy import RecordingRules, RecordWhen
from sipcc.rtp.toneplan import Region


class NumberSettings(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What happens to calls for one number."""

    number: str
    """The dialled number or user, or a pattern with a trailing ``*``."""
    to: str
    """The destination, as `sipcc.call.destination.Destination` reads it."""
    trunk: str = ""
    """Only calls from this trunk; empty for any source that is admitted."""
    language: str = ""
    """Language of the prompts; empty for the default of ``[ivr]``."""
    max_calls: int = 0
    """Calls at a time for this number; 0 for no limit."""
    full: str = ""
    """The destination of calls beyond that; they are not counted. Empty refuses them with 486."""
    hours: str = ""
    """The calendar of ``[[hours]]`` by which this number is open; empty for always."""
    closed: str = ""
    """The destination while that calendar is closed."""
    regions: dict[str, str] = {}
    """Destinations of callers by their regions, as ``[regions]`` knows these; all others go where `to`
    says."""
    ringback: str = ""
    """What callers hear before somebody answers, as early audio: a prompt or a file, or a text as in
    ``text:Thank you for calling.``; empty for the ordinary ringing. The interface may change it."""
    ringback_for: Annotated[float, msgspec.Meta(ge=0, le=180)] = 0.0
    """Seconds that it is heard at least. A queue or a menu answers at once: with 0 nothing would be heard."""
    record: RecordWhen | None = None
    """Which conversations are recorded, whatever queues say: true, false, ``on_demand`` or ``sample``. Left
    out, queues decide."""
    recording: RecordingRules = RecordingRules()
    """How, where `record` is set."""


class DiallingSettings(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """How numbers are written where this switch stands. Trunks may differ."""

    country: str = ""
    """Country code without plus, such as ``86``. With it one number is one number, however it is written;
    without it numbers stay as they come."""
    area_code: str = ""
    """Area code such as ``010``: what a number without any prefix belongs to."""
    emergency: tuple[str, ...] = ("110", "112", "119", "120", "122")
    """Numbers that are let through at all times, whatever ``[toll]`` says."""


class TollSettings(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What may be called over trunks, by whom and when.

    A rule is a number, a beginning such as ``0108*``, or one of ``national``, ``mobile``, ``geographic``,
    ``service``, ``short``, ``premium``, ``international``; ``*`` is any number. Numbers that the
    configuration itself names, as an agent's ``uri`` or behind ``dial:``, may always be called.
    """

    allow: tuple[str, ...] = ("national",)
    """Numbers that may be called; all others may not."""
    deny: tuple[str, ...] = ("premium",)
    """Numbers that may not be called, whatever `allow` says."""
    hosts: tuple[str, ...] = ()
    """Hosts that a transfer or a redirection may lead to, besides our own users and the trunks."""
    calls_per_user: Annotated[int, msgspec.Meta(ge=0)] = 2
    """Calls over trunks that one user may have at a time; 0 for no limit."""
    minutes_per_day: Annotated[int, msgspec.Meta(ge=0)] = 0
    """Minutes over trunks that one user may talk from midnight to midnight; 0 for no limit."""
    night: str = ""
    """Hours in which only emergency numbers and those of the configuration may be called, such as
    ``22:00-07:00``; empty for none."""
    do_not_call: str = ""
    """A file with a number in each line that is not to be called, whatever `allow` says; what stands behind
    a comma or ``#`` is passed over."""
    calls_per_number: Annotated[int, msgspec.Meta(ge=0, le=1000)] = 0
    """Calls over trunks that one number may get from all of us within `number_window`; 0 for no limit."""
    number_window: Annotated[float, msgspec.Meta(gt=0, le=2592000)] = 86400.0
    """Seconds in which the calls to a number are counted."""
    hours: str = ""
    """The calendar of ``[[hours]]`` outside of which only emergency numbers and those of the configuration
    may be called; empty for any time. Operators who open or close it do not change that."""
    max_redirections: Annotated[int, msgspec.Meta(ge=1, le=100)] = 5
    """A call that was redirected more often is not sent out again: it is a loop."""


class CallSettings(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What calls may do, and what callers hear before the answer."""

    early_media: Literal["pass", "tone", "off"] = "pass"
    """What a caller hears while a party rings: ``pass`` its early audio once that arrives, ringing before;
    ``tone`` our ringing tone as early audio; ``off`` only 180 Ringing, no audio."""
    tones: Region = "cn"
    """Whose ringing and busy tone callers hear: of China (``cn``), most of Europe (``eu``), Great Britain
    (``uk``) or North America (``us``)."""
    transfer_timeout: Annotated[int, msgspec.Meta(ge=1, le=600)] = 30
    """Seconds that the target of a blind transfer may ring before the transferor gets its party back."""
    pickup: Literal["users", "own"] = "users"
    """Whose ringing calls a phone may take by INVITE with Replaces: those of all users, or of its own user
    only. A call that was answered can only be taken by a phone of the same user."""
    redirect: Literal["follow", "refuse"] = "follow"
    """What becomes of a 3xx of a party that we ring: ``follow`` rings the places it names, users, trunks
    and the hosts of ``[toll] hosts``, at most five in a row; ``refuse`` takes it for a refusal."""
    relay_info: bool = True
    """True passes INFO requests that hold no key to the other party of a conversation."""
    agent_context: Annotated[int, msgspec.Meta(ge=0, le=1024)] = 0
    """So many bytes of what flows and bots have found out of a caller are sent to the phone of an agent whom
    a queue rings, as JSON in ``User-to-User`` (RFC 7433); what does not fit is left out. 0 sends none. Only
    phones of ours get it, no numbers outside."""
    agent_context_url: Annotated[str, msgspec.Meta(pattern=r'^(https?://[^\s<>"]+)?$')] = ""
    """Where an agent's phone or screen finds all of it: sent to the same phones as ``Call-Info``. ``{call}``
    in it is the id of the call, as in ``https://crm.example.com/calls/{call}``; empty sends none."""
