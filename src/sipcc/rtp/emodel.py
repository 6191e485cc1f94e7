"""How a call sounds, by the E-model (ITU-T G.107, in short form), for each codec.

    R   = Ro - Id - Ie,eff
    Id  = 0.024 Ta + 0.11 (Ta - 177.3) above 177.3 ms
    Ie,eff = Ie + (Top - Ie) Ppl / (Ppl / BurstR + Bpl)

G.107 rates narrow-band speech with Ro 93.2 and a top of 95. Codecs with more bandwidth are rated on the
scale of G.107.2, with Ro 148 and a top of 132, and delay weighs as much more there; the rating is then
brought back by 148/100, as its Annex A does before a MOS is read from it. So a MOS of one codec can be
compared with that of another.
"""

from __future__ import annotations

from typing import NamedTuple

from sipcc.rtp.flow import CodecName

MAX_BURST_RATIO = 4.0
"""Beyond this the model was never held against listeners."""
_KNEE_MS = 177.3


class Scale(NamedTuple):
    """A transmission rating scale."""

    ro: float
    """The rating without any impairment."""
    top: float
    """The impairment of total loss."""
    stretch: float
    """What a rating of 100 on the scale of G.107 is on this one, in hundreds."""


NARROW = Scale(93.2, 95.0, 1.0)
FULL = Scale(148.0, 132.0, 1.48)


class Impairment(NamedTuple):
    """How a codec sounds, and how it takes loss (ITU-T G.113 App. I)."""

    ie: float
    """Impairment without any loss."""
    bpl: float
    """Robustness against loss: the larger, the less each lost packet hurts."""
    scale: Scale = NARROW


G711_PLAIN = Impairment(0.0, 4.3)
"""G.711 into an ear that plays silence for what is lost."""
G711_CONCEALED = Impairment(0.0, 25.1)
"""G.711 into an ear with packet loss concealment: ours, and that of every softphone."""
G729A = Impairment(11.0, 19.0)
"""G.729 annexes A and B."""
WIDE = Impairment(10.2, 4.3, FULL)
"""Opus and G.722."""

OF_CODEC: dict[CodecName, Impairment] = {
    "PCMU": G711_CONCEALED,
    "PCMA": G711_CONCEALED,
    "L16": G711_CONCEALED,
    "G722": WIDE,
    "opus": WIDE,
    "G729": G729A,
}


def rate(
    *, loss: float, delay_ms: float, codec: Impairment = G711_CONCEALED, burst_ratio: float = 1.0
) -> float:
    """The rating R, 0..100, on the scale of G.107.

    `loss` is the fraction lost, 0..1; `delay_ms` the mouth-to-ear delay: that of the jitter buffer for
    listening quality, with half the round trip added for conversational quality; `burst_ratio` is BurstR.
    """
    ppl = min(max(loss, 0.0), 1.0) * 100.0
    burst_ratio = min(max(burst_ratio, 1.0), MAX_BURST_RATIO)
    scale = codec.scale
    delay = 0.024 * delay_ms + (0.11 * (delay_ms - _KNEE_MS) if delay_ms > _KNEE_MS else 0.0)
    equipment = codec.ie + (scale.top - codec.ie) * ppl / (ppl / burst_ratio + codec.bpl)
    return min(100.0, max(0.0, (scale.ro - equipment) / scale.stretch - delay))


def mos_of(rating: float) -> float:
    """The mean opinion score 1.0..4.5 of a rating (G.107 Annex B)."""
    if rating <= 0.0:
        return 1.0
    if rating >= 100.0:
        return 4.5
    return max(1.0, 1.0 + 0.035 * rating + 7e-6 * rating * (rating - 60.0) * (100.0 - rating))


def estimate_mos(
    *, loss: float, delay_ms: float, codec: Impairment = G711_CONCEALED, burst_ratio: float = 1.0
) -> float:
    """`mos_of` what `rate` gives."""
    return mos_of(rate(loss=loss, delay_ms=delay_ms, codec=codec, burst_ratio=burst_ratio))
