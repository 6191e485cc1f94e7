"""Audio codecs."""

from __future__ import annotations

from sipcc.rtp.codec.base import CODECS, G711, Codec
from sipcc.rtp.codec.g711 import decode, decode_into, encode, encode_into, translate

__all__ = ["CODECS", "G711", "Codec", "decode", "decode_into", "encode", "encode_into", "translate"]
