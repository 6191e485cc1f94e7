from __future__ import annotations

import asyncio
import random

from sipcc.clock import LoopClock
from sipcc.ids import Ids
from sipcc.sip import Endpoint, InboundRequest, NameAddr, SipSettings, SipUri
from sipcc.testing.network import MemoryNetwork


def make(network: MemoryNetwork, host: str) -> Endpoint:
    settings = SipSettings(listen=(f"udp:{host}:5060",))
    return Endpoint(
        settings, network=network.host(host), clock=LoopClock(wall=0.0), ids=Ids(random.Random(host))
    )


async def test_a_notifier_that_ends_what_it_began_at_once_is_asked_once_a_second() -> None:
    network = MemoryNetwork()
    watcher, notifier = make(network, "10.0.0.1"), make(network, "10.0.0.2")
    await watcher.start()
    await notifier.start()
    asked: list[InboundRequest] = []

    def on_subscribe(inbound: InboundRequest) -> None:
        asked.append(inbound)
        inbound.reply(200, headers=[("Expires", "3600"), ("Contact", "<sip:b@10.0.0.2>")])
        request = inbound.request
        for number, state in enumerate(("active;expires=3600", "terminated;reason=deactivated"), 1):
            notify = (
                f"NOTIFY sip:a@10.0.0.1 SIP/2.0\r\n"
                f"Via: SIP/2.0/UDP 10.0.0.2:5060;branch=z9hG4bK{len(asked)}.{number}\r\nMax-Forwards: 70\r\n"
                f"From: {request.headers.get('To')};tag=b\r\nTo: {request.headers.get('From')}\r\n"
                f"Call-ID: {request.call_id}\r\nCSeq: {number} NOTIFY\r\nContact: <sip:b@10.0.0.2>\r\n"
                f"Event: dialog\r\nSubscription-State: {state}\r\nContent-Length: 0\r\n\r\n"
            ).encode()
            asyncio.get_running_loop().call_later(0.01 * number, inbound.flow.send, notify)

    notifier.on_request["SUBSCRIBE"] = on_subscribe
    target, from_ = SipUri.parse("sip:b@10.0.0.2"), NameAddr.parse("<sip:a@example.com>")
    watcher.subscribe(target, event="dialog", from_=from_)
    await asyncio.sleep(10.5)
    assert 8 <= len(asked) <= 11
    await watcher.stop()
    await notifier.stop()
