"""TwiML as a core: a document becomes a program.

The elements and attributes are those of Twilio's documentation. What is known and has no effect with us is
read and left alone; what is not known at all, or would treat the caller otherwise than the application means,
is refused with line and column.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import get_args

from sipcc.call.digits import KEYS, CollectSettings, LengthMatcher, OptionsMatcher
from sipcc.ivr import steps
from sipcc.ivr.hooks import model
from sipcc.ivr.hooks.attributes import (
    attributes_of,
    elements_of,
    flag_of,
    hook_of,
    idle_of,
    keys_of,
    number_of,
)
from sipcc.ivr.hooks.model import MAX_VERBS, Action, Hook, Program
from sipcc.ivr.hooks.sounds import bargein_of, marked, sound
from sipcc.ivr.hooks.xmltree import Element, parse, wrong
from sipcc.ivr.steps import Prompt, Spoken

TIMEOUT = 5.0
DIAL_TIMEOUT = 30.0
TIME_LIMIT = 14_400.0
"""The longest conversation unless the document says otherwise: four hours, as with Twilio."""
RECORD_MAX = 3600.0


def read(body: bytes) -> Program:
    """The program of a document; an empty body is an empty one.

    Raises:
        BadAnswer: it is none.
    """
    if not body.strip():
        return ()
    root = parse(body)
    if root.tag != "Response":
        raise wrong(root, f"the document begins with {root.tag}, not with Response")
    attributes_of(root)
    actions: list[Action] = []
    if idle := idle_of(root):
        actions.append(model.Remark(f"without effect: {', '.join(dict.fromkeys(idle))}"))
    for element in elements_of(root):
        actions += _action(element)
    if len(actions) > MAX_VERBS:
        raise wrong(root, f"{len(actions)} verbs are too many; {MAX_VERBS} may be in one document")
    return tuple(_constant(action) for action in actions)


def _constant(action: Action) -> model.Verb:
    return lambda defaults: action


def _action(element: Element) -> list[Action]:
    maker = _MAKERS.get(element.tag)
    if maker is None:
        raise wrong(element, f"there is no verb {element.tag!r}; known are {', '.join(_MAKERS)}")
    return maker(element)


# -- what is said ------------------------------------------------------------------------------------------


def _say(element: Element) -> list[Action]:
    times = int(number_of(element, "loop", 1, most=1000))
    return [model.Say(prompts=steps.prompts(_said(element)), times=times)]


def _said(element: Element) -> tuple[Spoken, ...]:
    attributes = attributes_of(element, "voice language loop")
    return marked(element, attributes.get("language", ""), attributes.get("voice", ""))


def _play(element: Element) -> list[Action]:
    keys = element.attributes.get("digits", "")
    if keys and not element.text.strip():
        attributes_of(element, "loop digits")
        if not _PRESSED.fullmatch(keys):
            raise wrong(element, f"digits={keys!r} is not made of keys of a telephone, w and W")
        return [model.Press(keys)] * (int(number_of(element, "loop", 1, most=100)) or 100)
    times = int(number_of(element, "loop", 1, most=1000))
    return [model.Say(prompts=steps.prompts(_played(element)), times=times)]


_PRESSED = re.compile(r"[0-9*#A-DwW]{1,64}")


def _played(element: Element) -> tuple[Spoken, ...]:
    attributes = attributes_of(element, "loop digits")
    elements_of(element, texts=True)
    if not element.text.strip() and "digits" in attributes:
        return ()
    return (sound(element.text.strip(), element.at),)


def _pause(element: Element) -> list[Action]:
    attributes_of(element, "length")
    return [model.Pause(number_of(element, "length", 1.0))]


# -- what is asked -----------------------------------------------------------------------------------------


def _gather(element: Element) -> list[Action]:
    attributes = attributes_of(
        element,
        "input action method timeout speechTimeout maxSpeechTime finishOnKey numDigits language hints bargeIn"
        " actionOnEmptyResult",
    )
    inputs = attributes.get("input", "dtmf").split()
    if not inputs or not {"dtmf", "speech"}.issuperset(inputs):
        raise wrong(element, f"input={attributes['input']!r} is not made of dtmf and speech")
    timeout = number_of(element, "timeout", TIMEOUT)
    finish = keys_of(element, "finishOnKey", "#")
    most = int(number_of(element, "numDigits", 64, most=64)) or 64
    barge = flag_of(element, "bargeIn", True)
    keys = LengthMatcher(1, most, "".join(sorted(KEYS - frozenset(finish)))) if "dtmf" in inputs else None
    listen = None
    if "speech" in inputs:
        silence = number_of(element, "speechTimeout", timeout if "speechTimeout" not in attributes else 0.6)
        listen = steps.Listen(
            language=attributes.get("language", ""),
            hints=tuple(hint.strip() for hint in attributes.get("hints", "").split(",") if hint.strip()),
            complete_timeout=silence,
            incomplete_timeout=max(silence, 1.0),
            max_time=number_of(element, "maxSpeechTime", 60.0),
        )
    step = steps.Gather(
        prompts=_asked(element, bargein_of(barge and "dtmf" in inputs, barge and "speech" in inputs)),
        keys=keys,
        collect=CollectSettings(timeout=timeout, interdigit=timeout, terminators=finish),
        listen=listen,
        label=attributes.get("id", ""),
    )
    empty = flag_of(element, "actionOnEmptyResult", False)
    return [model.Ask(step=step, hook=hook_of(element, again=True), silence_too=empty)]


def _asked(element: Element, bargein: steps.BargeIn) -> tuple[Prompt, ...]:
    """What is said in a question."""
    items: list[Spoken] = []
    for child in elements_of(element):
        if child.tag == "Say":
            items += _said(child) * (int(number_of(child, "loop", 1, most=1000)) or 100)
        elif child.tag == "Play":
            items += _played(child) * (int(number_of(child, "loop", 1, most=1000)) or 100)
        elif child.tag == "Pause":
            attributes_of(child, "length")
            items.append(steps.Silence(number_of(child, "length", 1.0)))
        else:
            raise wrong(child, f"{child.tag} cannot stand in Gather; Say, Play and Pause can")
    return steps.prompts(items, bargein=bargein)


def _record(element: Element) -> list[Action]:
    attributes_of(
        element,
        "action method timeout finishOnKey maxLength playBeep recordingStatusCallback"
        " recordingStatusCallbackMethod",
    )
    elements_of(element)
    silence = number_of(element, "timeout", TIMEOUT)
    step = steps.Record(
        beep=flag_of(element, "playBeep", True),
        max_time=number_of(element, "maxLength", RECORD_MAX) or RECORD_MAX,
        final_silence=silence or None,
        timeout=silence or None,
        terminators=keys_of(element, "finishOnKey", "1234567890*#"),
    )
    status = hook_of(element, "recordingStatusCallback", "recordingStatusCallbackMethod")
    return [model.Record(step=step, hook=hook_of(element, again=True), status=status)]


# -- where the caller goes ---------------------------------------------------------------------------------


def _dial(element: Element) -> list[Action]:
    attributes = attributes_of(
        element,
        "action method timeout timeLimit callerId record answerOnBridge hangupOnStar",
    )
    hook, children = hook_of(element), elements_of(element, texts=True)
    rooms = [child for child in children if child.tag in ("Conference", "Queue")]
    if rooms:
        if len(children) > 1 or element.text.strip():
            raise wrong(rooms[0], f"{rooms[0].tag} stands alone in Dial")
        idle = [f"Dial.{name}" for name in _NOT_IN_ROOMS if name in element.attributes]
        remarks: list[Action] = [model.Remark(f"without effect: {', '.join(idle)}")] if idle else []
        return [*remarks, _conference(rooms[0], hook, element)]
    targets = [_target(child) for child in children]
    whispers = [hook_of(child, "url") for child in children]
    confirm = {target: hook for target, hook in zip(targets, whispers, strict=True) if hook is not None}
    told = [_watch(child) for child in children]
    watches = {target: watch for target, watch in zip(targets, told, strict=True) if watch is not None}
    if element.text.strip():
        targets.insert(0, element.text.strip())
    if not targets:
        raise wrong(element, "Dial has nobody to call")
    step = steps.Transfer(
        targets=tuple(targets),
        timeout=number_of(element, "timeout", DIAL_TIMEOUT) or DIAL_TIMEOUT,
        max_time=number_of(element, "timeLimit", TIME_LIMIT) or TIME_LIMIT,
        keys=OptionsMatcher({"*"}) if flag_of(element, "hangupOnStar", False) else None,
        record=_recorded(element),
        caller=attributes.get("callerId", ""),
    )
    first = not flag_of(element, "answerOnBridge", False)
    return [model.Dial(step=step, hook=hook, answer_first=first, confirm=confirm, watches=watches)]


_NOT_IN_ROOMS = ("hangupOnStar", "callerId", "record", "answerOnBridge")
"""What a Dial does with a call and not with a Conference or Queue."""
_RECORDED = {"true", "record-from-answer", "record-from-answer-dual"}
_RECORDED_RINGING = {"record-from-ringing", "record-from-ringing-dual"}


def _recorded(element: Element) -> bool:
    wanted = element.attributes.get("record", "do-not-record")
    if wanted in ("false", "do-not-record"):
        return False
    if wanted not in _RECORDED | _RECORDED_RINGING:
        raise wrong(element, f"record={wanted!r} is not known")
    return True


def _watch(element: Element) -> model.Watch | None:
    """Who is told how the call to a Number, Sip or Client goes on; of its end, unless more is asked for."""
    hook = hook_of(element, "statusCallback", "statusCallbackMethod")
    if hook is None:
        return None
    words = element.attributes.get("statusCallbackEvent", "completed").split()
    known = frozenset[model.CallEvent](get_args(model.CallEvent))
    for word in words:
        if word not in known:
            raise wrong(element, f"statusCallbackEvent={word!r} is not one of {', '.join(sorted(known))}")
    return model.Watch(hook, known & set(words))


def _target(element: Element) -> str:
    if element.tag not in ("Number", "Sip", "Client"):
        raise wrong(
            element, f"{element.tag} cannot be dialled; Number, Sip, Client, Queue and Conference can"
        )
    attributes_of(element, "url method statusCallback statusCallbackMethod statusCallbackEvent")
    target = element.text.strip()
    for child in element.elements():
        # a SIP address or an identity may stand in an element of its own, with what goes along
        if child.tag not in ("Identity", "Uri", "Headers", "Parameter"):
            raise wrong(child, f"{child.tag} cannot stand in {element.tag}")
        if child.tag in ("Identity", "Uri") and not target:
            target = child.text.strip()
    if not target:
        raise wrong(element, f"{element.tag} is empty")
    if element.tag == "Sip" and not target.startswith(("sip:", "sips:")):
        target = f"sip:{target}"
    return target


def _conference(element: Element, hook: Hook | None, dial: Element) -> Action:
    if element.tag == "Queue":
        attributes_of(element, "url method")
        if not element.text.strip():
            raise wrong(element, "the queue has no name")
        whisper = hook_of(element, "url")
        timeout = number_of(dial, "timeout", 0) or None
        return model.Take(
            queue=element.text.strip(), at=element.at, timeout=timeout, whisper=whisper, hook=hook
        )
    attributes_of(
        element,
        "muted startConferenceOnEnter endConferenceOnExit maxParticipants waitUrl waitMethod statusCallback"
        " statusCallbackMethod statusCallbackEvent",
    )
    if not element.text.strip():
        raise wrong(element, "the conference has no name")
    wait = hook_of(element, "waitUrl", "waitMethod")
    return model.Join(
        step=steps.Conference(name=element.text.strip(), muted=flag_of(element, "muted", False)),
        hook=hook,
        limit=number_of(dial, "timeLimit", TIME_LIMIT) or TIME_LIMIT,
        starts=flag_of(element, "startConferenceOnEnter", True),
        ends=flag_of(element, "endConferenceOnExit", False),
        least=2 if wait is not None else 1,  # who is alone hears nothing else, in it or before it
        most=int(number_of(element, "maxParticipants", 250, most=250)) or 250,
        wait=wait,
        status=hook_of(element, "statusCallback", "statusCallbackMethod"),
        events=_ROOM_EVENTS & set(element.attributes.get("statusCallbackEvent", "").split()),
    )


_ROOM_EVENTS: frozenset[model.RoomEvent] = frozenset(get_args(model.RoomEvent))


def _enqueue(element: Element) -> list[Action]:
    attributes_of(element, "action method waitUrl waitUrlMethod")
    if elements_of(element, texts=True):
        raise wrong(element, "tasks and workflows are not served; name a queue")
    if not element.text.strip():
        raise wrong(element, "the queue has no name")
    wait = hook_of(element, "waitUrl", "waitUrlMethod")
    step = steps.Enqueue(queue=element.text.strip())
    return [model.Enqueue(step=step, at=element.at, hook=hook_of(element), wait_hook=wait)]


def _leave(element: Element) -> list[Action]:
    attributes_of(element)
    return [model.Leave()]


def _redirect(element: Element) -> list[Action]:
    attributes_of(element, "method")
    elements_of(element, texts=True)
    if not element.text.strip():
        return [model.Redirect(Hook("", again=True))]
    way = element.attributes.get("method", "POST").upper()
    if way not in ("GET", "POST"):
        raise wrong(element, f"method={way!r} is neither GET nor POST")
    return [model.Redirect(Hook(element.text.strip(), "GET" if way == "GET" else "POST"))]


def _refer(element: Element) -> list[Action]:
    attributes_of(element, "action method")
    children = elements_of(element)
    if len(children) != 1 or children[0].tag != "Sip":
        raise wrong(children[0] if children else element, "Refer needs one Sip")
    step = steps.Transfer(targets=(_target(children[0]),), mode="blind")
    return [model.Refer(step=step, hook=hook_of(element))]


def _hangup(element: Element) -> list[Action]:
    attributes_of(element)
    _parameters(element)
    return [model.Hangup()]


def _reject(element: Element) -> list[Action]:
    reason = attributes_of(element, "reason").get("reason", "rejected")
    if reason not in ("rejected", "busy"):
        raise wrong(element, f"reason={reason!r} is neither rejected nor busy")
    _parameters(element)
    return [model.Reject(486 if reason == "busy" else 603)]


def _connect(element: Element) -> list[Action]:
    attributes_of(element, "action method")
    children = elements_of(element)
    if len(children) != 1 or children[0].tag != "Stream":
        raise wrong(children[0] if children else element, "Connect needs one Stream")
    stream = children[0]
    attributes_of(stream, "url")
    url = stream.attributes.get("url", "").strip()
    if not url:
        raise wrong(stream, "Stream needs url")
    step = steps.Stream(url=url, wire="twilio", parameters=_parameters(stream))
    return [model.Stream(step=step, hook=hook_of(element))]


def _parameters(element: Element) -> dict[str, str]:
    """What stands in Parameter elements."""
    found: dict[str, str] = {}
    for child in elements_of(element):
        if child.tag != "Parameter":
            raise wrong(child, f"{child.tag} cannot stand in {element.tag}; Parameter can")
        attributes = attributes_of(child, "name value")
        if "name" not in attributes:
            raise wrong(child, "Parameter needs name")
        found[attributes["name"]] = attributes.get("value", "")
    return found


_MAKERS: dict[str, Callable[[Element], list[Action]]] = {
    "Say": _say,
    "Play": _play,
    "Gather": _gather,
    "Dial": _dial,
    "Enqueue": _enqueue,
    "Leave": _leave,
    "Record": _record,
    "Hangup": _hangup,
    "Redirect": _redirect,
    "Pause": _pause,
    "Reject": _reject,
    "Connect": _connect,
    "Refer": _refer,
}
