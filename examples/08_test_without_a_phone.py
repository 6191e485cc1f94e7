"""A test of example 01: real SIP and RTP in memory, on a clock that jumps. Nothing is dialled by hand.

Start: `pytest examples/08_test_without_a_phone.py`. Its seconds are those of the clock that jumps.
"""

import runpy
from pathlib import Path

from sipcc.rtp import LocalEngine
from sipcc.sip import Address
from sipcc.testing import MemoryNetwork, run_virtual
from sipcc.testing.audio import tone, write_wav
from sipcc.testing.carrier import FakeCarrier
from sipcc.testing.phone import Answer, FakePhone

APP = Path(__file__).parent / "01_menu_to_queue.py"
CONFIG = """
sip = { listen = ["udp:127.0.0.1:5060"], domain = "pbx.example.com" }
media = { clock_ms = 20 }
users = [{ name = "1001", password = "correct-horse-1001" }]
trunks = [{ name = "carrier", addresses = ["127.0.0.2"] }]
agents = [{ name = "alice", user = "1001", queues = ["sales"] }]
queues = [{ name = "sales" }, { name = "helpdesk" }]
"""
SERVER = Address("127.0.0.1", 5060)


async def one_sale(app) -> None:
    network = MemoryNetwork()
    host = network.host("127.0.0.1")
    app.use(network=host, engine=LocalEngine(app.config.media, sockets=host.sockets()))
    await app.start()
    carrier = FakeCarrier(
        "carrier", "127.0.0.2", server=SERVER, network=network.host("127.0.0.2"), tone_hz=1000
    )
    alice = FakePhone(
        "1001",
        "correct-horse-1001",
        server=SERVER,
        host="127.0.0.3",
        domain="pbx.example.com",
        network=network.host("127.0.0.3"),
        tone_hz=1300,
        behaviour=Answer(after=2.0),
    )
    await carrier.start()
    await alice.start()
    assert await alice.register() == 200

    caller = await carrier.call("4008001234", caller="13800138000")
    await caller.answered()
    await caller.hears(700)  # the prompt
    await caller.press("1")
    talk = await alice.next_call()
    await talk.answered()
    await talk.hears(1000)  # alice hears the caller,
    await caller.hears(1300)  # and the caller hears alice
    await caller.hangup()
    assert await talk.ended() == "peer"

    await alice.stop()
    await carrier.stop()
    await app.stop()


def test_who_presses_1_talks_to_sales(tmp_path: Path, monkeypatch) -> None:
    (tmp_path / "sipcc.toml").write_text(CONFIG)
    (tmp_path / "prompts").mkdir()
    write_wav(tmp_path / "prompts" / "welcome.wav", tone(700, 2.0))
    monkeypatch.chdir(tmp_path)
    run_virtual(one_sale(runpy.run_path(str(APP))["app"]))
