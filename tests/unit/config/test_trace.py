from __future__ import annotations

from pathlib import Path

import pytest
from tests.unit.config.files import written

from sipcc.config import load, load_socket
from sipcc.errors import ConfigError

NUMBERS = '[[numbers]]\nnumber = "4008123456"\nto = "echo"\n'


@pytest.mark.parametrize("place", ["127.0.0.1:9060", "[2001:db8::1]:9060"])
def test_a_capture_server(tmp_path: Path, place: str) -> None:
    path = written(tmp_path, f'[sip.trace]\nhep = "{place}"\npcap = "all.pcap"\n' + NUMBERS)
    trace = load(path, {}).sip.trace
    assert (trace.hep, trace.pcap) == (place, str(tmp_path / "all.pcap"))


@pytest.mark.parametrize(
    "place", ["homer.example.com:9060", "127.0.0.1", "127.0.0.1:0", "1.2.3:9", "127.0.0.1:99999"]
)
def test_what_is_no_address_is_told_with_its_cure(tmp_path: Path, place: str) -> None:
    with pytest.raises(ConfigError, match=r"sip\.trace\.hep.*127\.0\.0\.1:9060"):
        load(written(tmp_path, f'[sip.trace]\nhep = "{place}"\n' + NUMBERS), {})


@pytest.mark.parametrize(
    ("text", "socket"),
    [
        ("", "sipccd.sock"),
        ('[records]\ndatabase = "data/x.db"\n', "data/sipccd.sock"),
        ('[records]\ndatabase = "postgresql://u@h/d"\nrecordings = "taped/all"\n', "taped/sipccd.sock"),
        ('[daemon]\nsocket = "run/s"\n', "run/s"),
        ('[daemon]\nsocket = "/run/sipccd/s"\n', "/run/sipccd/s"),
    ],
)
def test_where_the_control_socket_is(tmp_path: Path, text: str, socket: str) -> None:
    path = written(tmp_path, text + NUMBERS)
    assert load_socket(path, {}) == tmp_path / socket
    assert load(path, {}).daemon.socket == str(tmp_path / socket)
