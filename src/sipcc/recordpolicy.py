"""What is recorded of a call, and for how long it is kept: the rules of its queue or number, as a core."""

from __future__ import annotations

import hashlib
from typing import Annotated, Literal

import msgspec

RecordWhen = bool | Literal["on_demand", "sample"]
"""Which conversations are recorded: all, none, those for which somebody asks, or a sample."""

Consent = Literal["", "announced", "given", "blocked"]
"""What is known of the caller's consent: nothing; it heard the whole prompt; it pressed the key as well; or
it is not to be recorded."""

LONGEST_WITHOUT_CONSENT = 180
"""Days for which a recording may be kept without the caller's consent, whatever the rules say."""


class RecordingRules(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """How the conversations of a queue or a number are recorded, and for how long that is kept."""

    percent: Annotated[float, msgspec.Meta(ge=0, le=100)] = 100.0
    """How many of hundred calls are recorded with ``record = "sample"``. The draw goes by the call's id, so
    that it can be repeated."""
    prompt: str = ""
    """The prompt that tells callers of the recording before anything is recorded; empty for none. The call
    is answered for it. Where it is cut off, missing or unplayable, nothing is recorded, and the call record
    says so."""
    key: Annotated[str, msgspec.Meta(pattern="^[0-9A-D*#]?$")] = ""
    """The key by which callers agree after the prompt, such as ``1``; whoever does not press it is not
    recorded. Empty asks for none."""
    key_timeout: Annotated[float, msgspec.Meta(gt=0, le=60)] = 5.0
    """Seconds for pressing it."""
    retention_days: Literal[30, 90, 180, 3650] = 90
    """How long recordings are kept: 30, 90, 180 or 3650 days. More than 180 needs the caller's consent, by
    `key` or `consented`; without it they go after 180."""
    consented: bool = False
    """True: callers have consented in another way, as by contract."""


class RecordPolicy(msgspec.Struct, frozen=True, kw_only=True):
    """Which conversations of a call are recorded."""

    when: RecordWhen
    rules: RecordingRules = RecordingRules()
    queue: str = ""
    """The queue whose policy it is."""
    number: str = ""
    """The number whose policy it is; it goes before that of any queue."""

    @property
    def may_record(self) -> bool:
        """True when somebody may ask for a recording."""
        return self.when is not False

    def wants(self, call_id: str) -> bool:
        """True when the conversations of this call are recorded without being asked."""
        return self.when is True or (self.when == "sample" and is_drawn(call_id, self.rules.percent))

    def announces(self, call_id: str) -> bool:
        """True when the caller must hear the prompt before anything is recorded."""
        return bool(self.rules.prompt) and (self.when == "on_demand" or self.wants(call_id))

    def is_satisfied(self, consent: Consent) -> bool:
        """True when what is known of the caller's consent allows to record; blocked stays blocked."""
        if consent == "blocked" or (self.rules.key and consent != "given"):
            return False
        return bool(consent) or not self.rules.prompt

    def days(self, consent: Consent) -> int:
        """Days for which a recording is kept: not beyond `LONGEST_WITHOUT_CONSENT` without consent."""
        if consent == "given" or self.rules.consented:
            return self.rules.retention_days
        return min(self.rules.retention_days, LONGEST_WITHOUT_CONSENT)


def is_drawn(call_id: str, percent: float) -> bool:
    """Whether a call is in a sample of `percent`: by its id alone, so that anybody can draw it again."""
    draw = int.from_bytes(hashlib.sha256(call_id.encode()).digest()[:8], "big")
    return draw < percent / 100 * (1 << 64)
