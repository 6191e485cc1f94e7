"""A bank's menu as a web application: it is asked over HTTP what happens in a call, and answers in JSON.

Write in sipcc.toml:

    [[webapps]]
    name = "bank"
    url = "http://127.0.0.1:3000/call"
    fallback = "queue:sales"            # takes the caller when this program is dead

    [[numbers]]
    number = "4008123456"
    to = "webapp:bank"

Start `python 19_webapp.py`, then `sipccd run`, and dial the number. docs/webhooks-ivr.md has all verbs.
"""

import json
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

BALANCES = {"62220001": "1204.50"}
"""Where your customer database would be."""


def ask(prompt: str, digits: int, hook: str) -> dict[str, Any]:
    """Say something and wait for keys, which go to `hook`."""
    return {"verb": "gather", "numDigits": digits, "actionHook": hook, "say": {"text": prompt}, "timeout": 5}


def say(text: str) -> dict[str, Any]:
    """Say something."""
    return {"verb": "say", "text": text}


def answer(path: str, told: dict[str, Any]) -> list[dict[str, Any]]:
    """The verbs that come next, for each place in the application."""
    digits = told.get("digits", "")
    if path == "/call":
        menu = "Press 1 for your balance, or 2 for somebody to talk to."
        return [ask(menu, 1, "/menu"), {"verb": "hangup"}]
    if path == "/menu" and digits == "1":
        return [ask("Type the eight digits of your account.", 8, "/account")]
    if path == "/menu" and digits == "2":
        return [{"verb": "enqueue", "name": "sales"}]
    if path == "/account" and digits in BALANCES:
        spoken = f"<speak>You have <say-as interpret-as='currency'>{BALANCES[digits]}</say-as></speak>"
        return [{"verb": "tag", "data": {"account": digits}}, say(spoken), {"verb": "hangup"}]
    return [say("That was not right."), {"verb": "redirect", "actionHook": "/call"}]


class Application(BaseHTTPRequestHandler):
    """Takes the questions."""

    protocol_version = "HTTP/1.1"  # connections stay open: an answer takes a millisecond

    def do_POST(self) -> None:
        told = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        body = json.dumps(answer(self.path, told)).encode()
        self.send_response(200)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)


if __name__ == "__main__":
    ThreadingHTTPServer(("127.0.0.1", 3000), Application).serve_forever()
