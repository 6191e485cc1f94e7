"""`sipccd ivr` as an operator uses it: check, sim, walk and graph."""

import json
import threading
from http.server import BaseHTTPRequestHandler, HTTPServer
from xml.etree import ElementTree

import pytest
from click.testing import CliRunner
from tests.unit.cli.recorded import record

from sipcc.cli.main import main
from sipcc.ivr.events import NodeEntered, NodeLeft

BANK = """
fallback = "queue:service"

[nodes.main]
type = "menu"
prompt = "Press one for your order."
options = {"1" = "number", "0" = "queue:service"}

[nodes.number]
type = "gather"
prompt = "Your order number, please."
into = "number"
digits = [6, 12]
then = "told"

[nodes.told]
type = "lookup"
source = "orders"
into = "order"
deadline = 1
send = {"number" = "{number}"}
then = "state"
failed = "queue:service"

[nodes.state]
type = "say"
prompt = "Your order is {order.state}."
then = "hangup"
"""

CONFIG = """
[records]
database = "calls.db"

[[agents]]
name = "ann"
uri = "sip:ann@127.0.0.1:5099"
queues = ["service"]

[[queues]]
name = "service"

[[flows]]
name = "bank"
file = "bank.toml"

[[flows]]
name = "night"

[flows.nodes.bye]
type = "say"
prompt = "closed"
then = "queue:service"
"""


@pytest.fixture
def folder(tmp_path):
    (tmp_path / "bank.toml").write_text(BANK)
    (tmp_path / "sipcc.toml").write_text(CONFIG)
    return tmp_path


def run(*args, expect=0, **more):
    result = CliRunner().invoke(main, ["ivr", *map(str, args)], **more)
    assert result.exit_code == expect, result.output
    return result


def test_a_sound_flow_is_checked(folder):
    assert run("check", folder / "bank.toml").output == "bank: all is well\n"


def test_mistakes_are_told_with_place_code_and_cure(folder):
    (folder / "bank.toml").write_text(BANK.replace('"1" = "number"', '"1" = "nmuber"'))
    output = run("check", folder / "bank.toml", expect=1).output
    assert (
        "bank.toml:7:12: E02 bank.main.options.1: there is no node 'nmuber'; did you mean 'number'?" in output
    )
    assert "E01 bank.number" in output
    assert output.splitlines()[-1].endswith("errors, 0 warnings")


def test_warnings_fail_only_when_strict(folder):
    (folder / "bank.toml").write_text(BANK.replace('"0" =', '"12" ='))
    assert "W09" in run("check", folder / "bank.toml").output
    run("check", folder / "bank.toml", "--strict", expect=1)


def test_what_cannot_be_read_is_told_too(folder):
    (folder / "bank.toml").write_text("[nodes.main]\ntype = 'mneu'\n")
    assert "bank.toml:2:1" in run("check", folder / "bank.toml", expect=1).output
    assert "no type of node 'mneu'" in run("sim", folder / "bank.toml", expect=2).stderr


def test_all_flows_of_a_configuration_and_the_queues_in_it(folder):
    output = run("check", "-c", folder / "sipcc.toml").output
    assert output == "bank, night: all is well\n"
    (folder / "bank.toml").write_text(BANK.replace('"0" = "queue:service"', '"0" = "queue:servcie"'))
    output = run("check", folder / "bank.toml", "-c", folder / "sipcc.toml", expect=1).output
    assert "bank.toml:7:28 bank.main.options.0: E20 there is no queue 'servcie'; did you mean 'ser" in output
    assert run("check", "-c", folder / "sipcc.toml", expect=1).output == output
    (folder / "other.toml").write_text(BANK.replace('"0" = "queue:service"', '"0" = "queue:servcie"'))
    (folder / "bank.toml").write_text(BANK)
    output = run("check", folder / "other.toml", "-c", folder / "sipcc.toml", expect=1).output
    assert "other.toml:7:28: E20 other.main.options.0: there is no queue 'servcie'" in output


def test_a_configuration_stands_for_its_flows(folder):
    assert run("check", folder / "sipcc.toml").output == "bank, night: all is well\n"
    error = run("walk", folder / "sipcc.toml", expect=1).stderr
    assert "is a configuration with the flows bank, night: name one, as in -c" in error
    error = run("check", folder / "sipcc.toml", "-c", folder / "sipcc.toml", expect=1).stderr
    assert "is a configuration, not a flow" in error
    (folder / "sipcc.toml").write_text(CONFIG.split('[[flows]]\nname = "night"')[0])
    assert "nodes     4 of 4" in run("walk", folder / "sipcc.toml", "--walks", 50).output


MENUS = """
[[menus]]
name = "main"
prompt = "welcome"
options = {"1" = "queue:service", "2" = "menu:more"}
then = "queue:service"
[[menus]]
name = "more"
prompt = "welcome"
options = {"1" = "menu:main"}
then = "menu:main"
"""


def test_menus_are_flows_too(folder):
    config = folder / "sipcc.toml"
    config.write_text(CONFIG + MENUS)
    assert run("check", "-c", config).output == "bank, night, menu:main: all is well\n"
    assert run("check", "menu:more", "-c", config).output == "menu:more: all is well\n"
    assert '-->|"2"| n1' in run("graph", "menu:main", "-c", config, "--format", "mermaid").output
    output = run("walk", "menu:main", "-c", config, "--walks", 50).output
    assert "nodes     2 of 2" in output
    assert "exit      queue:service: 50" in output
    output = run(
        "sim", "menu:main", "-c", config, "--do", "keys 2", "--do", "keys 1", "--do", "keys 1"
    ).output
    assert "path: menu:main.main > menu:main.more > menu:main.main" in output
    error = run("sim", "menu:mian", "-c", config, expect=1).stderr
    assert "there is no flow 'menu:mian'" in error
    assert "did you mean 'menu:main'?" in error
    config.write_text(CONFIG + MENUS.replace('"2" = "menu:more"', '"3" = "menu:more"'))
    assert "W13 menu:main.main.options: the numbers have a gap" in run("check", "-c", config).output
    (folder / "bank.toml").write_text(BANK.replace('"0" = "queue:service"', '"0" = "menu:more"'))
    config.write_text(CONFIG + MENUS)
    output = run("sim", "bank", "-c", config, "--do", "keys 0", "--do", "keys 1", "--do", "keys 1").output
    assert "menu:more.more > menu:more.main" in output
    output = run("walk", "bank", "-c", config, "--walks", 50).output
    assert "menu:more.more" in output or "nodes     6 of 6" in output
    before, _, _ = CONFIG.partition("[[flows]]")
    config.write_text(before + MENUS)
    assert "nodes     2 of 2" in run("walk", config, "--walks", 20).output


def test_a_destination_of_a_menu_that_fails_is_told(folder):
    config = folder / "sipcc.toml"
    config.write_text(
        CONFIG + MENUS.replace('"menu:more"}', '"menu:more", "1002" = "dial:sip:1002@192.0.2.7"}')
    )
    output = run("sim", "menu:main", "-c", config, "--do", "keys 1002", "--do", "dial=busy").output
    assert "fell back in menu:main. to play:goodbye: dial:sip:1002@192.0.2.7: rejected with 486" in output
    assert output.count("goodbye") == 2  # heard once, and told once


@pytest.mark.parametrize(
    ("setting", "said"),
    [
        ("queue={wait=inf}", "'wait' of queue is a number of seconds from 0 to 604800, not inf"),
        ("queue={wait=1e400}", "'wait' of queue is a number of seconds"),
        ("queue={wait=nan}", "'wait' of queue is a number of seconds"),
        ("queue={talk=-5}", "'talk' of queue is a number of seconds from 0 to 604800, not -5"),
        ("queue={wait=true}", "'wait' of queue is a number of seconds"),
        ("dial={ring=-5}", "'ring' of dial is a number of seconds"),
        ("dial={rings=5}", "'rings' is nothing of dial; it has outcome, ring, seconds, status"),
        ("dial={status=1}", "'status' of dial is a number from 100 to 699, not 1"),
        ("queue=banana", "'banana' is no exit of queue; there are abandoned, answered,"),
        ('queue={exit="banana"}', "'banana' is no exit of queue"),
        ("queue=[1]", "queue is an exit, or a table with exit, wait,"),
        ("queue=7", "queue is an exit, or a table with exit, wait,"),
        ('queue={ended_by="me"}', "'me' is no ended_by of queue; there are agent, caller"),
        ("queue={position=-1}", "'position' of queue is a number from 0 to"),
        ("queue={agent=3}", "'agent' of queue is a text, not 3"),
        ("dial=banana", "'banana' is no outcome of dial; there are answered, busy,"),
        ("stream=banana", "'banana' is no ended_by of stream; there are lost, program, unreachable"),
        ("stream={seconds=-1}", "'seconds' of stream is a number of seconds"),
        ("stream={context={a=1}}", "'context' of stream is a table of texts"),
        ("conference=-5", "conference is a number of seconds from 0 to 604800, not -5"),
        ("conference=banana", "conference is a number of seconds"),
        ("wait=nan", "'wait' is what a caller does, as in 'wait 2s'; no setting is called so"),
        (f"wait {'9' * 400}s", "is longer than a call may be, 604800 s"),
    ],
)
def test_a_setting_that_is_wrong_is_refused_in_words(folder, setting, said):
    error = run("sim", folder / "bank.toml", "--do", setting, expect=2).stderr
    assert said in error


def test_a_flow_that_is_not_there(folder):
    error = run("check", "bnak", "-c", folder / "sipcc.toml", expect=1).stderr
    assert "there is no flow 'bnak'" in error
    assert "did you mean 'bank'?" in error


def test_a_made_up_caller(folder):
    script = folder / "caller.txt"
    script.write_text('orders={state="on its way"}\nkeys 1\n')
    output = run("sim", folder / "bank.toml", "--script", script, "--do", "listen keys 123456#").output
    assert "Your order is on its way." in output
    assert "path: bank.main > bank.number > bank.told > bank.state" in output
    assert "fell_back" not in output
    made = json.loads(run("sim", "bank", "-c", folder / "sipcc.toml", "--json", "--do", "hangup").output)
    assert made["exit"] == "caller"
    assert made["path"] == ["bank.main"]


def test_a_script_that_cannot_be_read(folder):
    error = run("sim", folder / "bank.toml", "--do", "press 1", expect=2).stderr
    assert "the script cannot be read: line 1: 'press' is not known" in error


def test_a_caller_at_night(folder):
    (folder / "sipcc.toml").write_text(
        CONFIG + '\n[[hours]]\nname = "shop"\nweek = {"mon-fri" = "09:00-18:00"}\n'
        '[[flows]]\nname = "open"\n[flows.nodes.o]\ntype = "hours"\ncalendar = "shop"\n'
        'open = "queue:service"\nclosed = "flow:night"\n'
    )
    command = ("sim", "open", "-c", folder / "sipcc.toml", "--at")
    assert "queue:service" in run(*command, "2026-03-02T10:00:00+08:00").output
    assert "closed" in run(*command, "2026-03-01T10:00:00+08:00").output


def test_callers_who_walk_by_chance(folder):
    output = run("walk", folder / "bank.toml", "--walks", "300", "--require", "100").output
    assert "nodes     4 of 4 (100.0 %)" in output
    assert "person    after" in output
    report = json.loads(run("walk", "bank", "-c", folder / "sipcc.toml", "--walks", "50", "--json").output)
    assert report["walks"] == 50
    (folder / "bank.toml").write_text(
        BANK + '\n[nodes.island]\ntype = "return"\n[nodes.i2]\ntype = "goto"\nto = "island"\n'
    )
    result = run("walk", folder / "bank.toml", "--walks", "50", "--require", "100", expect=1)
    assert "not reached: bank.island" in result.output
    assert "of the ways were taken, not 100 %" in result.stderr


def test_a_drawing(folder):
    text = run("graph", folder / "bank.toml").output
    ElementTree.fromstring(text)
    assert run("graph", folder / "bank.toml", "--format", "dot").output.startswith('digraph "bank"')
    assert run("graph", folder / "bank.toml", "--format", "mermaid").output.startswith("flowchart")
    assert "bank.svg: 4 nodes" in run("graph", folder / "bank.toml", "-o", folder / "bank.svg").output
    error = run("graph", folder / "bank.toml", "-o", folder / "no" / "bank.svg", expect=1).stderr
    assert "cannot write" in error


class Daemon(BaseHTTPRequestHandler):
    """Answers with one node's figures."""

    def do_GET(self):
        if self.headers["Authorization"] != "Bearer right":
            self.send_error(401)
            return
        row = {
            "flow": "bank",
            "node": "main",
            "entries": 4,
            "ended": 1,
            "timed_out": 0,
            "edges": {"options.1": 3},
        }
        body = json.dumps([row]).encode()
        self.send_response(200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *args):
        pass


def test_what_callers_did_over_http(folder):
    with HTTPServer(("127.0.0.1", 0), Daemon) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        url = f"http://127.0.0.1:{server.server_port}"
        text = run("graph", folder / "bank.toml", "--url", url, "--token", "right").output
        refused = run("graph", folder / "bank.toml", "--url", url, expect=1).stderr
        server.shutdown()
        thread.join()
    assert "4 calls, 25 % lost, 0 % silent" in text
    assert "refuses: 401" in refused
    assert "give --token" in refused
    assert "cannot ask" in run("graph", folder / "bank.toml", "--url", url, expect=1).stderr
    assert "no address" in run("graph", folder / "bank.toml", "--url", "127.0.0.1", expect=1).stderr


def test_what_callers_did_from_the_records(folder):
    common = {"at": 0.0, "flow": "bank", "version": "1", "node": "main"}
    record(
        folder,
        [
            event
            for call, edge in enumerate(["options.1", "options.1", "options.0", "ended"])
            for event in (
                NodeEntered(**common, call=str(call), kind="menu"),
                NodeLeft(**common, call=str(call), edge=edge, noinput=int(call == 2)),
            )
        ],
    )
    (folder / "sipcc.toml").write_text(CONFIG.replace("calls.db", "sipcc.db"))
    command = ("graph", "bank", "-c", folder / "sipcc.toml", "--live", "--since")
    assert "4 calls, 25 % lost, 25 % silent" in run(*command, "2023-11-14").output
    assert "no calls" in run(*command, "2023-11-17").output


def test_what_callers_did_where_nothing_was_recorded(folder):
    error = run("graph", "bank", "-c", folder / "sipcc.toml", "--live", expect=1).stderr
    assert "there is no database" in error


def test_exits_that_no_queue_has_and_a_folder_that_is_not_there(tmp_path):
    text = 'fallback = "queue:q"\n[nodes.a]\ntype = "queue"\nqueue = "q"\nexits = {timedout = "hangup"}\n'
    (tmp_path / "x.toml").write_text(text)
    output = run("check", tmp_path / "x.toml", expect=1).output
    assert "nobody leaves a queue by 'timedout'; did you mean 'timed_out'?" in output
    assert (
        "does not exist" in run("check", tmp_path / "x.toml", "--prompts", tmp_path / "no", expect=2).stderr
    )
