"""Early dialogs by To tag."""

from __future__ import annotations

from tests.unit.sip.test_reliable import answer, request

from sipcc.sip.forks import MAX_FORKS, Forks
from sipcc.sip.offer import OfferState


def test_each_tag_is_a_fork_with_numbers_and_offers_of_its_own() -> None:
    forks, invite = Forks(), request()
    invite.body = b"v=0\r\n"
    first = forks.take(invite, answer(180, ("Contact", "<sip:b@10.0.0.3>"), tag="a"))
    second = forks.take(invite, answer(180, tag="b"))
    assert first is not None
    assert second is not None
    assert list(forks.dialogs) == ["a", "b"]
    first.dialog.next_cseq()
    assert (first.dialog.local_cseq, second.dialog.local_cseq) == (2, 1)
    first.turn.settle()
    assert second.turn.state is OfferState.LOCAL_OFFER
    assert forks.of(first.dialog) is first
    again = forks.take(invite, answer(183, ("Contact", "<sip:b@10.0.0.4>"), tag="a"))
    assert again is first
    assert str(first.dialog.remote_target) == "sip:b@10.0.0.4"
    forks.clear()
    assert (forks.get("a"), forks.of(first.dialog), forks.dialogs) == (None, None, {})


def test_a_flood_of_tags_makes_no_more_forks() -> None:
    forks = Forks()
    for number in range(2 * MAX_FORKS):
        forks.take(request(), answer(180, tag=f"t{number}"))
    assert len(forks.dialogs) == MAX_FORKS
    assert forks.take(request(), answer(180, tag="new")) is None
    known = forks.take(request(), answer(180, tag="t0"))
    assert known is not None
    assert not known.turn.begun
