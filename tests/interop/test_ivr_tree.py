"""A flow of ten levels, walked by SIPp and by PJSUA2 phones: keys as events, in the sound and by INFO."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from tests.interop import pcap
from tests.interop.centre import CALLER_HZ
from tests.interop.field import Field
from tests.interop.phones import Phones, more_users, pause
from tests.interop.scenario import caller

KEYS = "3141592607"
NUMBER = "4008000110"
WAYS = {"1003": "keys", "1004": "tones", "1005": "info"}


def tree() -> str:
    """Each right key leads a level down, a wrong one to the end of the call; below is music without end."""
    parts = ['[[flows]]\nname = "tree"\nfallback = "busy"\nstart = "n0"\n']
    for level, key in enumerate(KEYS):
        following = f"n{level + 1}" if level + 1 < len(KEYS) else "play:music"
        wrong = ",".join(sorted(set("0123456789*") - {key}))
        parts.append(
            f'[flows.nodes.n{level}]\ntype = "menu"\nprompt = "hello"\ntimeout = 5\n'
            f'options = {{ "{key}" = "{following}", "{wrong}" = "bye", "#" = "dial:1003" }}\n'
        )
    parts.append('[flows.nodes.bye]\ntype = "hangup"\n')
    return "\n".join(parts)


@pytest.fixture
def field(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Field]:
    field = Field(
        tmp_path_factory.mktemp("tree"),
        callers={"outside": {}},
        numbers={NUMBER: "flow:tree"},
        extra=tree() + more_users(u1004='dtmf = "inband"', u1005='dtmf = "info"'),
        workers=1,
    )
    yield field
    field.close()


def test_ten_levels_are_walked_in_each_way_at_once(field: Field) -> None:
    phones = Phones(field)
    sound = field.folder / "tree.pcap"
    pressed = tuple((0.5 + 0.1 * index, key) for index, key in enumerate(KEYS))
    pcap.write(sound, tone_hz=CALLER_HZ, seconds=6, keys=pressed, press_ms=50)
    callers = {phones(user): way for user, way in WAYS.items()}
    sipp = caller("walks by events").invite().recv(100, optional=True).recv(200, dialog=True).ack()
    run = field.call(sipp.play().pause(5000).bye(), by="outside", number=NUMBER, audio=sound)
    for phone in callers:
        phone.tell(f"call sip:{NUMBER}@{field.centre.target}")
    for phone in callers:
        phone.wait_event("media", status=[1])
    pause(0.4)
    for phone, way in callers.items():
        phone.tell(f"{way} {KEYS}")
    run.succeed()
    for phone in callers:
        phone.tell("hangup")
        phone.wait_event("call", state="DISCONNECTED")
    records = field.centre.cdrs(4)
    assert [record["ended_by"] for record in records] == ["caller"] * 4  # in the music, which nobody ends
