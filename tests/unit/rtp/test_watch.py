from __future__ import annotations

from sipcc.rtp.stats import ReceiveStats, ReportBlock, SendStats
from sipcc.rtp.watch import MIN_FOREIGN, AlarmLimits, Change, Watch

LIMITS = AlarmLimits(5.0, 0.05, 60.0)


class Line:
    """A port whose figures a test moves, looked at once a second."""

    def __init__(self, limits: AlarmLimits = LIMITS) -> None:
        self.watch = Watch(limits)
        self.received, self.sent = ReceiveStats(), SendStats()
        self.now = 0.0
        self.sequence = 0
        self.heard_at = float("-inf")
        self.foreign = 0
        self.sending = self.receiving = True

    def second(self, *, lose: int = 0, come: bool = True, jitter: float = 0.0) -> list[Change]:
        """50 packets are sent each way, `lose` of theirs are lost; 0 or all `come`."""
        for step in range(50):
            self.sequence += 1
            self.sent.packets += 1
            if come and step >= lose:
                late = jitter * (step % 2)
                at = self.now + 0.02 * step + late
                self.received.receive(1, self.sequence & 0xFFFF, 160 * self.sequence, 160, now=at)
                self.heard_at = at
        self.now += 1.0
        return self.look()

    def look(self, *, flooded: bool = False) -> list[Change]:
        return self.watch.look(
            self.received,
            self.sent,
            now=self.now,
            since=0.0,
            heard_at=self.heard_at,
            foreign=self.foreign,
            sending=self.sending,
            receiving=self.receiving,
            flooded=flooded,
        )

    def seconds(self, count: int, **how: object) -> list[Change]:
        return [change for _ in range(count) for change in self.second(**how)]  # type: ignore[arg-type]


def test_a_good_line_raises_nothing() -> None:
    line = Line()
    assert line.seconds(60) == []
    assert line.watch.raised == ()


def test_silence_is_not_one_way() -> None:
    """It sends nothing, and its reports say so: no packet was sent since."""
    line = Line()
    line.seconds(10)
    for _ in range(20):
        assert line.seconds(3, come=False) == []
        line.received.note_sender_report(1, 0, now=line.now, packets=500)


def test_packets_that_do_not_come() -> None:
    line = Line(AlarmLimits(5.0, 0.0, 0.0))
    line.seconds(10)
    changes = []
    for count in range(6):
        changes += line.seconds(3, come=False)
        line.received.note_sender_report(1, 0, now=line.now, packets=500 + 150 * count)
    assert [(change.kind, change.active) for change in changes] == [("one_way_in", True)]
    assert 6 <= changes[0].value <= 9
    changes = line.seconds(2)
    assert [(change.kind, change.active) for change in changes] == [("one_way_in", False)]
    assert line.watch.raised == ("one_way_in",)


def test_the_partys_packets_come_from_a_place_that_is_not_believed() -> None:
    line = Line()
    line.seconds(3, come=False)
    line.foreign = MIN_FOREIGN
    changes = line.seconds(5, come=False)
    assert [change.kind for change in changes] == ["one_way_in"]


def test_a_stranger_beside_the_party_is_no_reason() -> None:
    line = Line()
    for _ in range(30):
        line.foreign += 1000
        assert line.second() == []


def test_a_held_party_need_not_be_heard() -> None:
    line = Line()
    line.receiving = False
    line.foreign = 1000
    assert line.seconds(30, come=False) == []


def test_nothing_of_ours_arrives() -> None:
    line = Line()
    block = ReportBlock(9, 0, 0, 77, 0, 0, 0)
    changes = []
    for _ in range(5):
        changes += line.seconds(5)
        line.sent.receive_report(block, ntp_middle=0, now=line.now)
    assert [(change.kind, change.active) for change in changes] == [("one_way_out", True)]
    line.sent.receive_report(block._replace(highest_sequence=300), ntp_middle=0, now=line.now)
    assert [(change.kind, change.active) for change in line.second()] == [("one_way_out", False)]


def test_loss_begins_at_its_limit_and_ends_at_half_of_it() -> None:
    line = Line()
    line.seconds(20)
    assert [change.kind for change in line.seconds(20, lose=4)] == ["loss"]  # 8 %
    assert line.seconds(20, lose=2) == []  # 4 %: neither good nor bad
    assert [(change.kind, change.active) for change in line.seconds(20)] == [("loss", False)]
    assert line.seconds(20, lose=2) == []


def test_jitter_begins_at_its_limit_and_ends_at_half_of_it() -> None:
    line = Line()
    line.seconds(10)
    begun = line.seconds(10, jitter=0.12)
    assert [(change.kind, change.active) for change in begun] == [("jitter", True)]
    assert begun[0].value >= 60
    assert line.seconds(10, jitter=0.05) == []
    assert [(change.kind, change.active) for change in line.seconds(10)] == [("jitter", False)]


def test_the_beginning_of_a_stream_is_not_judged() -> None:
    line = Line()
    assert line.seconds(4, jitter=0.2) == []


def test_a_flood_is_told_once() -> None:
    line = Line()
    assert line.look(flooded=True) == [Change("flood", True, 250)]
    assert line.look() == line.look(flooded=True) == []
    assert line.watch.raised == ("flood",)


def test_limits_of_zero_raise_nothing() -> None:
    line = Line(AlarmLimits(0.0, 0.0, 0.0))
    line.foreign = 1000
    assert line.seconds(30, lose=20, jitter=0.2) == []
    assert line.seconds(30, come=False) == []
