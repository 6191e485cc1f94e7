"""The bank behind `18_bank.toml`: a service that knows cards, and a bot that knows balances.

    python examples/bank_service.py

A card is valid when its last digit fits to the others (ISO/IEC 7812-1). 6222020200112230 belongs to a
customer of level 1, who speaks with the bot; 6222020200112255 to one of level 3, who is put through at once.
To the bot the caller types 1 for the balance, and 0 for a person, who sees what was talked about.
"""

import asyncio
import json
import threading
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

from websockets.asyncio.server import ServerConnection, serve

CUSTOMERS = {
    "6222020200112230": {"name": "Li Wei", "level": 1, "balance": 1250.5},
    "6222020200112255": {"name": "Wang Fang", "level": 3, "balance": 98000},
}
"""Where your customer database would be."""


def checks(card: str) -> bool:
    """Whether the last digit of a card fits to the others."""
    doubled = [int(digit) * (2 - place % 2) for place, digit in enumerate(card)]
    return sum(number - 9 * (number > 9) for number in doubled) % 10 == 0


class Verify(BaseHTTPRequestHandler):
    """Answers ``POST /verify`` with what is known of a card."""

    def do_POST(self) -> None:
        """Read the card, and answer as JSON."""
        card = json.loads(self.rfile.read(int(self.headers["Content-Length"])))["card"]
        known = CUSTOMERS.get(card, {}) if checks(card) else {}
        body = json.dumps({"valid": bool(known), **known}).encode()
        self.send_response(200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)


async def bot(link: ServerConnection) -> None:
    """Speak with one caller, in the messages of Twilio Media Streams and a few of our own."""

    async def order(**what: object) -> None:
        await link.send(json.dumps({"event": "sipcc", "sipcc": what}))

    async for message in link:
        told = json.loads(message)
        if told["event"] == "start":
            customer = told["start"]["customParameters"]
            await order(
                type="say", text=f"Good day, {customer['name']}. Type 1 for your balance, 0 for a person."
            )
        elif told["event"] == "dtmf" and told["dtmf"]["digit"] == "1":
            await order(type="say", text=f"Your balance is {customer['balance']} yuan.")
        elif told["event"] == "dtmf" and told["dtmf"]["digit"] == "0":
            await order(type="transfer", transcript=f"{customer['name']} wants to speak with a person.")


@asynccontextmanager
async def services(host: str = "127.0.0.1", cards: int = 9018, talks: int = 9019) -> AsyncIterator[None]:
    """Both services, on these ports, for as long as this lasts."""
    http = ThreadingHTTPServer((host, cards), Verify)
    threading.Thread(target=http.serve_forever, daemon=True).start()
    try:
        async with serve(bot, host, talks):
            yield
    finally:
        http.shutdown()
        http.server_close()


async def main() -> None:
    """Serve until Ctrl-C."""
    async with services():
        await asyncio.Event().wait()


if __name__ == "__main__":
    with suppress(KeyboardInterrupt):
        asyncio.run(main())
