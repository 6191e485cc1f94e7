"""A callee to test others with: the dialled number says how it behaves. It signals, and sends no audio.

Start: `python 13_test_bench.py 127.0.0.1:5080`. Dial sip:183@127.0.0.1:5080 and the like.
"""

import asyncio
import sys
from operator import methodcaller as do

from sipcc.clock import LoopClock
from sipcc.ids import Ids
from sipcc.sip import Endpoint, InviteSession, Request, Response, SessionEvents, SipSettings

SDP = "v=0\r\no=- 1 {} IN IP4 {}\r\ns=-\r\nc=IN IP4 {}\r\nt=0 0\r\nm=audio 4000 RTP/AVP 0\r\na={}\r\n"
MIRROR = {b"a=sendonly": "recvonly", b"a=recvonly": "sendonly", b"a=inactive": "inactive"}
ELSEWHERE = "<sip:1002@127.0.0.1:5090>"


def sdp(host: str, version: int = 1, direction: str = "sendrecv") -> bytes:
    return SDP.format(version, host, host, direction).encode()


def scripts(host: str) -> dict[str, list[do | float]]:
    """The steps of each number: verbs of `InviteSession` with what they take, and seconds to wait."""
    ours, taken = sdp(host), do("accept", sdp(host))
    key = do("send_request", "INFO", body=b"Signal=5\r\n", content_type="application/dtmf-relay")
    return {
        "180": [do("ring"), 3.0, taken],
        "183": [do("ring", 183, body=ours, reliable=False), 3.0, taken],
        "184": [do("ring", 183, body=ours, reliable=True), 1.0, do("update"), 3.0, do("accept", b"")],
        "late": [8.0, do("accept", ours, headers=[("X-Bench", "late")])],  # 100 leaves by itself
        "mute": [do("accept", b"")],  # no description, whether there was an offer or not
        "slow": [taken],  # and a re-INVITE waits for its answer
        "hold": [taken, 1.0, do("reinvite", sdp(host, 2, "sendonly")), 3.0, do("reinvite", sdp(host, 3))],
        "change": [taken, 1.0, do("update", sdp(host, 2)), 1.0, do("reinvite", b"")],  # b"" asks for an offer
        "words": [taken, 1.0, key, 1.0, do("send_request", "MESSAGE", body=b"hi", content_type="text/plain")],
        "refer": [taken, 1.0, do("send_request", "REFER", headers=[("Refer-To", ELSEWHERE)])],
        "302": [do("reject", 302, headers=[("Contact", ELSEWHERE)])],
        "486": [do("ring"), 2.0, do("reject", 486, headers=[("Reason", "Q.850;cause=17")])],
    }


class Callee(SessionEvents):
    """One call: runs the steps of its number, and agrees to whatever the caller asks for."""

    def __init__(self, session: InviteSession) -> None:
        session.listener = self
        self.host, self.number = session.flow.local.host, session.request.uri.user
        self.task = asyncio.get_running_loop().create_task(self.run(session))

    async def run(self, session: InviteSession) -> None:
        for step in scripts(self.host).get(self.number, [do("reject", 404)]):
            await asyncio.sleep(step) if isinstance(step, float) else step(session)

    def on_offer(self, session: InviteSession, request: Request) -> None:
        wanted = [ours for theirs, ours in MIRROR.items() if theirs in request.body]
        body = sdp(self.host, 4, *wanted) if request.body or request.method == "INVITE" else b""
        asyncio.get_running_loop().call_later(5.0 * (self.number == "slow"), session.answer_offer, body)

    def on_reinvite_answered(self, session: InviteSession, response: Response | None) -> None:
        if session.owes_ack:
            session.acknowledge(sdp(self.host, 3))

    def on_ended(self, *_: object) -> None:
        self.task.cancel()

    on_cancelled = on_ended


async def main(listen: str) -> None:
    settings = SipSettings(listen=(f"udp:{listen}", f"tcp:{listen}"), reliable="supported")
    endpoint = Endpoint(settings, clock=LoopClock(), ids=Ids())
    endpoint.on_invite = Callee
    await endpoint.start()
    await asyncio.Event().wait()


if __name__ == "__main__":
    asyncio.run(main(sys.argv[1]))
