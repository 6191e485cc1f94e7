"""Audio codecs: the two laws of G.711 as tables, and one maker for decoders and encoders of all."""

from __future__ import annotations

from sipcc.rtp.codec.base import Decoder, Encoder, load_codecs, make_decoder, make_encoder, units_of
from sipcc.rtp.codec.g711 import decode, decode_into, encode, encode_into, translate
from sipcc.rtp.formats import CodecSpec, spec

__all__ = [
    "CodecSpec",
    "Decoder",
    "Encoder",
    "decode",
    "decode_into",
    "encode",
    "encode_into",
    "load_codecs",
    "make_decoder",
    "make_encoder",
    "spec",
    "translate",
    "units_of",
]
