"""TLS as a core: two ends in memory, and whose certificate is whose."""

from __future__ import annotations

import ssl
from contextlib import suppress
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.unit.sip.certificates import authority, tls_settings
from tests.unit.sip.layers import pump

from sipcc.errors import ConfigError, TransportError
from sipcc.sip.settings import TlsSettings
from sipcc.sip.transport.tls import TlsLayer, client_context, peer_names, server_context


def pair(
    server: TlsSettings, client: TlsSettings, name: str = "pbx.example.com"
) -> tuple[TlsLayer, TlsLayer]:
    ours = TlsLayer(client_context(client), server=False, name=name)
    theirs = TlsLayer(server_context(server), server=True)
    ours.start()
    theirs.start()
    return ours, theirs


@pytest.mark.parametrize("step", [0, 1, 7])
def test_both_ends_prove_their_names_and_talk(tmp_path: Path, step: int) -> None:
    server = tls_settings(tmp_path, "pbx.example.com", verify="required")
    client = tls_settings(tmp_path, "Carrier.example.net")
    ours, theirs = pair(server, client)
    ours.send(b"said before the handshake")
    assert pump(ours, theirs, step=step) == ([], [b"said before the handshake"])
    assert (ours.open, theirs.open) == (True, True)
    assert ours.names == {"pbx.example.com"}
    assert theirs.names == {"carrier.example.net"}
    theirs.send(b"x" * 40000)
    assert b"".join(pump(ours, theirs, step=step)[0]) == b"x" * 40000
    ours.close()
    pump(ours, theirs, step=step)
    assert theirs.ended


def test_a_phone_without_a_certificate_has_no_name(tmp_path: Path) -> None:
    ours, theirs = pair(tls_settings(tmp_path, "pbx.example.com"), tls_settings(tmp_path, bare=True))
    pump(ours, theirs)
    assert theirs.open
    assert theirs.names == frozenset()


@pytest.mark.parametrize(
    ("server", "why"),
    [
        ({"names": ("other.example.com",)}, "speaks for other.example.com, not for pbx.example.com"),
        ({"names": ("*.example.com",)}, "speaks for nobody"),
        ({"names": (), "common_name": "elsewhere"}, "speaks for elsewhere"),
        ({"names": ("192.0.2.1",), "common_name": "pbx.example.com"}, "speaks for 192.0.2.1"),
        ({"names": ("sip:other.example.com", "pbx.example.com")}, "speaks for other.example.com"),
        ({"names": ("pbx.example.com",), "signed_by": "stranger"}, "unable to get local issuer"),
        ({"names": ("pbx.example.com",), "expired": True}, "expired"),
    ],
)
def test_a_server_that_is_not_whom_we_mean_is_refused(
    tmp_path: Path, server: dict[str, object], why: str
) -> None:
    names = server.pop("names")
    settings = tls_settings(tmp_path, *names, **server)  # type: ignore[misc, arg-type]
    ours, theirs = pair(settings, tls_settings(tmp_path, bare=True))
    ours.send(b"secret")
    with pytest.raises(TransportError, match=why):
        pump(ours, theirs)
    assert not ours.open


@pytest.mark.parametrize("names", [("pbx.example.com",), ("sip:pbx.example.com", "other.example.com"), ()])
def test_a_server_may_prove_its_name_in_three_places(tmp_path: Path, names: tuple[str, ...]) -> None:
    server = tls_settings(tmp_path, *names, common_name="pbx.example.com")
    ours, theirs = pair(server, tls_settings(tmp_path, bare=True))
    pump(ours, theirs)
    assert ours.names == {"pbx.example.com"}


@pytest.mark.parametrize("name", ["192.0.2.1", "2001:DB8:0::1"])
def test_an_address_is_proved_as_an_address(tmp_path: Path, name: str) -> None:
    server = tls_settings(tmp_path, "192.0.2.1", "2001:db8::1")
    ours, theirs = pair(server, tls_settings(tmp_path, bare=True), name)
    pump(ours, theirs)
    assert ours.open


@pytest.mark.parametrize(
    "client",
    [{"bare": True}, {"signed_by": "stranger"}, {"expired": True}],
    ids=["none", "stranger", "expired"],
)
def test_a_client_that_must_prove_itself_and_cannot_is_refused(
    tmp_path: Path, client: dict[str, object]
) -> None:
    server = tls_settings(tmp_path, "pbx.example.com", verify="required")
    settings = tls_settings(tmp_path, "carrier.example.net", **client)  # type: ignore[arg-type]
    ours, theirs = pair(server, settings)
    with pytest.raises(TransportError, match="TLS"):
        pump(ours, theirs)
    assert not theirs.open


def test_a_wrong_certificate_of_a_client_counts_even_where_none_is_needed(tmp_path: Path) -> None:
    server = tls_settings(tmp_path, "pbx.example.com", verify="optional")
    ours, theirs = pair(server, tls_settings(tmp_path, "carrier.example.net", signed_by="stranger"))
    with pytest.raises(TransportError):
        pump(ours, theirs)


def test_where_nobody_asks_no_name_is_proved(tmp_path: Path) -> None:
    server = tls_settings(tmp_path, "pbx.example.com", verify="none")
    ours, theirs = pair(server, tls_settings(tmp_path, "carrier.example.net"))
    pump(ours, theirs)
    assert theirs.names == frozenset()


@pytest.mark.parametrize(("verify", "proved"), [("optional", set()), ("required", {"carrier.example.net"})])
def test_a_browser_is_asked_for_no_certificate_that_it_need_not_have(
    tmp_path: Path, verify: str, proved: set[str]
) -> None:
    """Chromium gives a WebSocket up when it is asked for one: nobody could choose it."""
    server = tls_settings(tmp_path, "pbx.example.com", verify=verify)
    ours = TlsLayer(
        client_context(tls_settings(tmp_path, "carrier.example.net")), server=False, name="pbx.example.com"
    )
    theirs = TlsLayer(server_context(server, for_browsers=True), server=True)
    ours.start()
    theirs.start()
    pump(ours, theirs)
    assert theirs.open
    assert theirs.names == proved


def test_tls_1_1_is_refused(tmp_path: Path) -> None:
    settings = tls_settings(tmp_path, "pbx.example.com")
    old = client_context(settings)
    with pytest.warns(DeprecationWarning, match="TLSv1_1"):
        old.minimum_version = ssl.TLSVersion.TLSv1_1
    with pytest.warns(DeprecationWarning, match="TLSv1_1"):
        old.maximum_version = ssl.TLSVersion.TLSv1_1
    old.set_ciphers("ALL:@SECLEVEL=0")
    ours, theirs = TlsLayer(old, server=False), TlsLayer(server_context(settings), server=True)
    ours.start()
    with pytest.raises(TransportError, match="TLS: unsupported protocol"):
        pump(ours, theirs)
    assert not theirs.open


@given(st.binary(min_size=1, max_size=200))
def test_noise_ends_the_handshake_or_waits(noise: bytes) -> None:
    layer = TlsLayer(CONTEXT, server=True)
    with suppress(TransportError):
        assert layer.receive(noise, now=0.0) == []
    assert not layer.open


CONTEXT = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)


@pytest.mark.parametrize(
    ("certificate", "names"),
    [
        (None, set()),
        ({}, set()),
        ({"subjectAltName": (("URI", "sip:a@example.com"), ("DNS", "Example.COM"))}, {"example.com"}),
        ({"subjectAltName": (("URI", "sip:example.com;transport=tls"),)}, {"example.com"}),
        ({"subjectAltName": (("URI", "https://example.com"),)}, set()),
        (
            {"subjectAltName": (("DNS", ""),), "subject": ((("commonName", "example.com"),),)},
            set(),  # there is a subjectAltName, so the common name says nothing
        ),
        ({"subject": ((("organizationName", "x"),), (("commonName", "example.com"),))}, {"example.com"}),
    ],
)
def test_the_names_of_a_certificate(certificate: dict[str, object] | None, names: set[str]) -> None:
    assert peer_names(certificate) == names


def test_files_that_cannot_be_used_are_named(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="needs a certificate"):
        server_context(TlsSettings())
    with pytest.raises(ConfigError, match="certificate and key cannot be used: No such file"):
        server_context(TlsSettings(certificate=str(tmp_path / "none.pem")))
    own = tls_settings(tmp_path, "pbx.example.com")
    with pytest.raises(ConfigError, match="authorities cannot be read"):
        client_context(TlsSettings(authorities=str(tmp_path / "none.pem")))
    (tmp_path / "ca.pem").write_bytes(authority().certificate)
    with pytest.raises(ConfigError, match="cannot be used"):
        server_context(TlsSettings(certificate=own.certificate, key=str(tmp_path / "ca.pem")))
