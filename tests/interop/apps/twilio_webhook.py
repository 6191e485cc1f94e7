"""A bank's menu in TwiML, by Twilio's Python helper: ``python twilio_webhook.py PORT TOKEN``."""

from __future__ import annotations

import json
import sys
from http.server import BaseHTTPRequestHandler, HTTPServer
from urllib.parse import parse_qsl

from twilio.request_validator import RequestValidator
from twilio.twiml.voice_response import VoiceResponse

PORT, TOKEN = int(sys.argv[1]), sys.argv[2]


def tell(line: str) -> None:
    sys.stdout.write(line + "\n")
    sys.stdout.flush()


def answer(path: str, sent: dict[str, str]) -> VoiceResponse:
    response = VoiceResponse()
    if path == "/call":
        gather = response.gather(num_digits=1, timeout=10, action="/menu", method="POST")
        gather.play("prompt:hello")
        response.redirect("/call")
    elif path == "/menu" and sent.get("Digits") == "1":
        response.enqueue("sales", action="/left", wait_url="")
    elif path == "/left":
        response.play("prompt:hello")
        response.hangup()
    return response


class Handler(BaseHTTPRequestHandler):
    def do_POST(self) -> None:
        text = self.rfile.read(int(self.headers["Content-Length"])).decode()
        sent = dict(parse_qsl(text, keep_blank_values=True))
        url = f"http://127.0.0.1:{PORT}{self.path}"
        signature = self.headers.get("X-Twilio-Signature", "")
        good = RequestValidator(TOKEN).validate(url, sent, signature)
        line = {"path": self.path, "error": "" if good else "wrong signature", "body": sent}
        tell(json.dumps(line))
        body = str(answer(self.path, sent)).encode()
        self.send_response(200 if good else 403)
        self.send_header("Content-Type", "text/xml")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *args: object) -> None:
        """Say nothing."""


server = HTTPServer(("127.0.0.1", PORT), Handler)
tell("ready")
server.serve_forever()
