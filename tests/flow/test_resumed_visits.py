"""Which visit a call belongs to: that is still known after the process that it began in has died."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from tests.flow.centre import Centre
from tests.flow.test_transfer import talk_to_alice
from tests.flow.test_transfer_accounts import QUIET, SALES

from sipcc.call import Call, resuming
from sipcc.call.resuming import resume_call
from sipcc.call.saving import SavedCall, save_call


def resumed(centre: Centre, call: Call, saved: SavedCall, patch: pytest.MonkeyPatch) -> Call:
    """`saved`, taken up with the ports and dialogs of `call`, from which it was written down."""
    talk = call.conversation
    legs = [call.leg] if talk is None else [talk.caller, talk.peer]
    parts = [leg.media for leg in legs], [leg.session for leg in legs], None
    patch.setattr(resuming, "_take_up", lambda *_: parts)
    trunks = {trunk.name: trunk for trunk in centre.switch.config.trunks}
    found = resume_call(centre.switch.context, saved, trunks)
    assert found is not None
    return found[0]


def kept(call: Call) -> SavedCall:
    saved = save_call(call)
    assert saved is not None
    return saved


async def test_a_join_after_a_crash_goes_by_the_call_that_began_first(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whichever is taken up first; and what was joined stays so."""
    async with Centre(tmp_path, config=QUIET) as centre:
        alice = await centre.phone("1001")
        await centre.phone("1002")
        _, talk = await talk_to_alice(centre, alice, SALES)
        await talk.hold()
        consult = await alice.call("4008000009")
        await consult.answered(timeout=30)
        first, second = sorted(centre.switch.calls.live(), key=lambda call: call.began)
        again = resumed(centre, second, kept(second), monkeypatch)
        visit = resumed(centre, first, kept(first), monkeypatch)
        assert (visit.began, again.began) == pytest.approx((first.began, second.began), abs=1e-3)
        assert (visit.interaction, again.interaction) == (first.id, second.id)
        taken_up: Any = centre.told("CallResumed")[-1]
        assert (taken_up.caller, taken_up.called) == (first.caller, first.called)
        assert taken_up.at - taken_up.seconds == pytest.approx(first.began, abs=1e-3)
        assert taken_up.sip_call_ids[0] == first.leg.session.call_id
        again.join_interaction(visit)
        joined: list[Any] = centre.told("InteractionJoined")
        assert [(event.call, event.interaction) for event in joined] == [(second.id, first.id)]
        assert kept(again).interaction == first.id
        assert resumed(centre, again, kept(again), monkeypatch).interaction == first.id


async def test_a_caller_who_was_transferred_into_a_queue_is_the_one_who_is_written_down(
    tmp_path: Path,
) -> None:
    """Not who waited there for it before, and whose call is over."""
    extra = '[[numbers]]\nnumber = "4008000020"\nto = "queue:help"\n'
    async with Centre(tmp_path, config=QUIET, extra=extra) as centre:
        notes: dict[str, SavedCall] = {}
        centre.switch.context.journal = Notes(notes)  # type: ignore[assignment]
        alice = await centre.phone("1001")
        caller, talk = await talk_to_alice(centre, alice, SALES)
        first = centre.switch.calls.live()[0].id
        await talk.hold()
        consult = await alice.call("4008000020")
        await consult.answered(timeout=30)
        assert await talk.refer("sip:x@pbx.example.com", replaces=consult) == 202
        await talk.ended()
        await consult.ended()
        [waiting] = centre.switch.calls.live()
        assert notes[waiting.id].interaction == first
        assert notes[waiting.id].caller.trunk == "carrier"
        await caller.hangup()


class Notes:
    """A journal that is looked into at once."""

    def __init__(self, notes: dict[str, SavedCall]) -> None:
        self._notes = notes

    def note(self, key: str, thing: SavedCall) -> None:
        self._notes[key] = thing

    def over(self, key: str) -> None:
        self._notes.pop(key, None)
