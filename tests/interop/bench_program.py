"""A test bench on the library, as a process: each call does what its INVITE asks for in the header X-Do.

Steps stand between semicolons: ``ring STATUS [early] [reliable]``, ``answer``, ``wait SECONDS``,
``hold HOW``, ``resume``, ``refer URI``, ``info``, ``text WORD``, ``ping``, ``keys DIGITS``,
``reject STATUS``,
``redirect URI``, ``dial TARGET`` (what follows is about that party), ``hangup``. What a step returned is
printed as JSON.
"""

from __future__ import annotations

import json
import sys
from typing import Any

from sipcc import Call, Switch

app = Switch.from_toml(sys.argv[1])


def told(step: str, result: object) -> None:
    sys.stdout.write(json.dumps({"step": step, "result": result}) + "\n")
    sys.stdout.flush()


@app.route("4009009999")
async def bench(call: Call) -> None:
    party: Any = call
    for step in (call.request.headers.get("X-Do") or "").split(";"):  # type: ignore[union-attr]
        verb, *words = step.split()
        if verb == "ring":
            await call.ring(int(words[0]), early="early" in words, reliable="reliable" in words or None)
        elif verb == "answer":
            await call.answer(headers=[("X-Bench", "answered")])
        elif verb == "wait":
            await call.wait(float(words[0]))
        elif verb == "hold":
            told(step, await party.hold(words[0]))
        elif verb == "resume":
            told(step, await party.resume())
        elif verb == "refer":
            told(step, await party.refer(words[0], timeout=10))
        elif verb == "info":
            told(step, await party.send_info("application/x-bench", b"beep"))
        elif verb == "text":
            told(step, await party.send_message(words[0]))
        elif verb == "ping":
            told(step, await party.ping())
        elif verb == "keys":
            party.send_digits(words[0], method="info")
        elif verb == "reject":
            await call.reject(int(words[0]), "Not Now", headers=[("X-Bench", "rejected")])
        elif verb == "redirect":
            await call.redirect(words[0])
        elif verb == "dial":
            party = await call.dial(words[0], timeout=10)
        elif verb == "hangup":
            if party is not call:
                party.hangup("normal")
            await call.hangup()


if __name__ == "__main__":
    app.run()
