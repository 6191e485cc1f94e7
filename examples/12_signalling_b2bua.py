"""A back-to-back user agent without media: two dialogs joined, the SDP passed through untouched.

Start: `python 12_signalling_b2bua.py 127.0.0.1:5080 127.0.0.1:5070`: calls to the first address go on to
the second one, early answers, re-INVITEs, cancellations and hang-ups included.
"""

import asyncio
import sys

from sipcc.clock import LoopClock
from sipcc.ids import Ids
from sipcc.sip import Address, Endpoint, InviteSession, Network, Request, Response, SessionEvents, SipSettings


class Half(SessionEvents):
    """Listens to one side of a call and does on the other side what it hears."""

    other: InviteSession

    def on_provisional(self, session: InviteSession, response: Response) -> None:
        self.other.ring(response.status, body=response.body)

    def on_accepted(self, session: InviteSession, response: Response) -> None:
        self.other.accept(response.body)

    def on_rejected(self, session: InviteSession, response: Response | None) -> None:
        self.other.reject(response.status if response is not None else 408)

    def on_cancelled(self, session: InviteSession) -> None:
        self.other.cancel()

    def on_offer(self, session: InviteSession, request: Request) -> None:
        self.other.reinvite(request.body)

    def on_reinvite_answered(self, session: InviteSession, response: Response | None) -> None:
        if response is not None and response.status < 300:
            self.other.answer_offer(response.body)
        else:
            self.other.refuse_offer(response.status if response is not None else 408)

    def on_ended(self, session: InviteSession, by: str, request: Request | None) -> None:
        if by != "us":
            self.other.bye()


class BackToBack:
    """The user agent: one endpoint, and where its calls go."""

    def __init__(self, listen: str, target: Address, *, network: Network | None = None) -> None:
        settings = SipSettings(listen=(f"udp:{listen}",))
        self.endpoint = Endpoint(settings, network=network, clock=LoopClock(), ids=Ids())
        self.endpoint.on_invite = self._on_invite
        self._target = target

    def _on_invite(self, caller: InviteSession) -> None:
        near, far = Half(), Half()
        caller.listener, far.other = near, caller
        invite = caller.request
        near.other = self.endpoint.invite(
            invite.uri, from_=invite.from_.with_tag(""), to=invite.to, body=invite.body, listener=far,
            destination=self._target,
        )  # fmt: skip


async def main(listen: str, target: str) -> None:
    host, _, port = target.rpartition(":")
    b2bua = BackToBack(listen, Address(host, int(port)))
    await b2bua.endpoint.start()
    print(f"calls to {listen} go on to {target}", flush=True)
    await asyncio.Event().wait()


if __name__ == "__main__":
    asyncio.run(main(sys.argv[1], sys.argv[2]))
