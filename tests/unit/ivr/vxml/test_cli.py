"""`sipccd ivr vxml`."""

import json
import re
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest
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


SECRET = """<vxml version="2.1"><form><property name="sipcc.secret" value="true"/>
<field name="pin" type="digits?length=4"><prompt>Your PIN.</prompt>
<filled><log label="audit">pin is <value expr="pin"/></log><prompt>You typed <value expr="pin"/>.</prompt>
<if cond="pin == '9999'"><throw event="error.made.up" messageexpr="'no ' + pin"/></if>
<exit expr="[+pin]"/></filled></field></form></vxml>"""


@pytest.mark.parametrize("pin", ["4321", "9999"])
@pytest.mark.parametrize("more", [(), ("--json",)])
def test_secrets_are_masked(tmp_path: Path, pin: str, more: tuple[str, ...]) -> None:
    _, told = run(tmp_path, "--do", f"keys {pin}", *more, document=SECRET)
    assert pin not in told
    assert "pin is ****" in told
    assert not more or json.loads(told)["logs"] == ["audit: pin is ****"]


def test_a_secret_of_few_keys_is_masked_where_it_is_answered(tmp_path: Path) -> None:
    document = SECRET.replace("length=4", "length=2")
    _, told = run(tmp_path, "--do", "keys 43", document=document)
    assert "does     keys **\n" in told
    assert "result   **  " in told


@pytest.mark.parametrize(
    ("line", "problem"),
    [
        ("transfer busy", "'transfer busy': the document waits for an answer, not for a transfer"),
        ("keys 1x", "the script cannot be read: '1x' cannot be typed; keys are #*0123456789ABCD"),
        ("transfer bussy", "the script cannot be read: 'bussy' is no outcome of a transfer; bad"),
    ],
)
def test_a_script_that_cannot_be_done(tmp_path: Path, line: str, problem: str) -> None:
    code, told = run(tmp_path, "--do", line)
    assert code == 2
    assert problem in " ".join(told.split())


@pytest.mark.parametrize("url", ["http://127.0.0.1:9/x", "https://shop.example.com/x"])
def test_a_file_fetches_nothing_over_http_and_says_so(tmp_path: Path, url: str) -> None:
    document = f"<vxml version='2.1'><form><block><submit next='{url}'/></block></form></vxml>"
    code, told = run(tmp_path, document=document)
    assert code == 1
    assert "error.badfetch  message=" in told, told
    assert f"only files of {tmp_path}; give DOCUMENT by the URL of its server" in told


def test_files_beside_a_document_are_found(tmp_path: Path) -> None:
    (tmp_path / "b.vxml").write_text(
        "<vxml version='2.1'><form><block><exit expr='7'/></block></form></vxml>"
    )
    document = "<vxml version='2.1'><form><block><goto next='{}'/></block></form></vxml>"
    assert run(tmp_path, document=document.format("b.vxml"))[0] == 0
    code, told = run(tmp_path, document=document.format("../b.vxml"))
    assert code == 1
    assert f"only files of {tmp_path}" in told


def test_circles_are_told_once(tmp_path: Path) -> None:
    document = (
        "<vxml version='2.1'><form id='a'><block><log>on</log><goto next='#b'/></block></form>"
        "<form id='b'><block><goto next='#a'/></block></form></vxml>"
    )
    code, told = run(tmp_path, document=document)
    assert code == 1
    lines = told.splitlines()
    assert len(lines) < 20, told
    assert lines[1:6] == [
        "dialog   a",
        "item       kind=block",
        "log      on",
        "dialog   b",
        "item       kind=block",
    ]
    assert re.fullmatch(r"\.\.\.      the 5 lines above [0-9]{2,} times", lines[6]), told
