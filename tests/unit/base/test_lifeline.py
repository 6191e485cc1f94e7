from __future__ import annotations

import os
import socket

from sipcc.lifeline import MAX_DESCRIPTORS, Lifeline, Message, close_all, pair


def both() -> tuple[Lifeline, Lifeline]:
    ours, theirs = pair()
    return ours, Lifeline(theirs)


def test_messages_stay_whole_and_in_order() -> None:
    one, two = both()
    assert two.receive() is None
    assert one.send("hold", "udp:127.0.0.1:5060", b"a\0b")
    assert one.send("ready")
    assert two.receive() == Message("hold", "udp:127.0.0.1:5060", b"a\0b")
    assert two.receive() == Message("ready")
    assert two.receive() is None
    assert not two.lost
    one.close()
    assert two.receive() is None
    assert two.lost
    two.close()


def test_descriptors_arrive_as_ones_own() -> None:
    one, two = both()
    reader, writer = os.pipe()
    assert one.send("hold", "pipe", descriptors=[writer] * MAX_DESCRIPTORS)
    os.close(writer)
    message = two.receive()
    assert message is not None
    assert len(message.descriptors) == MAX_DESCRIPTORS
    os.write(message.descriptors[7], b"x")
    assert os.read(reader, 1) == b"x"
    assert not os.get_inheritable(message.descriptors[0])
    close_all([*message.descriptors, reader])
    for line in (one, two):
        line.close()


def test_who_does_not_read_is_given_up_rather_than_waited_for() -> None:
    one, two = both()
    sent = 0
    while one.send("told", body=bytes(1000)):
        sent += 1
        assert sent < 100_000
    assert one.lost
    assert not one.send("more")
    one.close()
    two.close()


def test_bytes_that_are_no_message_are_one_without_a_kind() -> None:
    ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    line = Lifeline(ours)
    theirs.send(b"noise")
    assert line.receive() == Message("")
    theirs.close()
    line.close()
