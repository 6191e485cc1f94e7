"""A program whose number connects to a phone while the caller's keys are secret; it prints them."""

from __future__ import annotations

import sys

from sipcc import Call, Switch
from sipcc.rtp import DigitEnded

app = Switch.from_toml(sys.argv[1])


@app.route("4009001000")
async def card(call: Call) -> None:
    leg = await call.dial("1003")

    def tell(event: object) -> None:
        if isinstance(event, DigitEnded):
            sys.stdout.write(f"key {event.digit}\n")
            sys.stdout.flush()

    call.listen_keys(tell)
    with call.secure_keys():
        await call.bridge(leg, record=True)


if __name__ == "__main__":
    app.run()
