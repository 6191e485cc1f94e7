"""What we write for other people's tools, read by tshark. (Debian's has no dissector for HEP.)"""

from __future__ import annotations

import socket
import subprocess
import sys
from pathlib import Path

import pytest
from tests.interop.programs import free_port, need, wait_until

from sipcc.sip.capture import file_header, record
from sipcc.sip.transport.base import Address

pytestmark = pytest.mark.interop

CARRIER, US = Address("192.0.2.2", 5060), Address("192.0.2.1", 5060)
SIX, SEVEN = Address("2001:db8::1", 5060), Address("2001:db8::2", 40000)
INVITE = (
    b"INVITE sip:4008123456@192.0.2.1 SIP/2.0\r\nVia: SIP/2.0/UDP 192.0.2.2;branch=z9hG4bK1\r\n"
    b"From: <sip:13800138000@192.0.2.2>;tag=1\r\nTo: <sip:4008123456@192.0.2.1>\r\n"
    b"Call-ID: one@192.0.2.2\r\nCSeq: 1 INVITE\r\nMax-Forwards: 70\r\nContent-Length: 0\r\n\r\n"
)
WALL = 1_700_000_000.125


def tshark(path: Path, wanted: str, *fields: str) -> list[list[str]]:
    """The `fields` of each packet that the filter `wanted` passes, one row a packet."""
    options = [option for field in fields for option in ("-e", field)]
    need("tshark")
    command = ["tshark", "-n", "-r", str(path), "-Y", wanted, "-T", "fields", *options]
    command += ["-o", "ip.check_checksum:TRUE", "-o", "udp.check_checksum:TRUE"]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 0, done.stderr
    return [line.split("\t") for line in done.stdout.splitlines()]


def test_a_capture_file_is_sip(tmp_path: Path) -> None:
    path = tmp_path / "call.pcap"
    records = [
        record(INVITE, source=CARRIER, destination=US, wall=WALL),
        record(INVITE, source=SEVEN, destination=SIX, wall=WALL + 1),
    ]
    path.write_bytes(file_header() + b"".join(records))
    fields = ("frame.time_epoch", "ip.src", "ipv6.src", "udp.srcport", "sip.Method", "sip.Call-ID")
    (first, second) = tshark(path, "sip", *fields)
    assert first == ["1700000000.125000000", "192.0.2.2", "", "5060", "INVITE", "one@192.0.2.2"]
    assert second[2:] == ["2001:db8::2", "40000", "INVITE", "one@192.0.2.2"]
    assert tshark(path, "ip.checksum.status == bad || udp.checksum.status == bad", "frame.number") == []
    assert tshark(path, "_ws.malformed", "frame.number") == []


CONFIG = """\
[sip]
listen = ["udp:127.0.0.1:{port}"]
[media]
address = "127.0.0.1"
[[trunks]]
name = "carrier"
addresses = ["127.0.0.1"]
[[numbers]]
number = "4008000003"
to = "busy"
"""


def test_a_running_daemon_explains_a_call_and_gives_its_capture(tmp_path: Path) -> None:
    port = free_port()
    (tmp_path / "sipcc.toml").write_text(CONFIG.format(port=port))
    sipccd = [sys.executable, "-m", "sipcc.cli.main"]

    def said(*arguments: str) -> str:
        done = subprocess.run(
            [*sipccd, *arguments], cwd=tmp_path, capture_output=True, text=True, timeout=60, check=False
        )
        assert done.returncode == 0, done.stderr
        return done.stdout

    daemon = subprocess.Popen([*sipccd, "run"], cwd=tmp_path, stderr=subprocess.DEVNULL)
    try:
        wait_until((tmp_path / "sipccd.sock").exists, 15, "the control socket")
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as caller:
            caller.bind(("127.0.0.1", 0))
            caller.settimeout(5)
            via = f"127.0.0.1:{caller.getsockname()[1]};rport".encode()
            invite = INVITE.replace(b"4008123456", b"4008000003").replace(
                b"UDP 192.0.2.2;", b"UDP " + via + b";"
            )
            caller.sendto(invite, ("127.0.0.1", port))
            assert caller.recv(4096).startswith(b"SIP/2.0 100 ")
            assert caller.recv(4096).startswith(b"SIP/2.0 486 ")
        ladder = said("ladder", "13800138000")
        assert "--INVITE 4008000003--" in ladder
        assert "486 Busy Here (INVITE)--|" in ladder
        assert "* route 4008000003" in ladder
        said("capture", "one@192.0.2.2", "call.pcap")
        codes = [row[0] for row in tshark(tmp_path / "call.pcap", "sip", "sip.Status-Code")]
        assert codes[:3] == ["", "100", "486"]
    finally:
        daemon.terminate()
        daemon.wait(20)
    assert not (tmp_path / "sipccd.sock").exists()
