"""Dialog documents: what lamps read, whatever the names in them are."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sipcc.errors import ParseError
from sipcc.sip.packages import DialogPackage, Party, WatchedDialog, parse_dialog_info
from sipcc.sip.packages.dialog_info import KEPT_ENDED, MAX_DIALOGS, CallState
from sipcc.sip.uri import SipUri


def package(*, partial: bool = False, replaces: bool = True) -> DialogPackage:
    def entity(name: str) -> str:
        return f"sip:{name}@example.com"

    return DialogPackage(lambda uri: uri.user, entity, partial=partial, replaces=replaces)


def call(name: str, state: CallState = "early", **more: object) -> WatchedDialog:
    known: dict[str, object] = {"remote": Party("sip:4008123456@example.com", "Caller")}
    return WatchedDialog(id=name, direction="recipient", state=state, **{**known, **more})  # type: ignore[arg-type]


def read(what: DialogPackage, since: int | None = None, version: int = 0) -> tuple[bool, dict[str, str], int]:
    document = what.document("1001", version=version, since=since, now=0.0)
    info = parse_dialog_info(document.body)
    assert info.entity == "sip:1001@example.com"
    assert info.version == version
    return info.full, {dialog.id: dialog.state for dialog in info.dialogs}, document.revision


def test_an_idle_user_has_a_dialog_that_is_over() -> None:
    # an empty document leaves the lamps of some phones lit
    assert read(package()) == (True, {"1001": "terminated"}, 0)


def test_the_whole_state_has_the_live_calls() -> None:
    what = package()
    changes: list[str] = []
    what.changed = changes.append
    what.update("1001", call("a", "trying"))
    what.update("1001", call("a", "early"))
    what.update("1001", call("a", "early"))
    what.update("1001", call("b", "confirmed"))
    what.update("1002", call("c", "early"))
    assert changes == ["1001", "1001", "1001", "1002"]
    assert read(what, since=1, version=7) == (True, {"a": "early", "b": "confirmed"}, 3)
    what.update("1001", call("a", "terminated"))
    what.update("1001", call("a", "terminated"))
    what.update("1001", call("b", "terminated"))
    assert read(what)[:2] == (True, {"1001": "terminated"})
    assert len(what) == 1


def test_changes_alone() -> None:
    what = package(partial=True)
    what.update("1001", call("a", "early"))
    what.update("1001", call("b", "early"))
    full, _, since = read(what)
    assert full
    what.update("1001", call("a", "terminated", event="cancelled", code=487))
    what.update("1001", call("c", "trying"))
    assert read(what, since) == (False, {"a": "terminated", "c": "trying"}, 4)
    assert read(what, 4) == (False, {}, 4)
    assert read(what, None) == (True, {"b": "early", "c": "trying"}, 4)


def test_changes_that_were_forgotten_bring_the_whole_state() -> None:
    what = package(partial=True)
    for number in range(KEPT_ENDED + 1):
        what.update("1001", call(f"x{number}", "early"))
        what.update("1001", call(f"x{number}", "terminated"))
    assert read(what, 1)[0]
    assert not read(what, 2)[0]


def test_a_document_has_a_bounded_number_of_calls() -> None:
    what = package()
    for number in range(100):
        what.update("1001", call(str(number)))
    assert len(read(what)[1]) == MAX_DIALOGS


def test_what_it_takes_to_pick_a_call_up() -> None:
    one = call("a", call_id="c1", local_tag="l1", remote_tag="r1", local=Party("sip:1001@example.com"))
    what = package()
    what.update("1001", one)
    assert parse_dialog_info(what.document("1001", version=0, since=None, now=0).body).dialogs == (one,)
    what = package(replaces=False)
    what.update("1001", one)
    found = parse_dialog_info(what.document("1001", version=0, since=None, now=0).body).dialogs[0]
    assert (found.call_id, found.local_tag, found.remote_tag) == ("", "", "")


@given(st.text(max_size=400), st.text(max_size=40))
def test_any_name_makes_valid_xml(name: str, tag: str) -> None:
    what = package()
    what.update(
        "1001", call(tag or "x", remote=Party(f"sip:{name}@example.com", name), local_tag=tag, call_id=tag)
    )
    document = what.document("1001", version=0, since=None, now=0)
    assert len(document.body) < 8000
    parse_dialog_info(document.body)


def test_four_byte_characters_and_quotes_come_through() -> None:
    what = package()
    what.update("1001", call("a", remote=Party("sip:x@example.com", "张 🐉 <b> \"x\" & 'y'\x00\udcff")))
    found = parse_dialog_info(what.document("1001", version=0, since=None, now=0).body).dialogs[0].remote
    assert found == Party("sip:x@example.com", "张 🐉 <b> \"x\" & 'y'\ufffd\ufffd")


BOMB = b"""<!DOCTYPE d [<!ENTITY a "aaaaaaaaaa"><!ENTITY b "&a;&a;&a;&a;">]>
<dialog-info xmlns="urn:ietf:params:xml:ns:dialog-info" version="0" state="full" entity="&b;"/>"""


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"<",
        b"<dialogs/>",
        b'<presence xmlns="urn:ietf:params:xml:ns:dialog-info"/>',
        b'<?xml version="1.0" encoding="no-such"?><a/>',
        BOMB,
        BOMB.decode().encode("utf-16"),
        b"<a>" * 100_000,
        b'<dialog-info xmlns="urn:ietf:params:xml:ns:dialog-info">' + b"<a/>" * 10_000 + b"</dialog-info>",
        b'<dialog-info xmlns="urn:ietf:params:xml:ns:dialog-info">&x;</dialog-info>',
    ],
)
def test_what_is_no_document(body: bytes) -> None:
    with pytest.raises(ParseError):
        parse_dialog_info(body)


def test_calls_in_an_unknown_state_are_left_out() -> None:
    body = b"""<dialog-info version="1_0" state="partial" entity="without a namespace">
    <dialog id="a"><state code="4_6">odd</state></dialog><dialog><state>early</state></dialog>
    <dialog id="b"><state code="486"> proceeding </state><remote/></dialog><dialog id="c"/></dialog-info>"""
    info = parse_dialog_info(body)
    assert (info.version, info.full, info.busy) == (0, False, True)
    assert [(dialog.id, dialog.state, dialog.code) for dialog in info.dialogs] == [("b", "trying", 486)]


def test_the_resource_is_found_by_who_knows_it() -> None:
    assert package().resource_of(SipUri.parse("sip:1001@example.com")) == "1001"
