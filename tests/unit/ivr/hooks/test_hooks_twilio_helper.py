"""Whatever Twilio's own helper makes of the verbs that are served is read: generated documents, by a seed."""

from __future__ import annotations

import inspect
import os
import random
from collections.abc import Callable
from typing import Any

import pytest
from twilio.twiml import TwiML
from twilio.twiml import voice_response as helper

from sipcc.ivr.hooks import twiml
from sipcc.ivr.hooks.model import Defaults

DOCUMENTS = int(os.environ.get("TWIML_DOCUMENTS", "400"))
"""How many are made; the full number for a report is given in the environment."""

WORDS = ["Hello", "你好，请按一", "a < b & c", "  spaces  ", '"quoted"', "é"]
KEYS = ["#", "*", "", "1", "0123456789*#"]

VALUES: dict[str, list[Any]] = {
    "message": WORDS, "words": WORDS, "alias": WORDS, "voice": ["alice", "Polly.Joanna-Neural"],
    "language": ["en-US", "zh-CN"], "xml_lang": ["en-US", "zh-CN"],
    "interpret_as": ["date", "digits", "cardinal"],
    "format": ["mdy"], "level": ["strong"], "strength": ["weak", "x-strong"], "time": ["500ms", "2s"],
    "rate": ["slow"], "pitch": ["high"], "volume": ["loud"], "alphabet": ["ipa"], "ph": ["pɪˈkɑːn"],
    "loop": [0, 1, 2, 10], "length": [1, 5], "timeout": [1, 5, 30], "time_limit": [60, 14400],
    "max_length": [10, 3600], "num_digits": [1, 4, 16], "finish_on_key": KEYS,
    "hints": ["yes, no", "$OPERAND"],
    "speech_timeout": ["auto", "3"], "max_speech_time": [10, 60], "speech_model": ["phone_call"],
    "input": ["dtmf", "speech", "dtmf speech"], "reason": ["rejected", "busy"], "trim": ["trim-silence"],
    "record": ["do-not-record", "record-from-answer", "record-from-ringing-dual"],
    "caller_id": ["+8640081234"],
    "beep": ["true", "onEnter"], "max_participants": [10], "region": ["us1"], "coach": ["CA1"],
    "jitter_buffer_size": ["small"], "participant_label": ["a"], "ring_tone": ["us"], "events": ["x"],
    "track": ["inbound_track"], "status_callback_event": ["initiated ringing"],
    "machine_detection": ["Enable"],
    "recording_track": ["both"], "send_digits": ["wwww1"], "digits": ["ww12"], "max_queue_size": [10],
    "recording_status_callback_event": ["completed"], "workflow_sid": [None], "username": ["a"],
    "password": ["b"], "priority": [1], "weight": [1],
    "value": ["x"], "name": ["team"], "number": ["13800138000"], "phone_number": ["+8613800138000"],
    "sip_url": ["sip:bob@example.com", "bob@example.com"], "identity": ["1001"], "client_identity": ["1001"],
}  # fmt: skip
FLAGS = {
    "muted", "start_conference_on_enter", "end_conference_on_exit", "play_beep", "transcribe", "barge_in",
    "action_on_empty_result", "profanity_filter", "debug", "enhanced", "answer_on_bridge", "hangup_on_star",
    "sequential",
}  # fmt: skip
ALWAYS = {
    "message", "words", "url", "name", "number", "phone_number", "sip_url", "identity", "client_identity",
    "value",
}  # fmt: skip
"""Arguments without which there would be nothing to say or nobody to call."""


class Maker:
    """Fills verbs with what their methods take."""

    def __init__(self, seed: int) -> None:
        self.random = random.Random(seed)

    def call(self, method: Callable[..., Any], without: frozenset[str] = frozenset()) -> Any:
        """Call a method of the helper with some of its arguments."""
        given = {}
        for name in inspect.signature(method).parameters:
            if name == "kwargs" or name in without:
                continue
            if name in ALWAYS or self.random.random() < 0.4:
                given[name] = self.value(name)
        return method(**given)

    def value(self, name: str) -> Any:
        if name in FLAGS:
            return self.random.choice([True, False])
        if name in VALUES:
            return self.random.choice(VALUES[name])
        if name.endswith("method"):
            return self.random.choice(["GET", "POST"])
        if name.endswith(("url", "action", "callback")):
            return self.random.choice(["/next", "https://app.example.com/next?a=1&b=2", "next.xml"])
        return "1"

    def document(self) -> str:
        """A Response with one to eight verbs."""
        response = helper.VoiceResponse()
        for _ in range(self.random.randint(1, 8)):
            getattr(self, self.random.choice(VERBS))(response)
        return str(response)

    def say(self, parent: TwiML) -> None:
        made = self.call(parent.say)
        for _ in range(self.random.randint(0, 3)):
            self.ssml(made, 0)

    def ssml(self, parent: TwiML, depth: int) -> None:
        kinds = [name for name in SSML if hasattr(parent, name)]
        if kinds and depth < 4:
            self.ssml(self.call(getattr(parent, self.random.choice(kinds))), depth + 1)

    def play(self, parent: TwiML) -> None:
        self.call(parent.play)

    def pause(self, parent: TwiML) -> None:
        self.call(parent.pause)

    def gather(self, response: TwiML) -> None:
        gather = self.call(response.gather)
        for _ in range(self.random.randint(0, 3)):
            getattr(self, self.random.choice(["say", "play", "pause"]))(gather)

    def dial(self, response: TwiML) -> None:
        if self.random.random() < 0.3:
            self.call(response.dial)
            return
        dial = self.call(response.dial, frozenset({"number"}))
        if self.random.random() < 0.3:
            self.call(self.random.choice([dial.conference, dial.queue]))
            return
        for _ in range(self.random.randint(1, 3)):
            self.call(getattr(dial, self.random.choice(["number", "sip", "client"])))

    def enqueue(self, response: TwiML) -> None:
        self.call(response.enqueue, frozenset({"workflow_sid"}))

    def record(self, response: TwiML) -> None:
        self.call(response.record)

    def hangup(self, response: TwiML) -> None:
        response.hangup()

    def reject(self, response: TwiML) -> None:
        reject = self.call(response.reject)
        self.call(reject.parameter)

    def redirect(self, response: TwiML) -> None:
        self.call(response.redirect)

    def refer(self, response: TwiML) -> None:
        self.call(self.call(response.refer).sip)

    def connect(self, response: TwiML) -> None:
        stream = self.call(self.call(response.connect).stream)
        for _ in range(self.random.randint(0, 3)):
            self.call(stream.parameter)


VERBS = [
    "say",
    "play",
    "pause",
    "gather",
    "dial",
    "enqueue",
    "record",
    "hangup",
    "reject",
    "redirect",
    "connect",
    "refer",
]
SSML = ["break_", "emphasis", "lang", "p", "phoneme", "prosody", "s", "say_as", "sub", "w"]


def test_every_document_of_the_helper_is_read() -> None:
    for seed in range(DOCUMENTS):
        document = Maker(seed).document()
        try:
            for verb in twiml.read(document.encode()):
                verb(Defaults())
        except Exception as error:
            raise AssertionError(f"seed {seed}: {error}\n{document}") from error


@pytest.mark.parametrize("name", VERBS)
def test_every_argument_of_a_verb_is_known(name: str) -> None:
    """With all arguments at once nothing is refused as unknown."""
    maker = Maker(1)
    maker.random.random = lambda: 0.35  # type: ignore[method-assign]  # takes every argument, and no short cut
    response = helper.VoiceResponse()
    getattr(maker, name)(response)
    assert twiml.read(str(response).encode())
