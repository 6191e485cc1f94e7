"""DTLS-SRTP of one port: a handshake from which both ends take the keys of their audio (RFC 5764).

OpenSSL does the handshake on bytes in memory; this feeds it datagrams, takes out what it wants sent, and
says when it wants to be woken. Nothing but the keys is taken from the association: data that a browser
sends inside it is dropped. Who may send us datagrams at all is ICE's matter: a ClientHello from a source
that was not checked never comes here.

The peer is known by the fingerprint of its certificate alone, which its SDP has told (RFC 8122 §5); a
certificate with another one ends the association before any key is used.
"""

from __future__ import annotations

import datetime
import hashlib
from functools import lru_cache
from typing import Final, Literal

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from OpenSSL import SSL

from sipcc.rtp.flow import Identity, SrtpKeys

MTU: Final = 1200
"""Bytes of a datagram that every path carries (RFC 8831 §5 takes the same)."""
MAX_ATTEMPTS: Final = 8
"""Handshakes that one port begins. A second one is due when a forged datagram has spoilt the first."""
LIFETIME_DAYS: Final = 3650
"""Of our certificate. No browser looks: it trusts the fingerprint, for as long as the process lives."""

_CLIENT_HELLO, _HANDSHAKE = 1, 22
_RECORD_HEADER: Final = 13
_RANDOM = slice(_RECORD_HEADER + 12 + 2, _RECORD_HEADER + 12 + 2 + 32)
"""Where the client's random stands in a datagram that begins with a ClientHello (RFC 6347 §4.2.2)."""
_CIPHERS = (
    b"ECDHE-ECDSA-AES128-GCM-SHA256:ECDHE-ECDSA-AES256-GCM-SHA384:ECDHE-ECDSA-CHACHA20-POLY1305"
    b":ECDHE-ECDSA-AES128-SHA:ECDHE-RSA-AES128-GCM-SHA256"
)
_PROFILES: Final[dict[bytes, tuple[str, int, int]]] = {
    b"SRTP_AEAD_AES_128_GCM": ("AEAD_AES_128_GCM", 16, 12),
    b"SRTP_AES128_CM_SHA1_80": ("AES_CM_128_HMAC_SHA1_80", 16, 14),
}
"""What we agree to, the best first (it is also the cheapest): suite, bytes of the key, of the salt."""
_HASHES: Final = {"sha-256": hashlib.sha256, "sha-384": hashlib.sha384, "sha-512": hashlib.sha512}

State = Literal["new", "shaking", "keyed", "failed", "closed"]


def make_identity(*, wall: float) -> Identity:
    """A fresh key and its self-made certificate; `wall` is the time of day in seconds since 1970."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "sipcc")])
    begin = datetime.datetime.fromtimestamp(wall, datetime.UTC) - datetime.timedelta(days=1)
    certificate = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(begin)
        .not_valid_after(begin + datetime.timedelta(days=LIFETIME_DAYS))
        .sign(key, hashes.SHA256())
    )
    return Identity(
        certificate=certificate.public_bytes(serialization.Encoding.DER),
        key=key.private_bytes(
            serialization.Encoding.DER,
            serialization.PrivateFormat.PKCS8,
            serialization.NoEncryption(),
        ),
    )


@lru_cache(maxsize=8)
def _context(identity: Identity) -> SSL.Context:
    """OpenSSL's settings for an identity; all associations of a process share them."""
    context = SSL.Context(SSL.DTLS_METHOD)
    context.set_options(SSL.OP_NO_TICKET | SSL.OP_NO_QUERY_MTU | SSL.OP_NO_RENEGOTIATION)
    context.set_verify(SSL.VERIFY_PEER | SSL.VERIFY_FAIL_IF_NO_PEER_CERT, lambda *_: True)
    context.use_certificate(x509.load_der_x509_certificate(identity.certificate))
    key = serialization.load_der_private_key(identity.key, None)
    assert isinstance(key, ec.EllipticCurvePrivateKey)
    context.use_privatekey(key)
    context.set_cipher_list(_CIPHERS)
    context.set_tlsext_use_srtp(b":".join(_PROFILES))
    return context


class DtlsEndpoint:
    """One end of one association."""

    def __init__(
        self, identity: Identity, fingerprints: tuple[tuple[str, str], ...], *, active: bool = False
    ) -> None:
        """`fingerprints` are those of the peer's certificate; `active` makes this end the client."""
        self._context = _context(identity)
        self._fingerprints = fingerprints
        self._active = active
        self._attempts = 0
        self._hello = b""
        self._ssl: SSL.Connection | None = None
        self.state: State = "new"
        self.keys: SrtpKeys | None = None
        """Set when the handshake is done and the peer is who its SDP said."""
        self.deadline: float | None = None
        """When `expire` has something to do."""
        self.malformed = 0
        """Datagrams that OpenSSL could make nothing of, and hellos beyond what we take."""
        self.wrong_fingerprint = False
        """True when the peer showed another certificate than its SDP had promised."""

    def begin(self, *, now: float) -> list[bytes]:
        """Send the first hello, as the active end; nothing for the passive one, or when it has begun."""
        if not self._active or self.state != "new":
            return []
        self._restart()
        return self._step(now)

    def resume(self, keys: SrtpKeys) -> None:
        """Go on with the keys of an association that another process had, and that died with it.

        The association itself cannot be moved. So here, and only here, the peer may shake hands again; its
        old keys stay in force until it has proved once more who it is.
        """
        self.keys = keys
        self.state = "keyed"

    def receive(self, data: bytes, *, now: float) -> list[bytes]:
        """Take one datagram and return those to send back."""
        if self.state in ("failed", "closed"):
            return []
        if not self._active and _is_client_hello(data) and not self._admit_hello(data):
            return []
        if self._ssl is None:
            self.malformed += 1
            return []
        self._ssl.bio_write(data)
        return self._step(now)

    def expire(self, *, now: float) -> list[bytes]:
        """Send again what was not answered in time."""
        if self._ssl is None or self.deadline is None or now < self.deadline:
            return []
        try:
            self._ssl.DTLSv1_handle_timeout()
        except SSL.Error:  # it has given up
            return self._fail()
        return self._step(now)

    def close(self) -> list[bytes]:
        """Say goodbye and be done."""
        ssl, before = self._ssl, self.state
        self.state, self.deadline, self._ssl = "closed", None, None
        if ssl is None or before != "keyed":
            return []
        try:
            ssl.shutdown()
        except SSL.Error:
            return []
        return _take_out(ssl)

    # -- inside -------------------------------------------------------------------------------------------

    def _admit_hello(self, data: bytes) -> bool:
        """Whether a ClientHello goes on; one of another client than before begins anew."""
        if self.state == "keyed" and self._ssl is not None:
            self.malformed += 1  # nobody renews keys in mid-call: the real peer has them
            return False
        random = data[_RANDOM]
        if self._ssl is None or random != self._hello:
            if self._attempts >= MAX_ATTEMPTS:
                self.malformed += 1
                return False
            self._restart()
            self._hello = random
        return True

    def _restart(self) -> None:
        self._attempts += 1
        self.state = "shaking"
        self._ssl = SSL.Connection(self._context, None)
        self._ssl.set_ciphertext_mtu(MTU)
        if self._active:
            self._ssl.set_connect_state()
        else:
            self._ssl.set_accept_state()

    def _step(self, now: float) -> list[bytes]:
        """Let OpenSSL work on what it has, and take out what it wants sent."""
        ssl = self._ssl
        assert ssl is not None
        try:
            if self.state == "shaking":
                ssl.do_handshake()
                return self._shaken(ssl)
            while True:
                ssl.read(MTU)  # data of the browser: read, so that nothing piles up, and dropped
        except SSL.WantReadError:
            pass
        except SSL.ZeroReturnError:
            self.state = "closed"
        except SSL.Error:
            if self.state == "keyed":
                self.malformed += 1  # after the handshake only what is authentic can end it
            else:
                return self._fail()
        timeout = ssl.DTLSv1_get_timeout()
        self.deadline = None if timeout is None or self.state == "closed" else now + timeout
        return _take_out(ssl)

    def _shaken(self, ssl: SSL.Connection) -> list[bytes]:
        """The handshake is done: is it the right peer, and what are the keys?"""
        self.deadline = None
        profile = _PROFILES.get(ssl.get_selected_srtp_profile())
        self.wrong_fingerprint = not self._is_peer(ssl)
        if profile is None or self.wrong_fingerprint:
            self.state, self._ssl = "failed", None
            return []
        suite, key_bytes, salt_bytes = profile
        length = 2 * (key_bytes + salt_bytes)
        material = ssl.export_keying_material(b"EXTRACTOR-dtls_srtp", length)
        client = material[:key_bytes] + material[2 * key_bytes : 2 * key_bytes + salt_bytes]
        server = material[key_bytes : 2 * key_bytes] + material[2 * key_bytes + salt_bytes :]
        send, receive = (client, server) if self._active else (server, client)
        self.keys = SrtpKeys(suite, send, receive)
        self.state = "keyed"
        return _take_out(ssl)

    def _is_peer(self, ssl: SSL.Connection) -> bool:
        """True when a fingerprint of the SDP is that of the peer's certificate (RFC 8122 §5)."""
        certificate = ssl.get_peer_certificate(as_cryptography=True)
        if certificate is None:
            return False
        der = certificate.public_bytes(serialization.Encoding.DER)
        return any(
            algorithm.lower() in _HASHES
            and _HASHES[algorithm.lower()](der).hexdigest() == value.replace(":", "").lower()
            for algorithm, value in self._fingerprints
        )

    def _fail(self) -> list[bytes]:
        """This handshake is spoilt. The passive end waits for another hello, the active one is done."""
        self.malformed += 1
        self.deadline = None
        answer = _take_out(self._ssl) if self._ssl is not None else []
        self._ssl = None
        self.state = "failed" if self._active or self._attempts >= MAX_ATTEMPTS else "new"
        return answer


def _is_client_hello(data: bytes) -> bool:
    """True for a datagram whose first record begins an unencrypted ClientHello."""
    return (
        len(data) >= _RANDOM.stop
        and data[0] == _HANDSHAKE
        and data[3:5] == b"\0\0"
        and data[_RECORD_HEADER] == _CLIENT_HELLO
        and data[_RECORD_HEADER + 6 : _RECORD_HEADER + 9] == b"\0\0\0"
    )


def _take_out(ssl: SSL.Connection) -> list[bytes]:
    """What OpenSSL wrote, as datagrams of whole records: in memory it has put them one behind the other."""
    written = b""
    try:
        while True:
            written += ssl.bio_read(16384)
    except SSL.Error:  # WantReadError when it is empty
        pass
    datagrams: list[bytes] = []
    at = begin = 0
    while at + _RECORD_HEADER <= len(written):
        end = at + _RECORD_HEADER + int.from_bytes(written[at + 11 : at + 13], "big")
        if end - begin > MTU and at > begin:
            datagrams.append(written[begin:at])
            begin = at
        at = end
    if begin < len(written):
        datagrams.append(written[begin:])
    return datagrams
