"""TLS between a stream and SIP: contexts from settings, whose certificate it is, and the layer itself.

The layer is a core: bytes of the network in, bytes of the peer out, and the reverse. The same code runs
on a TCP connection and in a test without any socket.
"""

from __future__ import annotations

import ssl
from collections.abc import Mapping
from contextlib import suppress
from typing import Any

from sipcc.errors import ConfigError, TransportError
from sipcc.sip.nat import is_address, plain_host
from sipcc.sip.settings import TlsSettings

_VERIFY = {"none": ssl.CERT_NONE, "optional": ssl.CERT_OPTIONAL, "required": ssl.CERT_REQUIRED}
_READ_BYTES = 65536


def server_context(settings: TlsSettings, *, for_browsers: bool = False) -> ssl.SSLContext:
    """What our TLS listeners show and ask for; `for_browsers` is true for those of WebSocket.

    Raises:
        ConfigError: there is no certificate, or a file cannot be used.
    """
    if not settings.certificate:
        raise ConfigError(
            "sip.tls.certificate", "a tls or wss listener needs a certificate", hint="name a PEM file"
        )
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    _fill(context, settings)
    context.verify_mode = _VERIFY[settings.verify]
    if for_browsers and settings.verify == "optional":
        # asked for a certificate, Chromium cancels the WebSocket, whether it has one or not
        context.verify_mode = ssl.CERT_NONE
    return context


def client_context(settings: TlsSettings) -> ssl.SSLContext:
    """What we show and ask for when we connect; the server is always verified.

    Raises:
        ConfigError: a file cannot be used.
    """
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname = False  # RFC 5922 has rules of its own, see `peer_names`
    context.verify_mode = ssl.CERT_REQUIRED
    _fill(context, settings)
    return context


def _fill(context: ssl.SSLContext, settings: TlsSettings) -> None:
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    context.options |= ssl.OP_NO_COMPRESSION | ssl.OP_NO_RENEGOTIATION
    if settings.certificate:
        try:
            # without a password function OpenSSL would ask at the terminal, and the daemon would hang
            context.load_cert_chain(settings.certificate, settings.key or None, password=lambda: "")
        except (OSError, ValueError) as error:  # ssl.SSLError is an OSError
            raise ConfigError(
                "sip.tls.certificate",
                f"certificate and key cannot be used: {_why(error)}",
                hint="two PEM files that belong together, the key without a password",
            ) from error
    try:
        if settings.authorities:
            context.load_verify_locations(settings.authorities)
        else:
            context.load_default_certs()
    except (OSError, ValueError) as error:
        raise ConfigError(
            "sip.tls.authorities",
            f"the authorities cannot be read: {_why(error)}",
            hint="a PEM file of the certificates that you trust",
        ) from error


def peer_names(certificate: Mapping[str, Any] | None) -> frozenset[str]:
    """The names that a verified certificate speaks for (RFC 5922 §7.1), in lower case.

    The SIP URIs without user part; only where there is none, the DNS names and addresses; only where there
    is no subjectAltName of any kind, the common name. A wildcard speaks for nobody (§7.2).
    """
    if not certificate:
        return frozenset()
    alternatives: list[tuple[str, str]] = list(certificate.get("subjectAltName", ()))
    if not alternatives:
        subject = certificate.get("subject", ())
        return _plain(value for part in subject for key, value in part if key == "commonName")
    identities = _plain(
        value[4:].partition(";")[0]
        for kind, value in alternatives
        if kind == "URI" and value.lower().startswith("sip:") and "@" not in value
    )
    return identities or _plain(
        value.strip() for kind, value in alternatives if kind in ("DNS", "IP Address")
    )


def _plain(names: Any) -> frozenset[str]:
    return frozenset(plain_host(name) for name in names if name and "*" not in name)


class TlsLayer:
    """One end of a TLS connection.

    A client gives the `name` that it wants to reach, a domain or an address: another certificate ends
    the connection before a byte of SIP was sent.
    """

    carries_messages = False
    heartbeat = 0.0

    def __init__(self, context: ssl.SSLContext, *, server: bool, name: str = "") -> None:
        self.open = False
        """True once both sides have proved what they had to."""
        self.ended = False
        """True once the peer has said that nothing more will come."""
        self.names: frozenset[str] = frozenset()
        """Names of the peer's verified certificate."""
        self._name = plain_host(name) if name else ""
        self._server = server
        self._incoming, self._outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
        self._early: list[bytes] = []
        asked = self._name if self._name and not is_address(self._name) else None
        self._tls = context.wrap_bio(
            self._incoming, self._outgoing, server_side=server, server_hostname=asked
        )

    def start(self) -> None:
        """Say the first word, if it is ours."""
        if not self._server:
            self._shake_hands()

    def receive(self, data: bytes, *, now: float) -> list[bytes]:
        """Take bytes of the network; return what the peer said.

        Raises:
            TransportError: the handshake failed, or the bytes are no TLS.
        """
        self._incoming.write(data)
        if not self.open:
            self._shake_hands()
        out: list[bytes] = []
        while self.open:
            try:
                piece = self._tls.read(_READ_BYTES)
            except ssl.SSLWantReadError:
                break
            except ssl.SSLZeroReturnError:
                piece = b""
            except ssl.SSLError as error:
                raise TransportError(f"TLS: {_why(error)}") from error
            if not piece:
                self.ended = True
                break
            out.append(piece)
        return out

    def send(self, data: bytes) -> None:
        """Encrypt; what comes before the handshake is done waits for it."""
        if not self.open:
            self._early.append(data)
            return
        try:
            self._tls.write(data)
        except ssl.SSLError as error:
            raise TransportError(f"TLS: {_why(error)}") from error

    def ping(self) -> None:
        """TLS has no use for one."""

    def close(self) -> None:
        """Say that nothing more will come."""
        if self.open:
            with suppress(ssl.SSLError):  # it waits for an answer that we do not need
                self._tls.unwrap()

    def to_send(self) -> bytes:
        """Bytes for the network."""
        return self._outgoing.read()

    def _shake_hands(self) -> None:
        try:
            self._tls.do_handshake()
        except ssl.SSLWantReadError:
            return
        except ssl.SSLError as error:
            raise TransportError(f"TLS: {_why(error)}") from error
        self.names = peer_names(self._tls.getpeercert())
        if self._name and self._name not in self.names:
            shown = ", ".join(sorted(self.names)) or "nobody"
            raise TransportError(f"TLS: the certificate speaks for {shown}, not for {self._name}")
        self.open = True
        early, self._early = self._early, []
        for data in early:
            self._tls.write(data)


def _why(error: Exception) -> str:
    """What went wrong, without the source line of OpenSSL."""
    if isinstance(error, ssl.SSLCertVerificationError):
        return error.verify_message
    if isinstance(error, ssl.SSLError):
        return (error.reason or str(error)).lower().replace("_", " ")
    if isinstance(error, OSError):
        return error.strerror or str(error)
    return str(error)
