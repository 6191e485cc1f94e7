"""Who may be fetched from: every spelling of an address inside is refused, unless it is allowed."""

from __future__ import annotations

import ipaddress

import pytest

from sipcc.ivr.fetch import FetchError
from sipcc.ivr.fetchguard import Guard, inside, rule_of

INSIDE = [
    "0.0.0.0", "10.0.0.1", "100.64.0.1", "127.0.0.1", "127.255.255.254", "169.254.169.254", "172.16.0.1",
    "172.31.255.255", "192.0.0.8", "192.0.2.1", "192.168.1.1", "198.18.0.1", "198.51.100.7", "203.0.113.9",
    "224.0.0.1", "239.255.255.250", "240.0.0.1", "255.255.255.255",
    "::", "::1", "::ffff:127.0.0.1", "::ffff:10.0.0.1", "::127.0.0.1", "fe80::1", "fc00::1", "fd00:ec2::254",
    "fec0::1", "ff02::1", "2001:db8::1", "2002:7f00:1::", "2002:a00:1::", "64:ff9b::7f00:1",
    "64:ff9b::a9fe:a9fe", "2001:0:7f00:1::", "64:ff9b:1::1", "100::1",
]  # fmt: skip
OUTSIDE = [
    "1.1.1.1",
    "8.8.8.8",
    "93.184.216.34",
    "2606:4700::1111",
    "::ffff:8.8.8.8",
    "64:ff9b::808:808",
    "2002:808:808::",
]


@pytest.mark.parametrize("address", INSIDE)
def test_addresses_inside(address: str) -> None:
    assert inside(ipaddress.ip_address(address))
    with pytest.raises(FetchError, match="inside"):
        Guard().check_url(f"http://{address}/", "http", address, 80, "/")
    with pytest.raises(FetchError, match="inside"):
        Guard().check_address("crm.example.com", 80, address)


@pytest.mark.parametrize("address", OUTSIDE)
def test_addresses_outside(address: str) -> None:
    assert not inside(ipaddress.ip_address(address))
    Guard().check_url(f"http://{address}/", "http", address, 80, "/")
    Guard().check_address("crm.example.com", 80, address)


@pytest.mark.parametrize(
    "host",
    [
        "2130706433",
        "017700000001",
        "0x7f000001",
        "0x7f.1",
        "127.1",
        "127.0.1",
        "0177.0.0.1",
        "127.0.0.01",
        "0X7F.0.0.1",
        "1.",
    ],
)
def test_other_spellings_of_addresses_are_refused(host: str) -> None:
    for guard in (Guard(), Guard(["127.0.0.0/8"]), Guard(["*.1", "0.0.0.0/0"])):
        with pytest.raises(FetchError, match="written in another way"):
            guard.check_url(f"http://{host}/", "http", host, 80, "/")


@pytest.mark.parametrize("scheme", ["file", "ftp", "gopher", "dict", "data", "javascript", "ws", ""])
def test_other_schemes_are_refused(scheme: str) -> None:
    with pytest.raises(FetchError, match="is not fetched"):
        Guard().check_url("x", scheme, "example.com", 80, "/")


@pytest.mark.parametrize(
    ("entry", "good", "bad"),
    [
        ("crm.example.com", "https crm.example.com 8443 /x", "http www.example.com 80 /"),
        ("crm.example.com:8080", "http crm.example.com 8080 /", "http crm.example.com 80 /"),
        ("*.example.com", "http a.b.example.com 80 /", "http example.com 80 /"),
        ("*.example.com", "http a.example.com 80 /", "http notexample.com 80 /"),
        ("10.1.0.0/16", "http 10.1.2.3 9000 /", "http 10.2.0.1 80 /"),
        ("127.0.0.1:8080", "http 127.0.0.1 8080 /", "http 127.0.0.1 80 /"),
        ("[::1]:8080", "http ::1 8080 /", "http ::1 80 /"),
        ("http://crm.example.com", "http crm.example.com 80 /", "https crm.example.com 443 /"),
        (
            "https://Crm.example.com/Ivr/",
            "https crm.example.com 443 /Ivr/a",
            "https crm.example.com 443 /admin",
        ),
        (
            "https://crm.example.com/ivr/",
            "https crm.example.com 443 /ivr/a",
            "https crm.example.com 443 /ivr/%2e%2e/a",
        ),
    ],
)
def test_what_is_allowed(entry: str, good: str, bad: str) -> None:
    guard = Guard([entry], only_allowed=True)

    def check(what: str) -> None:
        scheme, host, port, path = what.split()
        guard.check_url(f"{scheme}://{host}{path}", scheme, host, int(port), path)

    check(good)
    with pytest.raises(FetchError):
        check(bad)


def test_an_allowed_place_may_be_inside() -> None:
    guard = Guard(["crm.example.com", "10.0.0.0/8"])
    guard.check_address("crm.example.com", 80, "192.168.1.1")
    guard.check_address("other.example.com", 80, "10.1.1.1")
    guard.check_address("other.example.com", 80, "::ffff:10.1.1.1")
    for address in ("192.168.1.1", "junk", "fe80::1%eth0"):
        with pytest.raises(FetchError):
            guard.check_address("other.example.com", 80, address)


def test_the_beginning_of_a_url_limits_its_host() -> None:
    guard = Guard(["http://127.0.0.1/ivr/", "http://app.example.com/ivr/"])
    guard.check_url("u", "http", "127.0.0.1", 80, "/ivr/x")
    for host in ("127.0.0.1", "app.example.com"):
        with pytest.raises(FetchError):
            guard.check_url("u", "http", host, 80, "/admin")
    guard.check_url("u", "http", "www.example.com", 80, "/admin")


def test_a_url_of_the_configuration_is_allowed() -> None:
    guard = Guard(only_allowed=True)
    guard.allow("http://user:word@127.0.0.1:3000/call?x=1")
    guard.check_url("u", "http", "127.0.0.1", 3000, "/other")
    guard.check_address("127.0.0.1", 3000, "127.0.0.1")
    with pytest.raises(FetchError):
        guard.check_url("u", "http", "127.0.0.1", 3001, "/")


@pytest.mark.parametrize(
    ("entry", "message"),
    [
        ("", "it has no host"),
        ("ftp://example.com", "fetched from by nobody"),
        ("example.com/ivr", "needs http:// or https://"),
        ("example.com:x", "'x' is no port"),
        ("example.com:70000", "no port"),
        ("10.1.2.3/8", "has host bits set"),
        ("127.1", "written as in 192.0.2.1"),
        ("a b", "it has no host"),
        ("http://u:p@example.com", "is no port"),
    ],
)
def test_wrong_entries(entry: str, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        rule_of(entry)
