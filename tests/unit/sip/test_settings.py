from __future__ import annotations

import msgspec
import pytest

from sipcc.sip.settings import SipSettings, TrunkSettings, UserSettings
from sipcc.sip.timers import Timers


def test_defaults() -> None:
    settings = msgspec.convert({}, SipSettings)
    assert settings.listen == ("udp:0.0.0.0:5060", "tcp:0.0.0.0:5060")
    assert settings.timers.timeout == 32.0


def test_from_plain_data() -> None:
    settings = msgspec.convert({"listen": ["udp:127.0.0.1:0"], "timers": {"t1": 0.1}}, SipSettings)
    assert settings.timers == Timers(t1=0.1)
    trunk = msgspec.convert({"name": "carrier", "addresses": ["127.0.0.2"]}, TrunkSettings)
    assert (trunk.port, trunk.transport, trunk.register) == (0, "udp", False)


@pytest.mark.parametrize(
    ("kind", "data"),
    [
        (SipSettings, {"lisen": []}),
        (SipSettings, {"min_expires": 0}),
        (SipSettings, {"session_timer": "yes"}),
        (SipSettings, {"nonce_life": 0}),
        (SipSettings, {"timers": {"t3": 1}}),
        (UserSettings, {"name": "", "password": "x"}),
        (UserSettings, {"name": "1001"}),
        (TrunkSettings, {"name": "x", "port": 65536}),
        (TrunkSettings, {"name": "x", "transport": "sctp"}),
        (TrunkSettings, {"name": "x", "max_calls": -1}),
    ],
)
def test_typos_and_ranges(kind: type, data: dict[str, object]) -> None:
    with pytest.raises(msgspec.ValidationError):
        msgspec.convert(data, kind)
