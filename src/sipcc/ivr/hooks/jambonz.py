"""jambonz's JSON, as a core: an array of verbs becomes a program, and reports become payloads of hooks."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from typing import Any, get_args

import msgspec

from sipcc.call.digits import KEYS, CollectSettings, LengthMatcher
from sipcc.ivr import steps
from sipcc.ivr.hooks import model, verbs
from sipcc.ivr.hooks.model import MAX_VERBS, BadAnswer, Defaults, Program
from sipcc.ivr.hooks.parts import hook_of, listen_of, seconds_of, tape_of, texts, times_of, voice_of
from sipcc.ivr.hooks.signing import basic
from sipcc.ivr.hooks.sounds import bargein_of, sound, speech

NEVER = 3600.0
"""Seconds that stand for a time that never runs out."""
TIMEOUT = 15.0
"""Seconds that jambonz waits for an answer unless the verb says otherwise; 0 waits for ever."""
DIAL_TIMEOUT = 60.0
LAST = 100
"""From here on the priority of a caller in jambonz's words makes no difference."""

_AT = re.compile(r"(.*) - at `([^`]*)`", re.DOTALL)
_UNKNOWN_FIELD = re.compile(r"Object contains unknown field `(.*)`", re.DOTALL)
_MISSING_FIELD = re.compile(r"Object missing required field `(.*)`", re.DOTALL)

Choose = Callable[[int], int]
"""Which one of so many, from 0."""


def read(body: bytes, choose: Choose = lambda count: 0) -> Program:
    """The program that an application has answered with; an empty body is an empty one.

    Raises:
        BadAnswer: it is none.
    """
    if not body.strip():
        return ()
    try:
        data = msgspec.json.decode(body)
    except (msgspec.MsgspecError, UnicodeError, RecursionError) as error:
        raise BadAnswer("$", f"it is no JSON: {error}") from None
    return program(data, choose)


def program(data: object, choose: Choose = lambda count: 0, at: str = "$") -> Program:
    """The program of an array of verbs, or of one verb."""
    if isinstance(data, dict) and data:
        data = [data]
    if data is None or data == {}:
        return ()
    if not isinstance(data, list):
        raise BadAnswer(at, f"an array of verbs is needed, not {_kind(data)}")
    if len(data) > MAX_VERBS:
        raise BadAnswer(at, f"{len(data)} verbs are too many; {MAX_VERBS} may be in one answer")
    try:
        return tuple(_verb(entry, f"{at}[{index}]", choose) for index, entry in enumerate(data))
    except RecursionError:
        raise BadAnswer(at[:80], "it is nested too deep") from None


def _verb(entry: object, at: str, choose: Choose) -> model.Verb:
    """One verb, written ``{"verb": "say", ...}`` or ``{"say": {...}}``."""
    if not isinstance(entry, dict):
        raise BadAnswer(at, f"a verb is an object, not {_kind(entry)}")
    inner = at
    if "verb" not in entry and len(entry) == 1:
        (name, rest), inner = next(iter(entry.items())), f"{at}.{next(iter(entry))}"
        if not isinstance(rest, dict):
            raise BadAnswer(inner, f"an object is needed, not {_kind(rest)}")
        entry, place = {**rest, "verb": name}, inner
    else:
        name, place = entry.get("verb"), f"{at}.verb"
    if name is None:
        raise BadAnswer(place, "the name of the verb is missing")
    if not isinstance(name, str) or name not in verbs.VERBS:
        raise BadAnswer(place, f"there is no verb {name!r}; known are {', '.join(verbs.VERBS)}")
    _refuse(name, entry, inner)
    written = _convert(entry, verbs.VERBS[name], inner)
    return model.NamedVerb(_MAKERS[verbs.VERBS[name]](written, inner, choose), name, written.id)


def _refuse(name: str, entry: Mapping[str, Any], at: str) -> None:
    for refused, cure in verbs.REFUSED.get(name, {}).items():
        if entry.get(refused) not in (None, False):
            raise BadAnswer(f"{at}.{refused}", f"{refused} of {name} is not served; {cure}")
    targets = entry.get("target") if name == "dial" else None
    for index, target in enumerate(targets if isinstance(targets, list) else ()):
        if isinstance(target, dict):
            _refuse("target", target, f"{at}.target[{index}]")


def _convert(entry: Mapping[str, Any], kind: type[verbs.Verb], at: str) -> Any:
    try:
        return msgspec.convert(entry, kind)
    except msgspec.ValidationError as error:
        text, where = str(error), at
        if (placed := _AT.fullmatch(text)) is not None:
            text, where = placed[1], at + placed[2].removeprefix("$")
        if (field := _UNKNOWN_FIELD.fullmatch(text) or _MISSING_FIELD.fullmatch(text)) is not None:
            what = "is not known here" if field.re is _UNKNOWN_FIELD else "is missing"
            raise BadAnswer(f"{where}.{field[1]}", f"{field[1]} {what}") from None
        raise BadAnswer(where, text) from None


def _kind(value: object) -> str:
    kinds = {str: "a text", bool: "true or false", int: "a number", float: "a number", list: "an array"}
    return kinds.get(type(value), "nothing" if value is None else "an object")


# -- what verbs have in common -----------------------------------------------------------------------------


_WHILE_WAITING = {"say", "play", "pause"}


def _delay_of(written: verbs.DelaySpec | None, at: str, choose: Choose) -> model.Delay | None:
    if written is None or not written.enabled:
        return None
    at = f"{at}.actionHookDelayAction"
    for index, entry in enumerate(written.actions):
        if isinstance(entry, dict) and not _WHILE_WAITING & {*entry, str(entry.get("verb"))}:
            raise BadAnswer(f"{at}.actions[{index}]", "only say, play and pause can fill the time")
    return model.Delay(
        after=written.no_response_timeout,
        give_up=written.no_response_give_up_timeout,
        retries=written.retries,
        actions=program(list(written.actions), choose, f"{at}.actions"),
        give_up_actions=program(list(written.give_up_actions), choose, f"{at}.giveUpActions"),
    )


def _said(written: verbs.Say, at: str, choose: Choose) -> Callable[[Defaults], tuple[steps.Spoken, ...]]:
    texts = (written.text,) if isinstance(written.text, str) else written.text
    if not texts:
        raise BadAnswer(f"{at}.text", "there is no text")
    text = texts[choose(len(texts))]
    place = f"{at}.text"
    speech(text, "", "", place)  # SSML that cannot be read is found now, not when its turn has come
    return lambda defaults: speech(text, *voice_of(written.synthesizer, defaults), place)


def _sounds(written: verbs.Sound, at: str) -> tuple[steps.Spoken, ...]:
    if isinstance(written.url, str):
        places = [(written.url, f"{at}.url")]
    else:
        places = [(url, f"{at}.url[{index}]") for index, url in enumerate(written.url)]
    offset = seconds_of(written.seek_offset, f"{at}.seekOffset") or 0.0
    return tuple(
        sound(url, place, offset=offset if index == 0 else 0.0) for index, (url, place) in enumerate(places)
    )


# -- the verbs, one by one ---------------------------------------------------------------------------------


def _say(written: verbs.Say, at: str, choose: Choose) -> model.Verb:
    times, said = times_of(written.loop, at), _said(written, at, choose)

    def say(defaults: Defaults) -> model.Say:
        early = defaults.early if written.early_media is None else written.early_media
        return model.Say(prompts=steps.prompts(said(defaults)), times=times, early=early)

    return say


def _play(written: verbs.Play, at: str, choose: Choose) -> model.Verb:
    times, limit = times_of(written.loop, at), seconds_of(written.timeout_secs, f"{at}.timeoutSecs")
    prompts, hook = steps.prompts(_sounds(written, at)), hook_of(written.action_hook)

    def play(defaults: Defaults) -> model.Say:
        early = defaults.early if written.early_media is None else written.early_media
        return model.Say(prompts=prompts, times=times, early=early, limit=limit, hook=hook)

    return play


def _gather(written: verbs.Gather, at: str, choose: Choose) -> model.Verb:
    keys = _keys_of(written, at)
    said = _said(written.say, f"{at}.say", choose) if written.say is not None else None
    sounds = _sounds(written.play, f"{at}.play") if written.play is not None else ()
    asked = written.say or written.play
    times = times_of(asked.loop, f"{at}.{'say' if written.say else 'play'}") if asked is not None else 1
    delay = _delay_of(written.action_hook_delay_action, at, choose)
    hook = hook_of(written.action_hook)
    timeout = TIMEOUT if written.timeout is None else written.timeout or NEVER
    between = written.inter_digit_timeout or timeout
    collect = CollectSettings(timeout=timeout, interdigit=between, terminators=written.finish_on_key)
    by_keys = "digits" in written.input
    during = written.listen_during_prompt
    bargein = bargein_of(during and by_keys and written.dtmf_bargein is not False, during and written.bargein)

    def gather(defaults: Defaults) -> model.Ask:
        listen = None
        if "speech" in written.input:
            listen = listen_of(written.recognizer, defaults.listen)
            if written.speech_timeout:
                listen = msgspec.structs.replace(listen, complete_timeout=written.speech_timeout)
        items = (said(defaults) if said else ()) + sounds
        # a prompt that is said for ever ends with the answer; a hundred times are for ever
        prompts = steps.prompts(items, bargein=bargein) * (times or 100)
        step = steps.Gather(prompts=prompts, keys=keys, collect=collect, listen=listen, label=written.id)
        return model.Ask(step=step, hook=hook, silence_too=True, delay=delay or defaults.delay)

    return gather


def _keys_of(written: verbs.Gather, at: str) -> LengthMatcher | None:
    if "digits" not in written.input:
        return None
    allowed = "".join(sorted(KEYS - frozenset(written.finish_on_key)))
    most = written.num_digits or written.max_digits or 64
    least = written.num_digits or written.min_digits or 1
    if least > most:
        raise BadAnswer(f"{at}.minDigits", f"{least} is more than maxDigits, {most}")
    return LengthMatcher(least, most, allowed)


def _dial(written: verbs.Dial, at: str, choose: Choose) -> model.Verb:
    targets = tuple(_target(target, f"{at}.target[{index}]") for index, target in enumerate(written.target))
    music = (sound(written.dial_music, f"{at}.dialMusic"),) if written.dial_music else ()
    step = steps.Transfer(
        targets=targets,
        timeout=written.timeout or DIAL_TIMEOUT,
        max_time=written.time_limit or None,
        waiting=steps.prompts(music),
        caller=written.caller_id,
    )
    dial = model.Dial(
        step=step,
        hook=hook_of(written.action_hook),
        answer_first=not written.answer_on_bridge,
        tags=texts(written.tag),
        capture=_capture_of(written, at),
        confirm={
            target: hook
            for target, one in zip(targets, written.target, strict=True)
            if (hook := hook_of(one.confirm_hook or written.confirm_hook)) is not None
        },
    )
    return lambda defaults: dial


def _capture_of(written: verbs.Dial, at: str) -> model.Capture | None:
    """Keys in the conversation of which the application is told."""
    hook, keys = hook_of(written.dtmf_hook), written.dtmf_capture
    if hook is None or keys is None:
        if keys:
            raise BadAnswer(f"{at}.dtmfHook", "dtmfCapture needs dtmfHook, which is told")
        return None
    sides = (
        {"": keys}
        if isinstance(keys, tuple)
        else {".parentCall": keys.parent_call, ".childCall": keys.child_call}
    )
    for side, options in sides.items():
        for index, option in enumerate(options):
            if not option or len(option) > 16 or not KEYS.issuperset(option):
                where = f"{at}.dtmfCapture{side}[{index}]"
                raise BadAnswer(where, f"{option!r} is not made of keys of a telephone")
    both = keys if isinstance(keys, tuple) else ()
    return model.Capture(hook, sides.get(".parentCall", both), sides.get(".childCall", both))


def _target(target: verbs.Target, at: str) -> str:
    kind, key = {
        "phone": (target.number, "number"),
        "sip": (target.sip_uri, "sipUri"),
        "user": (target.name.partition("@")[0], "name"),
    }.get(target.type, ("", ""))
    if not key:
        raise BadAnswer(f"{at}.type", f"{target.type} is not served")
    if not kind:
        raise BadAnswer(f"{at}.{key}", f"a target of the type {target.type} needs {key}")
    if target.type == "sip" and not kind.startswith(("sip:", "sips:")):
        kind = f"sip:{kind}"
    return f"{target.trunk}/{kind}" if target.trunk and target.type == "phone" else kind


def _enqueue(written: verbs.Enqueue, at: str, choose: Choose) -> model.Verb:
    # with jambonz the lowest goes first and who has none goes last; with us it is the highest
    priority = None if written.priority is None else max(0, LAST - written.priority)
    step = steps.Enqueue(queue=written.name, priority=priority)
    hook, wait_hook = hook_of(written.action_hook), hook_of(written.wait_hook)
    queued = model.Enqueue(step=step, at=f"{at}.name", hook=hook, wait_hook=wait_hook)
    return lambda defaults: queued


def _dequeue(written: verbs.Dequeue, at: str, choose: Choose) -> model.Verb:
    take = model.Take(
        queue=written.name,
        at=f"{at}.name",
        timeout=written.timeout or None,
        call=written.call_sid,
        hook=hook_of(written.action_hook),
    )
    return lambda defaults: take


def _listen(written: verbs.Listen, at: str, choose: Choose) -> model.Verb:
    both = not written.disable_bidirectional_audio
    if written.bidirectional_audio is not None and written.bidirectional_audio.get("enabled") is False:
        both = False
    auth = written.ws_auth
    step = steps.Stream(
        url=written.url,
        wire="jambonz",
        both_ways=both,
        parameters=texts(written.metadata),
        name=written.id,
        headers={"Authorization": basic(auth.username, auth.password)} if auth else {},
        rate_hz=written.sample_rate or 8000,
        mix=written.mix_type,
        max_time=written.max_length or None,
    )
    stream = model.Stream(step=step, hook=hook_of(written.action_hook))
    return lambda defaults: stream


_ROOM_EVENTS: frozenset[str] = frozenset(get_args(model.RoomEvent))


def _conference(written: verbs.Conference, at: str, choose: Choose) -> model.Verb:
    for index, event in enumerate(written.status_events):
        if event not in _ROOM_EVENTS:
            known = ", ".join(sorted(_ROOM_EVENTS))
            raise BadAnswer(f"{at}.statusEvents[{index}]", f"{event!r} is not told of; known are {known}")
    join = model.Join(
        step=steps.Conference(name=written.name, muted=written.join_muted),
        hook=hook_of(written.action_hook),
        limit=written.end_conference_duration or None,
        starts=written.start_conference_on_enter,
        ends=written.end_conference_on_exit,
        most=written.max_participants,
        wait=hook_of(written.wait_hook),
        enter=hook_of(written.enter_hook),
        status=hook_of(written.status_hook),
        events=frozenset(written.status_events),  # type: ignore[arg-type]
    )
    return lambda defaults: join


def _redirect(written: verbs.Redirect, at: str, choose: Choose) -> model.Verb:
    hook = hook_of(written.action_hook)
    assert hook is not None
    redirect = model.Redirect(hook)
    return lambda defaults: redirect


def _config(written: verbs.Config, at: str, choose: Choose) -> model.Verb:
    resets = (written.reset,) if isinstance(written.reset, str) else written.reset
    for index, name in enumerate(resets):
        if name and name not in _RESETS:
            place = f"{at}.reset" if isinstance(written.reset, str) else f"{at}.reset[{index}]"
            raise BadAnswer(place, f"{name!r} cannot be reset; known are {', '.join(_RESETS)}")
    delay = _delay_of(written.action_hook_delay_action, at, choose)
    interrupting = _interrupting_of(written.barge_in)

    def change(old: Defaults) -> Defaults:
        for name in filter(None, resets):
            old = msgspec.structs.replace(old, **_RESETS[name])
        language, voice = voice_of(written.synthesizer, old)
        return msgspec.structs.replace(
            old,
            language=language,
            voice=voice,
            listen=listen_of(written.recognizer, old.listen),
            interrupting=old.interrupting if written.barge_in is None else interrupting,
            delay=old.delay if written.action_hook_delay_action is None else delay,
            early=old.early if written.early_media is None else written.early_media,
            telling=old.telling if written.notify_events is None else written.notify_events,
        )

    tape = None if written.record is None else tape_of(written.record, f"{at}.record").wanted
    configure = model.Configure(change, tape)
    return lambda defaults: configure


_FRESH = Defaults()
_RESETS: dict[str, dict[str, Any]] = {
    "synthesizer": {"language": _FRESH.language, "voice": _FRESH.voice},
    "recognizer": {"listen": _FRESH.listen},
    "bargeIn": {"interrupting": None},
    "actionHookDelayAction": {"delay": None},
}
"""What ``reset`` of `config` puts back."""


def _interrupting_of(written: verbs.BargeInSpec | None) -> model.Interrupting | None:
    if written is None or not written.enable:
        return None
    return model.Interrupting(
        keys="digits" in written.input,
        speech="speech" in written.input or not written.input,
        hook=hook_of(written.action_hook),
        sticky=written.sticky,
    )


def _plain(action: Callable[[Any], model.Action]) -> Callable[[Any, str, Choose], model.Verb]:
    """The maker of a verb in which nothing can be wrong any more."""

    def make(written: Any, at: str, choose: Choose) -> model.Verb:
        made = action(written)
        return lambda defaults: made

    return make


_MAKERS: dict[type[verbs.Verb], Callable[[Any, str, Choose], model.Verb]] = {
    verbs.Answer: _plain(lambda written: model.Answer()),
    verbs.Say: _say,
    verbs.Play: _play,
    verbs.Gather: _gather,
    verbs.Dial: _dial,
    verbs.Enqueue: _enqueue,
    verbs.Dequeue: _dequeue,
    verbs.Leave: _plain(lambda written: model.Leave()),
    verbs.Hangup: _plain(lambda written: model.Hangup()),
    verbs.Pause: _plain(lambda written: model.Pause(written.length)),
    verbs.Redirect: _redirect,
    verbs.Listen: _listen,
    verbs.Stream: _listen,
    verbs.Tag: _plain(lambda written: model.Tag(texts(written.data))),
    verbs.Config: _config,
    verbs.Conference: _conference,
    verbs.Room: _conference,
    verbs.Refer: _plain(
        lambda written: model.Refer(
            step=steps.Transfer(targets=(written.refer_to,), mode="blind"),
            hook=hook_of(written.action_hook),
        )
    ),
    verbs.Dtmf: _plain(lambda written: model.Press(written.dtmf)),
    verbs.Decline: _plain(lambda written: model.Reject(written.status)),
}
