"""What stands in the elements of TwiML: which attributes are known, and what each may be, as a core."""

from __future__ import annotations

from sipcc.call.digits import KEYS
from sipcc.ivr.hooks.model import Hook
from sipcc.ivr.hooks.xmltree import Element, wrong

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
        "Number": f"{_MACHINES} byoc sendDigits",
        "Sip": f"{_MACHINES} username password",
        "Uri": "priority weight username password",
        "Headers": "name value",
        "Conference": f"{_RECORDINGS} beep record region coach eventCallbackUrl jitterBufferSize"
        " participantLabel",
        "Enqueue": "maxQueueSize",
        "Queue": "reservationSid postWorkActivitySid",
        "Stream": f"{_CALLBACKS} name connectorName track audioFormat sampleRate",
    }.items()
}
"""Attributes of Twilio's that are read and have no effect; the log tells of those that are used."""


def attributes_of(element: Element, served: str = "") -> dict[str, str]:
    """The attributes of an element, all of them known: `served` with effect, `IDLE` without."""
    known = {*served.split(), *IDLE.get(element.tag, ()), "id"}
    for name in element.attributes:
        if name not in known and not name.startswith(("xml:", "xmlns")):
            raise wrong(element, f"{element.tag} has no attribute {name!r}")
    return element.attributes


def idle_of(element: Element) -> list[str]:
    """What is written in a document without effect, as ``Dial.trim``."""
    here = [f"{element.tag}.{name}" for name in element.attributes if name in IDLE.get(element.tag, ())]
    return here + [found for child in element.elements() for found in idle_of(child)]


def number_of(element: Element, name: str, default: float, *, most: float = 86_400.0) -> float:
    """An attribute that is a number, from 0 to `most`."""
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


def flag_of(element: Element, name: str, default: bool) -> bool:
    """An attribute that is true or false."""
    text = element.attributes.get(name)
    if text is None:
        return default
    if text.lower() not in ("true", "false"):
        raise wrong(element, f"{name}={text!r} is neither true nor false")
    return text.lower() == "true"


def keys_of(element: Element, name: str, default: str) -> str:
    """An attribute that is made of keys of a telephone."""
    keys = element.attributes.get(name, default)
    if not KEYS.issuperset(keys):
        raise wrong(element, f"{name}={keys!r} is not made of keys of a telephone")
    return keys


def hook_of(
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


def elements_of(element: Element, *, texts: bool = False) -> list[Element]:
    """The elements in one, in which a text may stand only with `texts`."""
    if not texts and element.text.strip():
        raise wrong(element, f"{element.tag} has a text, {element.text.strip()[:40]!r}")
    return list(element.elements())
