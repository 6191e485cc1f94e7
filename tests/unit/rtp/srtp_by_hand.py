"""SRTP and SRTCP written down a second time, from RFC 3711 and RFC 7714, to check what libsrtp makes of them.

It is proved by the RFCs' own vectors in `test_srtp.py`, so what agrees with it agrees with the RFCs.
"""

from __future__ import annotations

import hashlib
import hmac

from cryptography.hazmat.primitives.ciphers import Cipher, algorithms, modes
from cryptography.hazmat.primitives.ciphers.aead import AESGCM


def key_stream(key: bytes, counter: int, size: int) -> bytes:
    """AES in counter mode from `counter` on (RFC 3711 §4.1.1)."""
    return Cipher(algorithms.AES(key), modes.CTR(counter.to_bytes(16, "big"))).encryptor().update(bytes(size))


def derive(key: bytes, salt: bytes, label: int, size: int) -> bytes:
    """A session key (RFC 3711 §4.3.1); a salt of 12 bytes is padded to 14 (RFC 7714 §11)."""
    padded = int.from_bytes(salt.ljust(14, b"\0"), "big")
    return key_stream(key, (padded ^ label << 48) << 16, size)


def counter_mode(key: bytes, salt: bytes, ssrc: int, index: int, data: bytes) -> bytes:
    """Data encrypted, or decrypted, by AES-CM."""
    counter = int.from_bytes(salt, "big") << 16 ^ ssrc << 64 ^ index << 16
    stream = key_stream(key, counter, len(data))
    return bytes(a ^ b for a, b in zip(data, stream, strict=True))


def gcm_iv(salt: bytes, ssrc: int, roll_over: int, sequence: int) -> bytes:
    """The IV of an RTP packet (RFC 7714 §8.1)."""
    return (int.from_bytes(salt, "big") ^ (ssrc << 48 | roll_over << 16 | sequence)).to_bytes(12, "big")


def gcm_rtcp_iv(salt: bytes, ssrc: int, index: int) -> bytes:
    """The IV of an RTCP packet (RFC 7714 §9.1)."""
    return (int.from_bytes(salt, "big") ^ (ssrc << 48 | index)).to_bytes(12, "big")


def protect_cm(master: bytes, packet: bytes, roll_over: int, *, tag: int) -> bytes:
    """A packet with a header of 12 bytes, protected by AES_CM_128_HMAC_SHA1_80 or _32 (`tag` in bytes)."""
    key, salt = master[:16], master[16:]
    ssrc, sequence = int.from_bytes(packet[8:12], "big"), int.from_bytes(packet[2:4], "big")
    cipher, salting = derive(key, salt, 0, 16), derive(key, salt, 2, 14)
    out = packet[:12] + counter_mode(cipher, salting, ssrc, roll_over << 16 | sequence, packet[12:])
    whole = hmac.digest(derive(key, salt, 1, 20), out + roll_over.to_bytes(4, "big"), hashlib.sha1)
    return out + whole[:tag]


def protect_cm_rtcp(master: bytes, packet: bytes, index: int) -> bytes:
    """A compound RTCP packet protected with AES-CM; its tag has 80 bits in both suites (RFC 4568 §6.2)."""
    key, salt = master[:16], master[16:]
    cipher, salting = derive(key, salt, 3, 16), derive(key, salt, 5, 14)
    out = packet[:8] + counter_mode(cipher, salting, int.from_bytes(packet[4:8], "big"), index, packet[8:])
    out += (index | 1 << 31).to_bytes(4, "big")
    return out + hmac.digest(derive(key, salt, 4, 20), out, hashlib.sha1)[:10]


def protect_gcm(master: bytes, packet: bytes, roll_over: int) -> bytes:
    """A packet with a header of 12 bytes, protected by AEAD_AES_128_GCM, or _256 for a long key."""
    size = len(master) - 12
    key, salt = derive(master[:size], master[size:], 0, size), derive(master[:size], master[size:], 2, 12)
    ssrc, sequence = int.from_bytes(packet[8:12], "big"), int.from_bytes(packet[2:4], "big")
    return seal_gcm(key, salt, packet, ssrc, roll_over, sequence)


def seal_gcm(key: bytes, salt: bytes, packet: bytes, ssrc: int, roll_over: int, sequence: int) -> bytes:
    """The same by session keys, as the vectors of RFC 7714 §16 have them."""
    iv = gcm_iv(salt, ssrc, roll_over, sequence)
    return packet[:12] + AESGCM(key).encrypt(iv, packet[12:], packet[:12])


def protect_gcm_rtcp(master: bytes, packet: bytes, index: int) -> bytes:
    """A compound RTCP packet protected by AES-GCM."""
    size = len(master) - 12
    key, salt = derive(master[:size], master[size:], 3, size), derive(master[:size], master[size:], 5, 12)
    return seal_gcm_rtcp(key, salt, packet, int.from_bytes(packet[4:8], "big"), index)


def seal_gcm_rtcp(key: bytes, salt: bytes, packet: bytes, ssrc: int, index: int) -> bytes:
    """The same by session keys, as the vectors of RFC 7714 §17 have them."""
    word = (index | 1 << 31).to_bytes(4, "big")
    sealed = AESGCM(key).encrypt(gcm_rtcp_iv(salt, ssrc, index), packet[8:], packet[:8] + word)
    return packet[:8] + sealed + word
