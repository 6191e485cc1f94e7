"""ITU-T G.722 written down block by block, for tests only: slow, and as near to the text as Python can be.

Names are those of the Recommendation (09/2012): §6.2.1 the lower sub-band, §6.2.2 the higher one, §5.2 the
filters. All arithmetic is on integers; `sat` is the limitation of 16-bit additions.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

# Decision levels of the 60-level quantizer
Q6 = (0, 35, 72, 110, 150, 190, 233, 276, 323, 370, 422, 473, 530, 587, 650, 714, 786, 858, 940, 1023, 1121,
      1219, 1339, 1458, 1612, 1765, 1980, 2195, 2557, 2919)  # fmt: skip
# Codes of the intervals, for a negative and for a positive difference
ILN = (0, 63, 62, *range(31, 3, -1))
ILP = (0, *range(61, 31, -1))
# Inverse quantizers of 4 and 6 bits
QQ4 = (0, -20456, -12896, -8968, -6288, -4240, -2584, -1200, 20456, 12896, 8968, 6288, 4240, 2584, 1200, 0)
QQ6_POSITIVE = (24808, 21904, 19008, 16704, 14984, 13512, 12280, 11192, 10232, 9360, 8576, 7856, 7192, 6576,
                6000, 5456, 4944, 4464, 4008, 3576, 3168, 2776, 2400, 2032, 1688, 1360, 1040,
                728)  # fmt: skip
QQ6 = (-136,) * 4 + tuple(-value for value in QQ6_POSITIVE) + (*QQ6_POSITIVE, 432, 136, -432, -136)
# Logarithmic to linear
ILB = (2048, 2093, 2139, 2186, 2233, 2282, 2332, 2383, 2435, 2489, 2543, 2599, 2656, 2714, 2774, 2834, 2896,
       2960, 3025, 3091, 3158, 3228, 3298, 3371, 3444, 3520, 3597, 3676, 3756, 3838, 3922, 4008)  # fmt: skip
# Multipliers of the lower quantizer, by the code without its two last bits
WL = (-60, 3042, 1198, 538, 334, 172, 58, -30, 3042, 1198, 538, 334, 172, 58, -30, -60)
# The higher sub-band: decision level, inverse quantizer, multipliers
Q2 = 564
QQ2 = (-7408, -1616, 7408, 1616)
WH = (798, -214, 798, -214)
# Coefficients of the quadrature mirror filters, times 2^13
H = (3, -11, -11, 53, 12, -156, 32, 362, -210, -805, 951, 3876, 3876, 951, -805, -210, 362, 32, -156, 12, 53,
     -11, -11, 3)  # fmt: skip


def sat(value: int, most: int = 32767) -> int:
    return max(-most - 1, min(most, value))


class Predictor:
    """The adaptive predictor of one sub-band: two poles, six zeros (blocks 4L and 4H)."""

    def __init__(self) -> None:
        self.s = self.sz = 0
        self.r = [0, 0, 0]
        self.p = [0, 0, 0]
        self.a = [0, 0, 0]
        self.d = [0] * 7
        self.b = [0] * 7

    def take(self, dif: int) -> None:
        d, p, r, a, b = self.d, self.p, self.r, self.a, self.b
        d[0] = dif
        p[0] = sat(self.sz + dif)  # PARREC
        r[0] = sat(self.s + dif)  # RECONS
        same1, same2 = (p[0] < 0) == (p[1] < 0), (p[0] < 0) == (p[2] < 0)
        # UPPOL2
        wd1 = sat(a[1] * 4)
        wd2 = min(-wd1 if same1 else wd1, 32767) >> 7
        a2 = max(-12288, min(12288, wd2 + (128 if same2 else -128) + (a[2] * 32512 >> 15)))
        # UPPOL1
        limit = 15360 - a2
        a1 = max(-limit, min(limit, sat((192 if same1 else -192) + (a[1] * 32640 >> 15))))
        # UPZERO
        step = 128 if dif else 0
        for i in range(6, 0, -1):
            grow = step if (d[i] < 0) == (dif < 0) else -step
            b[i] = sat(grow + (b[i] * 32640 >> 15))
        # DELAYA
        d[1:] = d[:6]
        r[1:], p[1:], a[1:] = r[:2], p[:2], [a1, a2]
        # FILTEP, FILTEZ, PREDIC
        pole = sat((a[1] * sat(2 * r[1]) >> 15) + (a[2] * sat(2 * r[2]) >> 15))
        zero = 0
        for i in range(6, 0, -1):
            zero = sat(zero + (b[i] * sat(2 * d[i]) >> 15))
        self.sz, self.s = zero, sat(pole + zero)


class Band:
    """What encoder and decoder share of one sub-band: predictor and step size."""

    def __init__(self, det: int, most: int, shift: int) -> None:
        self.predictor = Predictor()
        self.det, self.nb = det, 0
        self._most, self._shift = most, shift

    def adapt(self, multiplier: int) -> None:
        """LOGSCL and SCALEL, or LOGSCH and SCALEH."""
        self.nb = max(0, min(self._most, (self.nb * 127 >> 7) + multiplier))
        shift = self._shift - (self.nb >> 11)
        linear = ILB[self.nb >> 6 & 31]
        self.det = (linear << -shift if shift < 0 else linear >> shift) << 2


class SubBands:
    """Both sub-bands, as an encoder and as a decoder: `encode` and `decode` are not for one object."""

    def __init__(self) -> None:
        self.low = Band(32, 18432, 8)
        self.high = Band(8, 22528, 10)

    def encode(self, xl: int, xh: int) -> int:
        low, high = self.low, self.high
        el = sat(xl - low.predictor.s)
        size = el if el >= 0 else ~el
        mil = next((i for i in range(1, 30) if size < (Q6[i] * low.det >> 12)), 30)  # QUANTL
        il = (ILN if el < 0 else ILP)[mil]
        self._take_low(il)
        eh = sat(xh - high.predictor.s)
        size = eh if eh >= 0 else ~eh
        far = size >= (Q2 * high.det >> 12)  # QUANTH
        ih = (0 if far else 1) if eh < 0 else (2 if far else 3)
        self._take_high(ih)
        return ih << 6 | il

    def decode(self, code: int) -> tuple[int, int]:
        il, ih = code & 63, code >> 6
        rl = sat(self.low.predictor.s + (self.low.det * QQ6[il] >> 15), 16383)  # mode 1: all six bits
        rh = sat(self.high.predictor.s + (self.high.det * QQ2[ih] >> 15), 16383)
        self._take_low(il)
        self._take_high(ih)
        return rl, rh

    def _take_low(self, il: int) -> None:
        difference = self.low.det * QQ4[il >> 2] >> 15
        self.low.adapt(WL[il >> 2])
        self.low.predictor.take(difference)

    def _take_high(self, ih: int) -> None:
        difference = self.high.det * QQ2[ih] >> 15
        self.high.adapt(WH[ih])
        self.high.predictor.take(difference)


class Encoder:
    """16 kHz samples to codes.

    `limit` is the limiter behind the filter (§5.2.1), which speaks only when a signal overloads the filter.
    """

    def __init__(self, *, limit: bool = True) -> None:
        self._bands = SubBands()
        self._most = 16383 if limit else 1 << 20
        self._line = [0] * 24

    def encode(self, samples: Sequence[int]) -> bytes:
        codes = bytearray()
        for at in range(0, len(samples) - 1, 2):
            self._line = [samples[at + 1], samples[at], *self._line[:22]]
            one = sum(h * x for h, x in zip(H[::2], self._line[::2], strict=True))
            other = sum(h * x for h, x in zip(H[1::2], self._line[1::2], strict=True))
            xl, xh = sat(one + other >> 14, self._most), sat(one - other >> 14, self._most)
            codes.append(self._bands.encode(xl, xh))
        return bytes(codes)


class Decoder:
    """Codes to 16 kHz samples, mode 1."""

    def __init__(self) -> None:
        self._bands = SubBands()
        self._filter = Synthesis()

    def decode(self, codes: bytes) -> list[int]:
        return self._filter.run(map(self._bands.decode, codes))


class Synthesis:
    """The receive quadrature mirror filter."""

    def __init__(self) -> None:
        self._xd = [0] * 12
        self._xs = [0] * 12

    def run(self, bands: Iterable[tuple[int, int]]) -> list[int]:
        out: list[int] = []
        for rl, rh in bands:
            self._xd = [rl - rh, *self._xd[:11]]
            self._xs = [rl + rh, *self._xs[:11]]
            out.append(sat(sum(h * x for h, x in zip(H[::2], self._xd, strict=True)) >> 11))
            out.append(sat(sum(h * x for h, x in zip(H[1::2], self._xs, strict=True)) >> 11))
        return out
