"""`sipccd ivr vxml`."""

import json
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

from click.testing import CliRunner

from sipcc.cli.main import main

DOCUMENT = """<vxml version="2.1"><form>
<field name="a" type="digits?length=2"><prompt>Two digits.</prompt></field>
<block>You typed <value expr="a"/>.<exit expr="a"/></block></form></vxml>"""


def run(folder: Path, *more: str, document: str = DOCUMENT, stdin: str = "") -> tuple[int, str]:
    path = folder / "a.vxml"
    path.write_text(document)
    result = CliRunner().invoke(main, ["ivr", "vxml", str(path), *more], input=stdin)
    return result.exit_code, result.output


def test_what_happens_is_told_in_its_order(tmp_path: Path) -> None:
    code, told = run(tmp_path, "--do", "silence", "--do", "keys 12")
    assert code == 0
    words = [line.split(maxsplit=1)[0] for line in told.splitlines()]
    assert words == ["visit", "dialog", "item", "say", "does", "event", "item", "say", "does", "result", "item", "say", "exit", "value", "seconds"]  # fmt: skip  # noqa: E501
    assert 'value    "12"' in told


def test_as_json_with_a_script_from_stdin(tmp_path: Path) -> None:
    code, told = run(tmp_path, "--script", "-", "--json", stdin="keys 34\n")
    found = json.loads(told)
    assert (code, found["value"], found["prompts"]) == (0, "34", ["Two digits.", "You typed 34."])


def test_a_document_that_fails(tmp_path: Path) -> None:
    code, told = run(tmp_path, document="<vxml version='2.1'><form><oops/></form></vxml>")
    assert code == 1
    assert "a.vxml:1:27: <oops> is not known" in told


def test_a_file_that_is_not_there() -> None:
    result = CliRunner().invoke(main, ["ivr", "vxml", "/nowhere/a.vxml"])
    assert result.exit_code == 2
    assert "there is no file" in result.output


def test_documents_over_http(tmp_path: Path) -> None:
    """Two documents, a cookie, and a server on the loopback, which only its own document may ask."""

    class Server(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            first = self.path == "/a.vxml"
            seen = self.headers.get("Cookie", "none")
            content = "<goto next='b.vxml'/>" if first else f"<exit expr=\"'{seen}'\"/>"
            body = f"<vxml version='2.1'><form><block>{content}</block></form></vxml>".encode()
            self.send_response(200)
            self.send_header("Content-Length", str(len(body)))
            if first:
                self.send_header("Set-Cookie", "caller=7")
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, format: str, *args: object) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Server)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    try:
        url = f"http://127.0.0.1:{server.server_port}/a.vxml"
        result = CliRunner().invoke(main, ["ivr", "vxml", url, "--json"])
    finally:
        server.shutdown()
        thread.join()
        server.server_close()
    found = json.loads(result.output)
    assert (found["reason"], found["value"]) == ("exit", "caller=7"), found
