"""A journal: what a dead process leaves, whatever is left of its file."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sipcc import journal as module
from sipcc.call.saving import SavedCall, SavedLeg
from sipcc.journal import Journal
from sipcc.rtp.flow import StreamParams
from sipcc.sip.reviving import SavedSession

SDP = b"v=0\r\no=- 1 1 IN IP4 127.0.0.1\r\ns=-\r\nc=IN IP4 127.0.0.1\r\nt=0 0\r\nm=audio 4000 RTP/AVP 8\r\n"


def journal_at(path: Path) -> Journal[SavedCall]:
    return Journal(path, SavedCall, name="calls", version=1)


def standing_in(data: bytes) -> dict[str, SavedCall]:
    return journal_at(Path("unused")).read(data)


def leg(name: str) -> SavedLeg:
    return SavedLeg(
        id=name,
        role="caller",
        port=f"port-{name}",
        session=SavedSession(
            role="uas",
            invite=b"INVITE sip:4008123456@pbx.example.com SIP/2.0\r\n\r\n",
            local_tag="a",
            local="<sip:a@example.com>;tag=a",
            remote="<sip:b@example.com>;tag=b",
            target="sip:b@127.0.0.1",
            local_cseq=1,
            transport="udp",
            here=("127.0.0.1", 5060),
            there=("127.0.0.2", 5060),
        ),
        local_body=SDP,
        remote_body=SDP,
        params=StreamParams(
            remote_host="127.0.0.2", remote_port=4000, remote_rtcp_port=4001, codec="PCMA", payload_type=8
        ),
    )


def call(name: str, **changes: object) -> SavedCall:
    values: dict[str, object] = {"called": "4008123456", "language": "zh", **changes}
    return SavedCall(id=name, caller=leg(f"{name}-1"), peer=leg(f"{name}-2"), **values)  # type: ignore[arg-type]


def written(path: Path, *calls: SavedCall, over: tuple[str, ...] = ()) -> bytes:
    journal = journal_at(path)
    journal.open()
    for each in calls:
        journal.note(each.id, each)
    for name in over:
        journal.over(name)
    journal.close()
    return path.read_bytes()


def test_what_is_up_is_found_again(tmp_path: Path) -> None:
    path = tmp_path / "sipccd.calls"
    written(path, call("one"), call("two"), call("two", variables={"a": "b"}), over=("one", "unknown"))
    assert journal_at(path).open() == {"two": call("two", variables={"a": "b"})}
    # the file was written anew, with what is up alone
    assert standing_in(path.read_bytes()) == {"two": call("two", variables={"a": "b"})}
    assert path.stat().st_mode & 0o777 == 0o600


def test_a_note_that_says_nothing_new_is_not_written(tmp_path: Path) -> None:
    path = tmp_path / "sipccd.calls"
    once = written(path, call("one"))
    path.unlink()
    assert written(path, call("one"), call("one"), call("one")) == once


def test_a_journal_that_is_cut_at_any_byte_gives_what_was_whole(tmp_path: Path) -> None:
    path = tmp_path / "sipccd.calls"
    data = written(path, call("one"), call("two"), over=("one",))
    whole = [standing_in(data[:size]) for size in range(len(data) + 1)]
    assert whole[0] == {}
    assert whole[-1] == {"two": call("two")}
    assert {frozenset(found) for found in whole} == {
        frozenset(),
        frozenset({"one"}),
        frozenset({"one", "two"}),
        frozenset({"two"}),
    }


@given(st.data())
def test_a_journal_with_a_bit_flipped_gives_a_prefix(data: st.DataObject) -> None:
    whole = b"sipcc calls 1\n" + b"".join(module._framed(name, call(name)) for name in ("one", "two"))
    place = data.draw(st.integers(0, len(whole) * 8 - 1))
    damaged = bytearray(whole)
    damaged[place // 8] ^= 1 << place % 8
    found = standing_in(bytes(damaged))
    assert set(found) in ({"one", "two"}, {"one"}, set())
    assert all(saved == call(name) for name, saved in found.items())


@given(st.binary(max_size=300))
def test_any_bytes_are_read(data: bytes) -> None:
    assert standing_in(data) == {}
    assert standing_in(b"sipcc calls 1\n" + data) == {}


def test_a_journal_does_not_grow_without_end(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "REWRITE_BYTES", 10_000)
    path = tmp_path / "sipccd.calls"
    journal = journal_at(path)
    journal.open()
    journal.note("stays", call("stays"))
    for number in range(200):
        journal.note(f"call-{number}", call(f"call-{number}"))
        journal.over(f"call-{number}")
    assert path.stat().st_size < 15_000
    journal.close()
    assert set(journal_at(path).open()) == {"stays"}


def test_a_full_disk_ends_the_journal_and_nothing_else(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "sipccd.calls"
    journal = journal_at(path)
    journal.open()
    journal.note("one", call("one"))

    def full(_descriptor: int, _data: bytes) -> int:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "write", full)
    journal.note("two", call("two"))
    journal.over("one")
    monkeypatch.undo()
    journal.close()
    assert set(journal_at(path).open()) == {"one"}


def test_a_folder_that_cannot_be_written_is_no_reason_not_to_start(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    journal = journal_at(tmp_path / "file" / "sipccd.calls")
    assert journal.open() == {}
    journal.note("one", call("one"))
    journal.over("one")
    journal.close()
