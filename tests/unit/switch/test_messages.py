from __future__ import annotations

import random
from typing import Any

import pytest
from tests.unit.switch.test_places import registered
from tests.unit.switch.test_places_gruu import StillClock

from sipcc.ids import Ids
from sipcc.sip import Address, Endpoint, Response, SipSettings, SipUri, UserSettings
from sipcc.sip.headers import Headers
from sipcc.sip.transport.manager import Unopened
from sipcc.switch.messages import Messages


class AskedEndpoint(Endpoint):
    """Writes down who is asked; all say 200."""

    def __init__(self) -> None:
        super().__init__(SipSettings(), clock=StillClock(), ids=Ids(random.Random(1)))
        self.asked: list[str] = []

    async def request(self, method: str, target: SipUri, **options: Any) -> Response:
        self.asked.append(str(target))
        return Response(200, "OK", Headers())


@pytest.mark.parametrize(
    ("contact", "closed", "status"),
    [
        ("sip:1001@192.0.2.77:5070", True, 200),
        ("sip:1001@10.0.0.7", False, 200),
        ("sip:13800138000@192.0.2.10", True, 480),
        ("sip:13800138000@alias.example.org", True, 480),
    ],
)
async def test_a_phone_whose_stream_is_closed_is_at_its_own_address_or_nowhere(
    contact: str, closed: bool, status: int
) -> None:
    endpoint = AskedEndpoint()
    flow = Unopened("tcp", Address("192.0.2.77", 40000))
    flow.closed = closed
    registrar = registered(contact, flow)
    users = [UserSettings(name="1001", password="secret")]
    messages = Messages(
        endpoint, registrar=registrar, users=users, domain="pbx.example.com", clock=StillClock()
    )
    assert await messages.send("1001", "x") == status
    assert endpoint.asked == [contact] * (status == 200)
