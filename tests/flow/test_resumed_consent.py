"""What a caller has agreed to is known to the process that goes on with its call."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest
from tests.flow.centre import Centre
from tests.flow.test_recording_policy import PROMPT_HZ, PROMPT_S, TAPED, taped, until, with_prompt
from tests.flow.test_resumed_visits import Notes, resumed

from sipcc.call.saving import SavedCall
from sipcc.errors import LocalProtocolError

RULES = 'prompt = "recorded"\nkey = "1"'


@pytest.mark.parametrize(("key", "consent"), [("1", "given"), ("2", "blocked")])
async def test_an_answer_is_written_down_at_once(
    tmp_path: Path, key: str, consent: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Nothing else happens to the call of a caller who waits before its process dies."""
    async with Centre(tmp_path, extra=taped("true", RULES)) as centre:
        with_prompt(centre)
        notes: dict[str, SavedCall] = {}
        centre.switch.context.journal = Notes(notes)  # type: ignore[assignment]
        caller = await centre.carrier.call(TAPED)
        await caller.hears(PROMPT_HZ)
        await asyncio.sleep(PROMPT_S)
        await caller.press(key)
        await until(lambda: centre.told("QueueJoined"))
        [call] = centre.switch.calls.live()
        assert notes[call.id].consent == consent
        again = resumed(centre, call, notes[call.id], monkeypatch)
        if consent == "given":
            assert again.record()
        else:
            with pytest.raises(LocalProtocolError, match="consent is blocked"):
                again.record()


async def test_who_was_being_asked_has_not_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """It is asked again by the next process; until then it is not recorded."""
    async with Centre(tmp_path, extra=taped("true", RULES)) as centre:
        with_prompt(centre)
        notes: dict[str, SavedCall] = {}
        centre.switch.context.journal = Notes(notes)  # type: ignore[assignment]
        caller = await centre.carrier.call(TAPED)
        await caller.hears(PROMPT_HZ)
        [call] = centre.switch.calls.live()
        assert call.taping.consent == "blocked"
        assert notes[call.id].consent == ""
        with pytest.raises(LocalProtocolError, match="consent is missing"):
            resumed(centre, call, notes[call.id], monkeypatch).record()
