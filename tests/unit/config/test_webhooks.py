"""What `sipccd check` says of webhooks."""

from __future__ import annotations

from pathlib import Path

import pytest

from sipcc.config import check, load
from sipcc.records.settings import WebhookSettings

SECRET = "whsec_ZXhhbXBsZS1vbmx5LW1ha2UteW91ci1vd24="
HOOK = f'[[webhooks]]\nname = "crm"\nurl = "https://crm.example.com/x"\nsecret = "{SECRET}"\n'


def found(folder: Path, text: str) -> list[tuple[str, str, str]]:
    path = folder / "sipcc.toml"
    path.write_text('[sip]\nlisten = ["udp:127.0.0.1:5060"]\n[[numbers]]\nnumber = "1"\nto = "echo"\n' + text)
    return [(finding.severity, finding.message, finding.hint) for finding in check(path, {"KEY": SECRET})]


def test_a_good_one(tmp_path: Path) -> None:
    assert found(tmp_path, HOOK) == []
    hook = load(tmp_path / "sipcc.toml", {}).webhooks[0]
    assert hook == WebhookSettings(name="crm", url="https://crm.example.com/x", secret=SECRET)
    assert (
        found(tmp_path, HOOK.replace(SECRET, "env:KEY") + 'events = ["*", "CallRecord", "CallEnded"]') == []
    )


@pytest.mark.parametrize(
    ("old", "new", "severity", "message", "hint"),
    [
        ("https://crm.example.com/x", "crm.example.com", "error", "no address to send to", "as in"),
        ("https://crm.example.com/x", "ftp://crm.example.com", "error", "no address to send to", "as in"),
        ("https://crm.example.com/x", "http://[::1", "error", "no address to send to", "as in"),
        ("https://crm", "http://crm", "warning", "unencrypted", "https://"),
        (SECRET, "secret", "error", "does not begin with whsec_", "openssl"),
        (SECRET, "whsec_c2VjcmV0", "error", "has 6 bytes", "openssl"),
        (SECRET, "env:NOT_SET", "error", "NOT_SET", ""),
        (
            'name = "crm"',
            'name = "crm"\nevents = ["AlertRaise"]',
            "error",
            "no event 'AlertRaise'",
            "AlertRaised",
        ),
        ('name = "crm"', 'name = "crm"\nevents = []', "error", "", ""),
        ('name = "crm"', 'name = "crm"\ntimeout = 0', "error", "", ""),
    ],
)
def test_wrong_values(tmp_path: Path, old: str, new: str, severity: str, message: str, hint: str) -> None:
    ((said, what, cure),) = found(tmp_path, HOOK.replace(old, new))
    assert said == severity
    assert message in what
    assert hint in cure
    assert SECRET not in what + cure


def test_two_have_two_names(tmp_path: Path) -> None:
    ((_, what, _),) = found(tmp_path, HOOK + HOOK)
    assert "crm" in what
