"""Certificates for tests: an authority, a stranger of an authority, and what they have signed."""

from __future__ import annotations

import datetime
import ipaddress
from functools import cache
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from sipcc.sip.settings import TlsSettings

_NOW = datetime.datetime.now(datetime.UTC)
_DAY = datetime.timedelta(days=1)


class Authority:
    """Signs certificates; `certificate` is its own, in PEM."""

    def __init__(self, name: str) -> None:
        self._key = ec.generate_private_key(ec.SECP256R1())
        self._name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
        own = self._builder(self._name, self._key.public_key()).add_extension(
            x509.BasicConstraints(ca=True, path_length=0), critical=True
        )
        self.certificate = _pem(own.sign(self._key, hashes.SHA256()))

    def sign(self, *names: str, common_name: str = "test", expired: bool = False) -> bytes:
        """A key and its certificate for `names`: domains, addresses, or URIs with ``sip:``; in PEM."""
        key = ec.generate_private_key(ec.SECP256R1())
        subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, common_name)])
        builder = self._builder(subject, key.public_key(), expired=expired)
        if names:
            builder = builder.add_extension(
                x509.SubjectAlternativeName([_general_name(name) for name in names]), critical=False
            )
        private = key.private_bytes(
            serialization.Encoding.PEM,
            serialization.PrivateFormat.PKCS8,
            serialization.NoEncryption(),
        )
        return private + _pem(builder.sign(self._key, hashes.SHA256()))

    def _builder(
        self, subject: x509.Name, key: ec.EllipticCurvePublicKey, *, expired: bool = False
    ) -> x509.CertificateBuilder:
        return (
            x509.CertificateBuilder()
            .subject_name(subject)
            .issuer_name(self._name)
            .public_key(key)
            .serial_number(x509.random_serial_number())
            .not_valid_before(_NOW - 10 * _DAY)
            .not_valid_after(_NOW - _DAY if expired else _NOW + 10 * _DAY)
        )


@cache
def authority(name: str = "trusted") -> Authority:
    """One authority by name, the same in the whole run: keys take time."""
    return Authority(name)


def tls_settings(
    folder: Path,
    *names: str,
    verify: str = "optional",
    signed_by: str = "trusted",
    trusts: str = "trusted",
    common_name: str = "test",
    expired: bool = False,
    bare: bool = False,
) -> TlsSettings:
    """Settings with a certificate for `names`; without one when `bare`."""
    authorities = folder / f"{trusts}.pem"
    authorities.write_bytes(authority(trusts).certificate)
    if bare:
        return TlsSettings(authorities=str(authorities), verify=verify)  # type: ignore[arg-type]
    own = folder / f"{signed_by}-{'-'.join(names).replace(':', '_').replace('*', 'any')}-{expired}.pem"
    own.write_bytes(authority(signed_by).sign(*names, common_name=common_name, expired=expired))
    return TlsSettings(
        certificate=str(own),
        authorities=str(authorities),
        verify=verify,  # type: ignore[arg-type]
    )


def _general_name(name: str) -> x509.GeneralName:
    if ":" in name and "sip" in name:
        return x509.UniformResourceIdentifier(name)
    try:
        return x509.IPAddress(ipaddress.ip_address(name))
    except ValueError:
        return x509.DNSName(name)


def _pem(certificate: x509.Certificate) -> bytes:
    return certificate.public_bytes(serialization.Encoding.PEM)
