from __future__ import annotations

import contextlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sipcc.errors import LocalProtocolError, ProtocolError, RemoteProtocolError
from sipcc.sip.offer import OfferAnswer, OfferState
from sipcc.sip.sdp import MediaDescription, SessionDescription


def sdp(*ports: int, host: str = "192.0.2.1", session_id: int = 1) -> SessionDescription:
    media = tuple(MediaDescription("audio", port, "RTP/AVP", ("0",)) for port in ports)
    return SessionDescription.build(host, media, session_id=session_id)


def test_we_offer() -> None:
    ledger = OfferAnswer()
    assert ledger.offer(sdp(4000)) == sdp(4000)
    assert ledger.state is OfferState.LOCAL_OFFER
    assert ledger.receive_answer(sdp(5000))
    assert ledger.state is OfferState.STABLE
    assert (ledger.local, ledger.remote, ledger.offered) == (sdp(4000), sdp(5000), None)


def test_they_offer() -> None:
    ledger = OfferAnswer()
    ledger.receive_offer(sdp(5000))
    assert ledger.state is OfferState.REMOTE_OFFER
    assert ledger.remote is None
    ledger.answer(sdp(4000))
    assert (ledger.state, ledger.local, ledger.remote) == (OfferState.STABLE, sdp(4000), sdp(5000))


def test_version_grows_with_the_content_only() -> None:
    ledger = OfferAnswer()
    versions = []
    for port, session_id in ((4000, 1), (4000, 99), (4002, 98), (4002, 1), (4000, 1)):
        sent = ledger.offer(sdp(port, session_id=session_id))
        assert sent.origin.session_id == 1
        versions.append(sent.origin.version)
        ledger.receive_answer(sdp(5000))
    assert versions == [1, 1, 2, 2, 3]


def test_preview_then_answer() -> None:
    ledger = OfferAnswer()
    ledger.offer(sdp(4000))
    assert ledger.receive_answer(sdp(5000), reliable=False)
    assert (ledger.state, ledger.remote) == (OfferState.LOCAL_OFFER, sdp(5000))
    assert not ledger.receive_answer(sdp(5000), reliable=False)
    assert not ledger.receive_answer(sdp(5000))  # the same in the 200: nothing to do
    assert ledger.state is OfferState.STABLE
    assert not ledger.receive_answer(sdp(6000))  # once more after the answer: ignored
    assert ledger.remote == sdp(5000)


def test_answer_may_differ_from_the_preview() -> None:
    ledger = OfferAnswer()
    ledger.offer(sdp(4000))
    ledger.receive_answer(sdp(5000), reliable=False)
    assert ledger.receive_answer(sdp(6000))
    assert ledger.remote == sdp(6000)


def test_200_without_a_body_after_a_preview() -> None:
    ledger = OfferAnswer()
    assert not ledger.accept_preview()
    ledger.offer(sdp(4000))
    assert not ledger.accept_preview()
    ledger.receive_answer(sdp(5000), reliable=False)
    assert ledger.accept_preview()
    assert (ledger.state, ledger.local, ledger.remote) == (OfferState.STABLE, sdp(4000), sdp(5000))


def test_withdraw_brings_the_old_back() -> None:
    ledger = OfferAnswer()
    ledger.offer(sdp(4000))
    ledger.receive_answer(sdp(5000))
    ledger.offer(sdp(4002))
    ledger.receive_answer(sdp(6000), reliable=False)
    ledger.withdraw()
    assert (ledger.state, ledger.local, ledger.remote) == (OfferState.STABLE, sdp(4000), sdp(5000))
    ledger.receive_offer(sdp(7000))
    ledger.withdraw()
    assert (ledger.state, ledger.remote) == (OfferState.STABLE, sdp(5000))


def test_our_mistakes() -> None:
    ledger = OfferAnswer()
    with pytest.raises(LocalProtocolError):
        ledger.answer(sdp(4000))
    ledger.offer(sdp(4000, 4002))
    with pytest.raises(LocalProtocolError):
        ledger.offer(sdp(4000))
    ledger.receive_answer(sdp(5000, 0))
    with pytest.raises(LocalProtocolError):
        ledger.offer(sdp(4000))
    ledger.receive_offer(sdp(5000, 0))
    with pytest.raises(LocalProtocolError):
        ledger.answer(sdp(4000))


@pytest.mark.parametrize("opened_by_us", [True, False])
def test_glare(opened_by_us: bool) -> None:
    ledger = OfferAnswer()
    if opened_by_us:
        ledger.offer(sdp(4000))
    else:
        ledger.receive_offer(sdp(5000))
    with pytest.raises(RemoteProtocolError) as caught:
        ledger.receive_offer(sdp(5000))
    assert caught.value.status_hint == (491 if opened_by_us else 500)


def test_their_mistakes() -> None:
    ledger = OfferAnswer()
    ledger.offer(sdp(4000, 4002))
    with pytest.raises(RemoteProtocolError):
        ledger.receive_answer(sdp(5000))
    ledger.receive_answer(sdp(5000, 5002))
    with pytest.raises(RemoteProtocolError) as caught:
        ledger.receive_offer(sdp(5000))
    assert caught.value.status_hint == 488


@given(st.lists(st.tuples(st.integers(0, 6), st.integers(1, 3), st.integers(1, 4)), max_size=30))
def test_any_history(steps: list[tuple[int, int, int]]) -> None:
    """No order of events leaves the ledger in doubt, and versions never fall."""
    ledger = OfferAnswer()
    version = 0
    for step, lines, port in steps:
        description = sdp(*[4000 + 2 * port] * lines)
        with contextlib.suppress(ProtocolError):
            match step:
                case 0 | 1:
                    send = ledger.offer if step == 0 else ledger.answer
                    sent = send(description)
                    assert sent.origin.version >= version
                    version = sent.origin.version
                case 2:
                    ledger.receive_offer(description)
                case 3 | 4:
                    ledger.receive_answer(description, reliable=step == 3)
                case 5:
                    ledger.accept_preview()
                case _:
                    ledger.withdraw()
        assert (ledger.offered is None) == (ledger.state is OfferState.STABLE)
        if ledger.state is OfferState.STABLE and ledger.local is not None:
            assert ledger.remote is not None
            assert len(ledger.local.media) == len(ledger.remote.media)
