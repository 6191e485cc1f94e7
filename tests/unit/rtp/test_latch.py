from __future__ import annotations

from collections.abc import Iterable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sipcc.rtp.latch import FLOOD_PER_S, LEARNING_S, MAX_CANDIDATES, RETURN_S, Address, SourceGate, Verdict

SDP = ("192.0.2.1", 4000)
SAME_IP = ("192.0.2.1", 61000)
SAME_PORT = ("203.0.113.9", 4000)
OTHER = ("203.0.113.9", 61000)
A, LATCHED, LEARNING, FOREIGN = Verdict.ACCEPTED, Verdict.LATCHED, Verdict.LEARNING, Verdict.FOREIGN


def send(
    gate: SourceGate,
    source: Address,
    *,
    count: int = 4,
    at: float = 0.0,
    every: float = 0.02,
    first: int = 10,
    ssrc: int = 7,
    payload_type: int = 0,
) -> list[Verdict]:
    return [
        gate.accept(source, ssrc, payload_type, (first + index) & 0xFFFF, now=at + every * index)
        for index in range(count)
    ]


def test_the_address_of_the_sdp_is_accepted_at_once_and_for_ever() -> None:
    gate = SourceGate(SDP, now=0.0)
    assert send(gate, SDP, count=2) == [A, A]
    assert send(gate, SDP, count=2, at=500.0) == [A, A]
    assert (gate.target, gate.latched, gate.foreign) == (SDP, False, 0)


@pytest.mark.parametrize("source", [SAME_IP, SAME_PORT, OTHER])
def test_a_phone_behind_nat_is_learned_with_its_fourth_packet(source: Address) -> None:
    gate = SourceGate(SDP, now=0.0)
    assert gate.target == SDP
    assert send(gate, source, first=65534) == [LEARNING, LEARNING, LEARNING, LATCHED]
    assert (gate.target, gate.latched) == (source, True)
    assert send(gate, source, count=2, at=0.08, first=2) == [A, A]
    assert gate.foreign == 0


def test_nothing_is_sent_to_a_source_before_it_is_learned() -> None:
    gate = SourceGate(SDP, now=0.0)
    send(gate, OTHER, count=3)
    assert gate.target == SDP


def test_the_sdp_address_wins_at_once_over_what_was_learned() -> None:
    gate = SourceGate(SDP, now=0.0)
    send(gate, OTHER)
    assert gate.accept(SDP, 1, 0, 1, now=0.1) is LATCHED
    assert gate.target == SDP
    assert gate.accept(OTHER, 7, 0, 14, now=0.12) is FOREIGN


def test_the_window_closes_and_only_signalling_opens_it() -> None:
    gate = SourceGate(SDP, now=0.0)
    assert set(send(gate, OTHER, count=50, at=LEARNING_S)) == {FOREIGN}
    assert gate.foreign == 50
    gate.reopen(SDP, now=100.0)
    assert send(gate, OTHER, at=100.0)[-1] is LATCHED


def test_a_source_that_was_heard_has_time_to_come_back_after_an_offer() -> None:
    gate = SourceGate(SDP, now=0.0)
    send(gate, OTHER)
    gate.reopen(SDP, now=100.0)
    assert set(send(gate, (SAME_PORT[0], 5000), count=4, at=100.0)) != {FOREIGN}  # its own host
    gate = SourceGate(SDP, now=0.0)
    send(gate, SDP)
    gate.reopen(SDP, now=100.0)
    assert set(send(gate, OTHER, count=90, at=100.0)) == {FOREIGN}
    assert send(gate, SDP, count=1, at=101.9) == [A]
    assert set(send(gate, OTHER, count=5, at=102.0)) == {FOREIGN}
    gate.reopen(SDP, now=200.0)
    assert send(gate, OTHER, at=200.0 + RETURN_S)[-1] is LATCHED  # it moved, and only its audio tells


def test_on_hold_nobody_is_learned_but_who_was_never_heard_is() -> None:
    gate = SourceGate(SDP, now=0.0)
    send(gate, SAME_IP)
    gate.reopen(SDP, now=10.0, held=True)
    for source in (OTHER, SAME_PORT, (SDP[0], 7777)):
        assert set(send(gate, source, count=50, at=11.0)) == {FOREIGN}
    assert send(gate, SAME_IP, count=1, at=14.0) == [A]
    fresh = SourceGate(SDP, now=0.0)
    fresh.reopen(SDP, now=0.1, held=True)  # a caller that begins with its own music
    assert send(fresh, OTHER, at=0.2)[-1] is LATCHED


def test_a_window_that_closes_during_the_count_stays_closed() -> None:
    gate = SourceGate(SDP, now=0.0)
    assert send(gate, OTHER, at=LEARNING_S - 0.05) == [LEARNING, LEARNING, LEARNING, FOREIGN]


def test_nobody_is_learned_while_the_current_source_sends() -> None:
    gate = SourceGate(SDP, now=0.0)
    verdicts = []
    for index in range(100):
        now = 0.02 * index
        assert gate.accept(SDP, 1, 0, index, now=now) is A
        verdicts.append(gate.accept(SAME_IP, 7, 0, index, now=now + 0.001))
    assert set(verdicts) == {FOREIGN}
    assert gate.target == SDP


def test_the_hot_path_may_note_the_time_itself() -> None:
    gate = SourceGate(SDP, now=0.0)
    gate.heard_at = 1.0
    assert set(send(gate, SAME_IP, at=1.01)) == {FOREIGN}
    assert send(gate, SAME_IP, at=1.21)[-1] is LATCHED


@pytest.mark.parametrize(
    ("sequences", "ssrcs", "times", "payload_types"),
    [
        ([1, 2, 4, 5], [7] * 4, [0, 0.02, 0.04, 0.06], [0] * 4),
        ([1, 2, 2, 3], [7] * 4, [0, 0.02, 0.04, 0.06], [0] * 4),
        ([4, 3, 2, 1], [7] * 4, [0, 0.02, 0.04, 0.06], [0] * 4),
        ([1, 2, 3, 4], [7, 7, 8, 8], [0, 0.02, 0.04, 0.06], [0] * 4),
        ([1, 2, 3, 4], [7] * 4, [0, 0.005, 0.01, 0.021], [0] * 4),
        ([1, 2, 3, 4], [7] * 4, [0, 0.02, 0.04, 0.06], [0, 0, 9, 0]),
    ],
    ids=["gap", "double", "backwards", "two SSRCs", "too fast", "strange payload type"],
)
def test_what_is_not_learned(
    sequences: list[int], ssrcs: list[int], times: list[float], payload_types: list[int]
) -> None:
    gate = SourceGate(SDP, now=0.0, payload_types=frozenset({0, 101}))
    for sequence, ssrc, now, payload_type in zip(sequences, ssrcs, times, payload_types, strict=True):
        assert gate.accept(OTHER, ssrc, payload_type, sequence, now=now) is not LATCHED
    assert gate.target == SDP


def test_digits_of_the_negotiated_type_count_too() -> None:
    gate = SourceGate(SDP, now=0.0, payload_types=frozenset({0, 101}))
    assert send(gate, OTHER, payload_type=101)[-1] is LATCHED


def test_a_flood_in_order_is_never_learned() -> None:
    gate = SourceGate(SDP, now=0.0)
    assert LATCHED not in send(gate, OTHER, count=1000, every=0.001)


def race(gate: SourceGate, sources: Iterable[Address]) -> list[Address]:
    """Who was learned when all send at the same pace, one just after the other."""
    winners = []
    sources = list(sources)
    for index in range(6):
        for place, source in enumerate(sources):
            verdict = gate.accept(source, 7, 0, index, now=0.02 * index + 0.001 * place)
            if verdict is LATCHED:
                winners.append(source)
    return winners


@pytest.mark.parametrize(
    ("sources", "winner"),
    [
        ([OTHER, SAME_PORT, SAME_IP], SAME_IP),
        ([SAME_IP, OTHER, SAME_PORT], SAME_IP),
        ([OTHER, SAME_PORT], SAME_PORT),
        ([OTHER, ("198.51.100.2", 7)], OTHER),
    ],
)
def test_the_nearer_source_is_preferred(sources: list[Address], winner: Address) -> None:
    assert race(SourceGate(SDP, now=0.0), sources) == [winner]


def test_a_better_candidate_that_stalls_is_not_waited_for() -> None:
    gate = SourceGate(SDP, now=0.0)
    gate.accept(SAME_IP, 9, 0, 1, now=0.0)
    assert send(gate, OTHER, count=8, at=0.01)[3:7].count(LATCHED) == 1
    assert gate.target == OTHER


def test_many_sprayers_do_not_keep_the_phone_out() -> None:
    gate = SourceGate(SDP, now=0.0)
    for index in range(50):
        gate.accept(("203.0.113.9", 2000 + index), 1, 0, index, now=0.0)
    assert gate.foreign == 50 - MAX_CANDIDATES
    assert send(gate, SAME_IP, at=0.01)[-1] is LATCHED


def test_sprayers_of_the_same_rank_give_way_when_they_stall() -> None:
    gate = SourceGate(SDP, now=0.0)
    for index in range(20):
        gate.accept(("203.0.113.9", 2000 + index), 1, 0, index, now=0.0)
    assert send(gate, ("198.51.100.7", 5000), at=0.2)[-1] is LATCHED


def test_reopening_with_the_same_address_keeps_what_was_learned() -> None:
    gate = SourceGate(SDP, now=0.0)
    send(gate, OTHER)
    gate.reopen(SDP, now=10.0, payload_types=frozenset({8}))
    assert gate.target == OTHER
    assert gate.accept(OTHER, 7, 8, 99, now=10.1) is A


def test_reopening_with_another_address_sends_there() -> None:
    gate = SourceGate(SDP, now=0.0)
    send(gate, OTHER)
    gate.reopen(("192.0.2.77", 5000), now=10.0)
    assert (gate.target, gate.latched) == (("192.0.2.77", 5000), False)
    assert send(gate, OTHER, at=10.0)[-1] is LATCHED  # the old one may be learned again


def test_reopening_with_the_address_that_was_learned() -> None:
    gate = SourceGate(SDP, now=0.0)
    send(gate, OTHER)
    gate.reopen(OTHER, now=10.0)
    assert (gate.target, gate.latched) == (OTHER, False)


def test_rtcp_follows_rtp_and_never_leads() -> None:
    gate = SourceGate(SDP, now=0.0)
    assert gate.accept_rtcp(("192.0.2.1", 4001), now=0.0)
    assert not gate.accept_rtcp((OTHER[0], 61001), now=0.1)
    assert gate.target == SDP
    send(gate, OTHER, at=0.2)
    assert gate.rtcp_source is None
    assert gate.accept_rtcp((OTHER[0], 61001), now=0.3)
    assert gate.accept_rtcp((OTHER[0], 61001), now=99.0)
    assert not gate.accept_rtcp((OTHER[0], 61003), now=99.0)
    assert gate.foreign == 2
    assert gate.rtcp_source == (OTHER[0], 61001)


def test_rtcp_port_may_move_within_the_window() -> None:
    gate = SourceGate(SDP, now=0.0)
    assert gate.accept_rtcp(("192.0.2.1", 4001), now=0.0)
    assert gate.accept_rtcp(("192.0.2.1", 9999), now=1.0)


def test_first_rtcp_may_come_late() -> None:
    gate = SourceGate(SDP, now=0.0)
    assert gate.accept_rtcp(("192.0.2.1", 4001), now=60.0)


def test_a_flood_is_reported_once() -> None:
    gate = SourceGate(SDP, now=0.0)
    send(gate, OTHER, count=FLOOD_PER_S, at=10.0, every=0.003)
    assert not gate.take_flood()
    send(gate, OTHER, count=FLOOD_PER_S + 1, at=20.0, every=0.003)
    assert gate.take_flood()
    send(gate, OTHER, count=2 * FLOOD_PER_S, at=30.0, every=0.001)
    assert not gate.take_flood()


@given(
    st.lists(
        st.tuples(
            st.sampled_from([SAME_IP, SAME_PORT, OTHER]),
            st.integers(0, 3),
            st.integers(0, 65535),
            st.floats(0, 0.3),
        ),
        max_size=200,
    )
)
def test_no_stranger_takes_a_port_from_a_source_that_sends(
    packets: list[tuple[Address, int, int, float]],
) -> None:
    gate = SourceGate(SDP, now=0.0)
    now = 0.0
    for source, ssrc, sequence, wait in packets:
        now += wait
        gate.heard_at = now - 0.1
        assert gate.accept(source, ssrc, 0, sequence, now=now) is FOREIGN
    assert gate.target == SDP


def test_a_source_that_proves_itself_by_its_key_need_not_be_learned() -> None:
    gate = SourceGate(SDP, now=0.0)
    assert gate.accept_proved(OTHER, now=100.0) is LATCHED  # no window is open, and nobody was heard
    assert gate.accept_proved(OTHER, now=100.02) is A
    assert gate.accept_proved(SAME_IP, now=100.04) is FOREIGN  # the accepted one still sends
    assert gate.accept_proved(SAME_IP, now=100.5) is LATCHED
    assert gate.accept_proved(SDP, now=100.52) is LATCHED  # what signalling says goes before all
    assert (gate.target, gate.foreign) == (SDP, 1)
