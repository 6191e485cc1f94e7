"""TwiML as a core: a document becomes a program.

The elements and attributes are those of Twilio's documentation. What is known and has no effect with us is
read and left alone; what is not known at all, or would treat the caller otherwise than the application means,
is refused with line and column.
"""

from __future__ import annotations

from collections.abc import Callable

from sipcc.call.digits import KEYS, CollectSettings, LengthMatcher, OptionsMatcher
from sipcc.ivr import steps
from sipcc.ivr.hooks import model
from sipcc.ivr.hooks.model import MAX_VERBS, Action, Hook, Program, bargein_of
from sipcc.ivr.hooks.sounds import marked, sound
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
    _attributes(root)
    actions: list[Action] = []
    if idle := _idle(root):
        actions.append(model.Remark(f"without effect: {', '.join(dict.fromkeys(idle))}"))
    for element in _elements(root):
        actions += _action(element)
    if len(actions) > MAX_VERBS:
        raise wrong(root, f"{len(actions)} verbs are too many; {MAX_VERBS} may be in one document")
    return tuple(_constant(action) for action in actions)


def _constant(action: Action) -> model.Verb:
    return lambda defaults: action


def _elements(element: Element, *, texts: bool = False) -> list[Element]:
    if not texts and element.text.strip():
        raise wrong(element, f"{element.tag} has a text, {element.text.strip()[:40]!r}")
    return list(element.elements())


def _action(element: Element) -> list[Action]:
    maker = _MAKERS.get(element.tag)
    if maker is None:
        raise wrong(element, f"there is no verb {element.tag!r}; known are {', '.join(_MAKERS)}")
    return maker(element)


# -- attributes --------------------------------------------------------------------------------------------


_CALLBACKS = "statusCallback statusCallbackEvent statusCallbackMethod"
_MACHINES = (
    "machineDetection machineDetectionTimeout machineDetectionSpeechThreshold"
    " machineDetectionSpeechEndThreshold machineDetectionSilenceTimeout amdStatusCallback"
    " amdStatusCallbackMethod"
)
_RECORDINGS = (
    "recordingStatusCallback recordingStatusCallbackMethod recordingStatusCallbackEvent"
    " recordingConfigurationId trim"
)

IDLE: dict[str, frozenset[str]] = {
    name: frozenset(known.split())
    for name, known in {
        "Gather": "partialResultCallback partialResultCallbackMethod profanityFilter debug speechModel"
        " enhanced",
        "Record": "trim recordingStatusCallbackEvent recordingConfigurationId transcribe transcribeCallback",
        "Dial": f"{_RECORDINGS} ringTone sequential recordingTrack referUrl referMethod events passports",
        "Number": f"{_CALLBACKS} {_MACHINES} byoc sendDigits url method",
        "Sip": f"{_CALLBACKS} {_MACHINES} username password url method",
        "Uri": "priority weight username password",
        "Headers": "name value",
        "Client": f"{_CALLBACKS} url method",
        "Conference": f"{_CALLBACKS} {_RECORDINGS} startConferenceOnEnter endConferenceOnExit beep waitUrl"
        " waitMethod maxParticipants record region coach eventCallbackUrl jitterBufferSize participantLabel",
        "Enqueue": "maxQueueSize",
        "Queue": "url method reservationSid postWorkActivitySid",
        "Stream": f"{_CALLBACKS} name connectorName track audioFormat sampleRate",
        "Play": "digits",
    }.items()
}
"""Attributes of Twilio's that are read and have no effect; the log tells of those that are used."""


def _attributes(element: Element, served: str = "") -> dict[str, str]:
    """The attributes of an element, all of them known: `served` with effect, `IDLE` without."""
    known = {*served.split(), *IDLE.get(element.tag, ()), "id"}
    for name in element.attributes:
        if name not in known and not name.startswith(("xml:", "xmlns")):
            raise wrong(element, f"{element.tag} has no attribute {name!r}")
    return element.attributes


def _idle(element: Element) -> list[str]:
    """What is written in a document without effect, as ``Dial.trim``."""
    here = [f"{element.tag}.{name}" for name in element.attributes if name in IDLE.get(element.tag, ())]
    return here + [found for child in element.elements() for found in _idle(child)]


def _number(element: Element, name: str, default: float, *, most: float = 86_400.0) -> float:
    text = element.attributes.get(name)
    if text is None or text == "auto":
        return default
    try:
        number = float(text)
    except ValueError:
        number = -1.0
    if not 0 <= number <= most:
        raise wrong(element, f"{name}={text!r} is no number from 0 to {most:.0f}")
    return number


def _flag(element: Element, name: str, default: bool) -> bool:
    text = element.attributes.get(name)
    if text is None:
        return default
    if text.lower() not in ("true", "false"):
        raise wrong(element, f"{name}={text!r} is neither true nor false")
    return text.lower() == "true"


def _keys(element: Element, name: str, default: str) -> str:
    keys = element.attributes.get(name, default)
    if not KEYS.issuperset(keys):
        raise wrong(element, f"{name}={keys!r} is not made of keys of a telephone")
    return keys


def _hook(
    element: Element, url: str = "action", method: str = "method", *, again: bool = False
) -> Hook | None:
    """The hook that an attribute names; with `again` it is the document itself without one."""
    place = element.attributes.get(url, "").strip()
    way = element.attributes.get(method, "POST").upper()
    if way not in ("GET", "POST"):
        raise wrong(element, f"{method}={way!r} is neither GET nor POST")
    if not place:
        return Hook("", again=True) if again else None
    return Hook(place, "GET" if way == "GET" else "POST")


# -- what is said ------------------------------------------------------------------------------------------


def _say(element: Element) -> list[Action]:
    times = int(_number(element, "loop", 1, most=1000))
    return [model.Say(prompts=steps.prompts(_said(element)), times=times)]


def _said(element: Element) -> tuple[Spoken, ...]:
    attributes = _attributes(element, "voice language loop")
    return marked(element, attributes.get("language", ""), attributes.get("voice", ""))


def _play(element: Element) -> list[Action]:
    times = int(_number(element, "loop", 1, most=1000))
    return [model.Say(prompts=steps.prompts(_played(element)), times=times)]


def _played(element: Element) -> tuple[Spoken, ...]:
    attributes = _attributes(element, "loop")
    _elements(element, texts=True)
    if not element.text.strip() and "digits" in attributes:
        return ()
    return (sound(element.text.strip(), element.at),)


def _pause(element: Element) -> list[Action]:
    _attributes(element, "length")
    return [model.Pause(_number(element, "length", 1.0))]


# -- what is asked -----------------------------------------------------------------------------------------


def _gather(element: Element) -> list[Action]:
    attributes = _attributes(
        element,
        "input action method timeout speechTimeout maxSpeechTime finishOnKey numDigits language hints bargeIn"
        " actionOnEmptyResult",
    )
    inputs = attributes.get("input", "dtmf").split()
    if not inputs or not {"dtmf", "speech"}.issuperset(inputs):
        raise wrong(element, f"input={attributes['input']!r} is not made of dtmf and speech")
    timeout = _number(element, "timeout", TIMEOUT)
    finish = _keys(element, "finishOnKey", "#")
    most = int(_number(element, "numDigits", 64, most=64)) or 64
    barge = _flag(element, "bargeIn", True)
    keys = LengthMatcher(1, most, "".join(sorted(KEYS - frozenset(finish)))) if "dtmf" in inputs else None
    listen = None
    if "speech" in inputs:
        silence = _number(element, "speechTimeout", timeout if "speechTimeout" not in attributes else 0.6)
        listen = steps.Listen(
            language=attributes.get("language", ""),
            hints=tuple(hint.strip() for hint in attributes.get("hints", "").split(",") if hint.strip()),
            complete_timeout=silence,
            incomplete_timeout=max(silence, 1.0),
            max_time=_number(element, "maxSpeechTime", 60.0),
        )
    step = steps.Gather(
        prompts=_asked(element, bargein_of(barge and "dtmf" in inputs, barge and "speech" in inputs)),
        keys=keys,
        collect=CollectSettings(timeout=timeout, interdigit=timeout, terminators=finish),
        listen=listen,
        label=attributes.get("id", ""),
    )
    empty = _flag(element, "actionOnEmptyResult", False)
    return [model.Ask(step=step, hook=_hook(element, again=True), silence_too=empty)]


def _asked(element: Element, bargein: steps.BargeIn) -> tuple[Prompt, ...]:
    """What is said in a question."""
    items: list[Spoken] = []
    for child in _elements(element):
        if child.tag == "Say":
            items += _said(child) * (int(_number(child, "loop", 1, most=1000)) or 100)
        elif child.tag == "Play":
            items += _played(child) * (int(_number(child, "loop", 1, most=1000)) or 100)
        elif child.tag == "Pause":
            _attributes(child, "length")
            items.append(steps.Silence(_number(child, "length", 1.0)))
        else:
            raise wrong(child, f"{child.tag} cannot stand in Gather; Say, Play and Pause can")
    return steps.prompts(items, bargein=bargein)


def _record(element: Element) -> list[Action]:
    _attributes(
        element,
        "action method timeout finishOnKey maxLength playBeep recordingStatusCallback"
        " recordingStatusCallbackMethod",
    )
    _elements(element)
    silence = _number(element, "timeout", TIMEOUT)
    step = steps.Record(
        beep=_flag(element, "playBeep", True),
        max_time=_number(element, "maxLength", RECORD_MAX) or RECORD_MAX,
        final_silence=silence or None,
        timeout=silence or None,
        terminators=_keys(element, "finishOnKey", "1234567890*#"),
    )
    status = _hook(element, "recordingStatusCallback", "recordingStatusCallbackMethod")
    return [model.Record(step=step, hook=_hook(element, again=True), status=status)]


# -- where the caller goes ---------------------------------------------------------------------------------


def _dial(element: Element) -> list[Action]:
    attributes = _attributes(
        element,
        "action method timeout timeLimit callerId record answerOnBridge hangupOnStar",
    )
    hook, children = _hook(element), _elements(element, texts=True)
    rooms = [child for child in children if child.tag in ("Conference", "Queue")]
    if rooms:
        if len(children) > 1 or element.text.strip():
            raise wrong(rooms[0], f"{rooms[0].tag} stands alone in Dial")
        return [_conference(rooms[0], hook, element)]
    targets = [_target(child) for child in children]
    if element.text.strip():
        targets.insert(0, element.text.strip())
    if not targets:
        raise wrong(element, "Dial has nobody to call")
    step = steps.Transfer(
        targets=tuple(targets),
        timeout=_number(element, "timeout", DIAL_TIMEOUT) or DIAL_TIMEOUT,
        max_time=_number(element, "timeLimit", TIME_LIMIT) or TIME_LIMIT,
        keys=OptionsMatcher({"*"}) if _flag(element, "hangupOnStar", False) else None,
        record=_recorded(element),
        caller=attributes.get("callerId", ""),
    )
    return [model.Dial(step=step, hook=hook, answer_first=not _flag(element, "answerOnBridge", False))]


_RECORDED = {"true", "record-from-answer", "record-from-answer-dual"}
_RECORDED_RINGING = {"record-from-ringing", "record-from-ringing-dual"}


def _recorded(element: Element) -> bool:
    wanted = element.attributes.get("record", "do-not-record")
    if wanted in ("false", "do-not-record"):
        return False
    if wanted not in _RECORDED | _RECORDED_RINGING:
        raise wrong(element, f"record={wanted!r} is not known")
    return True


def _target(element: Element) -> str:
    if element.tag not in ("Number", "Sip", "Client"):
        raise wrong(
            element, f"{element.tag} cannot be dialled; Number, Sip, Client, Queue and Conference can"
        )
    _attributes(element)
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
        _attributes(element)
        if not element.text.strip():
            raise wrong(element, "the queue has no name")
        return model.Take(
            queue=element.text.strip(), at=element.at, timeout=_number(dial, "timeout", 0) or None, hook=hook
        )
    _attributes(element, "muted")
    if not element.text.strip():
        raise wrong(element, "the conference has no name")
    limit = _number(dial, "timeLimit", TIME_LIMIT) or TIME_LIMIT
    step = steps.Conference(name=element.text.strip(), muted=_flag(element, "muted", False))
    return model.Join(step=step, hook=hook, limit=limit)


def _enqueue(element: Element) -> list[Action]:
    _attributes(element, "action method waitUrl waitUrlMethod")
    if _elements(element, texts=True):
        raise wrong(element, "tasks and workflows are not served; name a queue")
    if not element.text.strip():
        raise wrong(element, "the queue has no name")
    wait = _hook(element, "waitUrl", "waitUrlMethod")
    step = steps.Enqueue(queue=element.text.strip())
    return [model.Enqueue(step=step, at=element.at, hook=_hook(element), wait_hook=wait)]


def _leave(element: Element) -> list[Action]:
    _attributes(element)
    return [model.Leave()]


def _redirect(element: Element) -> list[Action]:
    _attributes(element, "method")
    _elements(element, texts=True)
    if not element.text.strip():
        return [model.Redirect(Hook("", again=True))]
    way = element.attributes.get("method", "POST").upper()
    if way not in ("GET", "POST"):
        raise wrong(element, f"method={way!r} is neither GET nor POST")
    return [model.Redirect(Hook(element.text.strip(), "GET" if way == "GET" else "POST"))]


def _hangup(element: Element) -> list[Action]:
    _attributes(element)
    _parameters(element)
    return [model.Hangup()]


def _reject(element: Element) -> list[Action]:
    reason = _attributes(element, "reason").get("reason", "rejected")
    if reason not in ("rejected", "busy"):
        raise wrong(element, f"reason={reason!r} is neither rejected nor busy")
    _parameters(element)
    return [model.Reject(486 if reason == "busy" else 603)]


def _connect(element: Element) -> list[Action]:
    _attributes(element, "action method")
    children = _elements(element)
    if len(children) != 1 or children[0].tag != "Stream":
        raise wrong(children[0] if children else element, "Connect needs one Stream")
    stream = children[0]
    _attributes(stream, "url")
    url = stream.attributes.get("url", "").strip()
    if not url:
        raise wrong(stream, "Stream needs url")
    step = steps.Stream(url=url, wire="twilio", parameters=_parameters(stream))
    return [model.Stream(step=step, hook=_hook(element))]


def _parameters(element: Element) -> dict[str, str]:
    """What stands in Parameter elements."""
    found: dict[str, str] = {}
    for child in _elements(element):
        if child.tag != "Parameter":
            raise wrong(child, f"{child.tag} cannot stand in {element.tag}; Parameter can")
        attributes = _attributes(child, "name value")
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
}
