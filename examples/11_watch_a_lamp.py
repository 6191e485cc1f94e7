"""Watch the lamp of a user: what a phone's busy-lamp key does, in a terminal (RFC 4235).

Start: `python 11_watch_a_lamp.py 127.0.0.1 5060 pbx.example.com 1002 PASSWORD 1001`.
It subscribes as 1002 to the calls of 1001 and prints each change until Ctrl-C.
Dial anybody from the phone of 1001 to see one.
"""

import asyncio
import sys
from collections.abc import AsyncIterator

from sipcc.clock import LoopClock
from sipcc.errors import ParseError
from sipcc.ids import Ids
from sipcc.sip import Address, Credentials, Endpoint, NameAddr, Network, SipSettings, SipUri
from sipcc.sip.packages import DialogInfo, parse_dialog_info


class Lamp:
    """The lamp of one user, as `watcher` sees it."""

    def __init__(self, endpoint: Endpoint, server: Address, domain: str, watcher: Credentials) -> None:
        self.endpoint = endpoint
        self.server = server
        self.domain = domain
        self.watcher = watcher

    async def changes(self, user: str) -> AsyncIterator[str]:
        """A line for each change of the calls of `user`, for as long as the server lets us watch."""
        watching = self.endpoint.subscribe(
            SipUri(user=user, host=self.domain),
            event="dialog",
            from_=NameAddr(SipUri(user=self.watcher.username, host=self.domain)),
            destination=self.server,
            credentials=self.watcher,
        )
        async for notification in watching:
            try:
                yield f"{user}: {describe(parse_dialog_info(notification.body))}"
            except ParseError as error:
                yield f"{user}: a notification that cannot be read: {error}"
        yield f"{user}: over, {watching.reason}"


def describe(info: DialogInfo) -> str:
    calls = [dialog for dialog in info.dialogs if dialog.state != "terminated"]
    if not calls:
        return "idle"
    return ", ".join(
        f"{call.state} {'from' if call.direction == 'recipient' else 'to'} "
        f"{call.remote.display or call.remote.uri if call.remote else 'somebody'}"
        for call in calls
    )


def make_endpoint(host: str, *, network: Network | None = None) -> Endpoint:
    settings = SipSettings(listen=(f"udp:{host}:0",), user_agent="lamp")
    return Endpoint(settings, network=network, clock=LoopClock(), ids=Ids())


async def main(host: str, port: str, domain: str, name: str, password: str, user: str) -> None:
    endpoint = make_endpoint("127.0.0.1" if host.startswith("127.") else "0.0.0.0")
    await endpoint.start()
    try:
        lamp = Lamp(endpoint, Address(host, int(port)), domain, Credentials(name, password))
        async for line in lamp.changes(user):
            print(line)
    finally:
        await endpoint.stop()


if __name__ == "__main__":
    asyncio.run(main(*sys.argv[1:7]))
