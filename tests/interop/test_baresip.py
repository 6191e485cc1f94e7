"""baresip as agent. It refuses to live on 127/8 alone, so all parties share a network namespace."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import NoReturn

import pytest
from tests.interop.centre import AGENT_HZ, CALLER_HZ, Centre
from tests.interop.conftest import Cast
from tests.interop.programs import Program, need, wait_until
from tests.interop.test_main_job import check_recording

from sipcc.testing import audio

CONFIG = """\
poll_method select
net_interface lo
audio_player aubridge,nowhere
snd_path {folder}
audio_source aufile,{folder}/says.wav
module_path /usr/lib/baresip/modules
module g711.so
module aufile.so
module aubridge.so
module sndfile.so
module_tmp uuid.so
module_tmp account.so
module_app menu.so
"""


def _without(reason: str) -> NoReturn:
    """Skip, or fail where CI counts on it."""
    if os.environ.get("CI") == "true":
        pytest.fail(reason)
    pytest.skip(reason)


@pytest.fixture
def namespace(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """A network namespace with one address outside 127/8 on its loopback."""
    need("baresip")
    need("unshare")
    if os.geteuid() != 0:
        _without("a network namespace needs root")
    probe = subprocess.run(
        ["unshare", "--net", "true"], capture_output=True, text=True, timeout=10, check=False
    )
    if probe.returncode:
        pytest.skip(f"the kernel refuses a network namespace: {probe.stderr.strip()}")
    ready = tmp_path / "namespace.ready"
    setup = f"ip link set lo up && ip addr add 10.99.0.1/32 dev lo && touch {ready} && exec sleep 120"
    holder = Program("namespace", ["unshare", "--net", "sh", "-c", setup], tmp_path)
    try:
        wait_until(ready.exists, 5, lambda: f"the namespace:\n{holder.tail()}")
        monkeypatch.setattr(Program, "prefix", ["nsenter", "--net", "--target", str(holder.process.pid)])
        yield
    finally:
        holder.end()


@pytest.mark.usefixtures("namespace")
def test_the_agent_is_baresip(
    start: Callable[..., Centre], cast: Cast, programs: list[Program], tmp_path: Path
) -> None:
    centre = start(host="10.99.0.1", sip='digest = ["MD5"]')
    folder = tmp_path / "baresip"
    folder.mkdir()
    audio.write_wav(folder / "says.wav", audio.tone(AGENT_HZ, 20.0))
    (folder / "config").write_text(CONFIG.format(folder=folder))
    account = (
        f"<sip:1001@{centre.target};transport=udp>;auth_user=1001"
        ";auth_pass=secret-one-1;regint=60;answermode=auto"
    )
    (folder / "accounts").write_text(account + "\n")
    (folder / "contacts").write_text("")
    phone = Program("baresip", ["baresip", "-f", str(folder)], tmp_path)
    programs.append(phone)
    wait_until(lambda: "200 OK" in phone.output, 10, phone.tail)
    carrier = cast.carrier(centre, "carrier_hangs_up_pcmu", pause_ms=4500)
    carrier.succeed()
    (record,) = centre.cdrs(1)
    assert record["legs"][0]["agent"] == "alice"
    assert centre.exits() == ["answered"]
    check_recording(record, centre.folder)
    phone.end()
    (dump,) = folder.glob("dump-*-dec.wav")
    (heard, *_), rate = audio.read_wav(dump)
    audio.assert_tone(heard[len(heard) // 3 : len(heard) * 2 // 3], CALLER_HZ, rate, what="baresip")
    centre.stop()
