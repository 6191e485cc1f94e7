"""jambonz verbs as they are written in JSON: what can stand in each, and of which type.

The names and types are those of the JSON schemas of jambonz (npm ``@jambonz/schema`` 0.4). What is `Any` here
is known, and either without effect with us or refused by `sipcc.ivr.hooks.jambonz`.
"""

from __future__ import annotations

from typing import Annotated, Any, Literal, TypeAlias

import msgspec
from msgspec import Meta

Seconds: TypeAlias = Annotated[float, Meta(ge=0, le=86_400)]
Count: TypeAlias = Annotated[int, Meta(ge=0, le=64)]
Data: TypeAlias = dict[str, Any]


class Auth(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A name and a password."""

    username: str
    password: str


class HookObject(msgspec.Struct, frozen=True, forbid_unknown_fields=True, rename="camel"):
    """A hook with more than its URL."""

    url: Annotated[str, Meta(min_length=1)]
    method: Literal["GET", "POST"] = "POST"
    basic_auth: Auth | None = None


HookSpec: TypeAlias = Annotated[str, Meta(min_length=1)] | HookObject


class UpdateHookObject(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A hook as it stands in an update of a live call."""

    url: Annotated[str, Meta(min_length=1)]
    method: Literal["GET", "POST"] = "POST"
    username: str = ""
    password: str = ""


UpdateHook: TypeAlias = Annotated[str, Meta(min_length=1)] | UpdateHookObject


class Synthesizer(msgspec.Struct, frozen=True, rename="camel"):
    """Which voice; what only some vendors know is not looked at."""

    language: str = ""
    voice: str | Data = ""


class Phrase(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A phrase that is likely."""

    phrase: str
    boost: float = 0.0


class Recognizer(msgspec.Struct, frozen=True, rename="camel"):
    """How speech is recognised; what only some vendors know is not looked at."""

    language: str = ""
    hints: tuple[str | Phrase, ...] = ()
    min_confidence: Annotated[float, Meta(ge=0, le=1)] = 0.0


class _Written(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, rename="camel"):
    """Something in a verb."""


class DelaySpec(_Written, frozen=True, kw_only=True):
    """What happens while a hook takes its time."""

    enabled: bool = True
    no_response_timeout: Seconds = 0.0
    no_response_give_up_timeout: Seconds | None = None
    retries: Count = 0
    actions: tuple[Any, ...] = ()
    give_up_actions: tuple[Any, ...] = ()


class BargeInSpec(_Written, frozen=True, kw_only=True):
    """What may break off whatever is played."""

    enable: bool = True
    sticky: bool = False
    action_hook: HookSpec | None = None
    input: tuple[Literal["speech", "digits"], ...] = ()
    min_bargein_word_count: Any = None


class Captured(_Written, frozen=True, kw_only=True):
    """Keys of either party in a conversation."""

    parent_call: tuple[str, ...] = ()
    child_call: tuple[str, ...] = ()


class Target(_Written, frozen=True, kw_only=True):
    """Whom to dial."""

    type: Literal["phone", "sip", "user", "teams"]
    number: str = ""
    sip_uri: str = ""
    name: str = ""
    trunk: str = ""
    method: Any = None
    tenant: Any = None
    confirm_hook: HookSpec | None = None
    headers: Any = None
    from_: Any = msgspec.field(default=None, name="from")
    auth: Any = None
    vmail: Any = None
    override_to: Any = None
    proxy: Any = None


class Verb(_Written, frozen=True, kw_only=True, tag_field="verb"):
    """What all verbs have."""

    id: str = ""


class Answer(Verb, frozen=True, kw_only=True, tag="answer"):
    """Answer the call."""


class Say(Verb, frozen=True, kw_only=True, tag="say"):
    """Read a text."""

    text: str | tuple[str, ...] = ""
    loop: float | str = 1
    synthesizer: Synthesizer | None = None
    early_media: bool | None = None
    instructions: Any = None
    stream: Any = None
    disable_tts_cache: Any = None
    close_stream_on_empty: Any = None


class Sound(Verb, frozen=True, kw_only=True, tag="play"):
    """Play files, where none may stand: in a question."""

    url: str | tuple[str, ...] = ""
    loop: float | str = 1
    early_media: bool | None = None
    seek_offset: float | str = 0
    timeout_secs: float | str | None = None
    action_hook: HookSpec | None = None


class Play(Sound, frozen=True, kw_only=True, tag="play"):
    """Play files."""

    url: str | tuple[str, ...]


class Gather(Verb, frozen=True, kw_only=True, tag="gather"):
    """Ask for keys or speech."""

    action_hook: HookSpec | None = None
    input: Annotated[tuple[Literal["speech", "digits"], ...], Meta(min_length=1)] = ("digits",)
    finish_on_key: Annotated[str, Meta(pattern=r"^[0-9*#A-D]*$")] = ""
    num_digits: Count | None = None
    min_digits: Count | None = None
    max_digits: Count | None = None
    inter_digit_timeout: Seconds | None = None
    speech_timeout: Seconds | None = None
    timeout: Seconds | None = None
    listen_during_prompt: bool = True
    dtmf_bargein: bool | None = None
    bargein: bool = False
    recognizer: Recognizer | None = None
    say: Say | None = None
    play: Sound | None = None
    action_hook_delay_action: DelaySpec | None = None
    partial_result_hook: Any = None
    min_bargein_word_count: Any = None
    filler_noise: Any = None


class Dial(Verb, frozen=True, kw_only=True, tag="dial"):
    """Connect the caller with somebody."""

    target: Annotated[tuple[Target, ...], Meta(min_length=1, max_length=20)]
    action_hook: HookSpec | None = None
    answer_on_bridge: bool = False
    caller_id: str = ""
    dial_music: str = ""
    time_limit: Seconds | None = None
    timeout: Seconds | None = None
    tag: Data = {}
    confirm_hook: HookSpec | None = None
    on_hold_hook: Any = None
    refer_hook: Any = None
    dtmf_capture: tuple[str, ...] | Captured | None = None
    dtmf_hook: HookSpec | None = None
    headers: Any = None
    proxy: Any = None
    listen: Any = None
    stream: Any = None
    transcribe: Any = None
    amd: Any = None
    dub: Any = None
    caller_name: Any = None
    anchor_media: Any = None
    codecs: Any = None
    exit_media_path: Any = None
    boost_audio_signal: Any = None
    forward_pai: Any = msgspec.field(default=None, name="forwardPAI")
    srtp_encryption: Any = None


class Enqueue(Verb, frozen=True, kw_only=True, tag="enqueue"):
    """Let the caller wait in a queue."""

    name: Annotated[str, Meta(min_length=1)]
    action_hook: HookSpec | None = None
    wait_hook: HookSpec | None = None
    priority: int | None = None


class Dequeue(Verb, frozen=True, kw_only=True, tag="dequeue"):
    """Speak with whoever waits in a queue."""

    name: Annotated[str, Meta(min_length=1)]
    action_hook: HookSpec | None = None
    timeout: Seconds | None = None
    beep: Any = None
    call_sid: str = ""


class Leave(Verb, frozen=True, kw_only=True, tag="leave"):
    """Leave a queue or a conference."""


class Hangup(Verb, frozen=True, kw_only=True, tag="hangup"):
    """End the call."""

    headers: Any = None


class Pause(Verb, frozen=True, kw_only=True, tag="pause"):
    """Let time pass."""

    length: Seconds


class Redirect(Verb, frozen=True, kw_only=True, tag="redirect"):
    """Ask another hook."""

    action_hook: HookSpec
    status_hook: Any = None


class Listen(Verb, frozen=True, kw_only=True, tag="listen"):
    """Let a program hear the caller and speak with it."""

    url: Annotated[str, Meta(min_length=1)]
    action_hook: HookSpec | None = None
    ws_auth: Auth | None = None
    metadata: Data = {}
    sample_rate: Annotated[int, Meta(ge=8000, le=48_000)] | None = None
    finish_on_key: Any = None
    max_length: Seconds | None = None
    pass_dtmf: Any = None
    play_beep: Any = None
    disable_bidirectional_audio: bool = False
    bidirectional_audio: Data | None = None
    mix_type: Literal["mono", "stereo", "mixed"] = "mono"
    early_media: Any = None
    timeout: Any = None
    transcribe: Any = None
    channel: Any = None


class Stream(Listen, frozen=True, kw_only=True, tag="stream"):
    """The other name of `Listen`."""


class Tag(Verb, frozen=True, kw_only=True, tag="tag"):
    """Put something into the call's record."""

    data: Data


class Config(Verb, frozen=True, kw_only=True, tag="config"):
    """Set what the verbs after it have."""

    synthesizer: Synthesizer | None = None
    recognizer: Recognizer | None = None
    barge_in: BargeInSpec | None = None
    action_hook_delay_action: DelaySpec | None = None
    early_media: bool | None = None
    notify_events: bool | None = None
    reset: str | tuple[str, ...] = ()
    tts_stream: Any = None
    record: Data | None = None
    listen: Any = None
    stream: Any = None
    transcribe: Any = None
    amd: Any = None
    sip_request_within_dialog_hook: Any = None
    refer_hook: Any = None
    filler_noise: Any = None
    vad: Any = None
    notify_stt_latency: Any = None
    on_hold_music: Any = None
    boost_audio_signal: Any = None
    auto_stream_tts: Any = None
    disable_tts_cache: Any = None
    track_tts_playout: Any = None
    noise_isolation: Any = None
    turn_taking: Any = None


class Conference(Verb, frozen=True, kw_only=True, tag="conference"):
    """Let the caller into a conference."""

    name: Annotated[str, Meta(min_length=1)]
    join_muted: bool = False
    action_hook: HookSpec | None = None
    start_conference_on_enter: bool = True
    end_conference_on_exit: bool = False
    end_conference_duration: Seconds | None = None
    max_participants: Annotated[int, Meta(ge=1)] | None = None
    wait_hook: HookSpec | None = None
    enter_hook: HookSpec | None = None
    status_hook: HookSpec | None = None
    status_events: tuple[str, ...] = ()
    speak_only_to: Any = None
    record: Any = None
    listen: Any = None
    stream: Any = None
    distribute_dtmf: Any = None
    beep: Any = None
    member_tag: Any = None


class Room(Conference, frozen=True, kw_only=True, tag="room"):
    """The other name of `Conference`."""


class Decline(Verb, frozen=True, kw_only=True, tag="sip:decline"):
    """Refuse the call."""

    status: Annotated[int, Meta(ge=400, le=699)]
    reason: str = ""
    headers: Any = None


class Refer(Verb, frozen=True, kw_only=True, tag="sip:refer"):
    """Send the caller elsewhere."""

    refer_to: Annotated[str, Meta(min_length=1)]
    action_hook: HookSpec | None = None
    referred_by: Any = None
    referred_by_display_name: Any = None
    event_hook: Any = None
    headers: Any = None


class Dtmf(Verb, frozen=True, kw_only=True, tag="dtmf"):
    """Send the caller keys."""

    dtmf: Annotated[str, Meta(pattern=r"^[0-9*#A-Dw]{1,64}$")]
    duration: Any = None


VERBS: dict[str, type[Verb]] = {
    str(kind.__struct_config__.tag): kind
    for kind in (
        Answer, Say, Play, Gather, Dial, Enqueue, Dequeue, Leave, Hangup, Pause, Redirect, Listen, Stream,
        Tag, Config, Conference, Room, Decline, Refer, Dtmf,
    )
}  # fmt: skip
"""All that are served, by their names."""

_LISTEN = "use the verb listen"
_OWN_EARS = "use the verb listen, with a recogniser of yours"
_TRUNK = "leave it out, and set it in [[trunks]]"
_REFER = "leave it out: transfers that phones ask for are carried out"
_IN_ROOMS = {
    "speakOnlyTo": "leave it out; supervisors whisper over HTTP",
    "record": "leave it out; calls are recorded as the settings say",
    "listen": _LISTEN,
    "stream": _LISTEN,
    "distributeDtmf": "leave it out; keys are heard as tones",
}
_IN_LISTEN = {"transcribe": _OWN_EARS, "finishOnKey": "end it by the program, or by maxLength"}

REFUSED: dict[str, dict[str, str]] = {
    "gather": {"partialResultHook": f"leave it out, or {_OWN_EARS}"},
    "dial": {
        "onHoldHook": "leave it out: who is on hold hears the music of the settings",
        "referHook": _REFER,
        "headers": _TRUNK,
        "proxy": _TRUNK,
        "listen": _LISTEN,
        "stream": _LISTEN,
        "transcribe": _OWN_EARS,
        "amd": "leave it out; confirmHook makes sure that a person has answered",
        "dub": "leave it out; say it before the dial",
    },
    "target": {
        "headers": _TRUNK,
        "from": "use callerId of dial",
        "auth": _TRUNK,
        "overrideTo": "use number",
        "proxy": _TRUNK,
    },
    "listen": _IN_LISTEN,
    "stream": _IN_LISTEN,
    "config": {
        "ttsStream": "use say, or the verb listen for speech of yours",
        "listen": _LISTEN,
        "stream": _LISTEN,
        "transcribe": _OWN_EARS,
        "amd": "leave it out; confirmHook of dial makes sure that a person has answered",
        "sipRequestWithinDialogHook": "leave it out; requests are passed on to the other party",
        "referHook": _REFER,
    },
    "redirect": {"statusHook": "set status_url of the application"},
    "sip:refer": {
        "referredBy": "leave it out",
        "referredByDisplayName": "leave it out",
        "eventHook": "use actionHook, which is told the end",
        "headers": "leave it out",
    },
    "conference": _IN_ROOMS,
    "room": _IN_ROOMS,
}
"""Properties that jambonz has and we have not, by verb, each with what to do: callers would be treated
otherwise than is meant."""
