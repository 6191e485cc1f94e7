"""SIP without a switch and without media: every call is told the place to try instead (302).

Start: `python 06_sip_only.py 127.0.0.1 5080 alice@127.0.0.1:5070`.
Dial any name at 127.0.0.1:5080 from a phone that follows 302; OPTIONS is answered too.
"""

import asyncio
import sys

from sipcc.clock import LoopClock
from sipcc.ids import Ids
from sipcc.sip import Endpoint, InviteSession, Network, SipSettings, SipUri


class Redirect:
    """A SIP user agent that sends everybody to one place."""

    def __init__(self, host: str, port: int, place: SipUri, *, network: Network | None = None) -> None:
        settings = SipSettings(listen=(f"udp:{host}:{port}", f"tcp:{host}:{port}"), user_agent="redirect")
        self.endpoint = Endpoint(settings, network=network, clock=LoopClock(), ids=Ids())
        self.endpoint.on_invite = self._moved
        self.place = place
        self.callers: list[str] = []

    def _moved(self, session: InviteSession) -> None:
        # 100 Trying has been sent; a session that is refused at once needs no listener
        self.callers.append(session.request.from_.uri.user)
        session.reject(302, headers=[("Contact", f"<{self.place}>")])


async def main(host: str, port: int, place: str) -> None:
    redirect = Redirect(host, port, SipUri.parse(f"sip:{place}"))
    await redirect.endpoint.start()
    print(f"everybody who calls {host}:{port} is sent to {place}")
    try:
        await asyncio.Event().wait()
    finally:
        await redirect.endpoint.stop()


if __name__ == "__main__":
    asyncio.run(main(sys.argv[1], int(sys.argv[2]), sys.argv[3]))
