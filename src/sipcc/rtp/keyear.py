"""What one leg's key tones have come to, block by block, and what is made of those that were lost. A core.

Audio that never came is a hole. A block that overlaps one may still have enough of a key; if it has not, it
tells nothing, and ends no key. Holes of up to 40 ms are judged by what is on both sides:

- Another key behind it, or nothing: the key before is over.
- The same key behind it: it is one key, unless two blocks of the pause were heard, or it would be more than
  30 ms longer than the key before it was.
- A key of which less than two blocks were heard, 20 to 25 ms of tone, is none. What was that short in truth,
  and what was made so by a hole, cannot be told apart; nor can, at the beginning of a burst, one key from two
  equal ones when the hole hides all of the pause.
"""

from __future__ import annotations

from sipcc.rtp.frame import SAMPLE_RATE_HZ, ms_of_samples

BLOCK = 128
HOP = 80
HITS = 3
"""Blocks in a row that make a key,"""
KNOWN = 2
"""of which so many must have been heard, when the others were lost."""
MISSES = 4
"""Blocks without that end it."""
LONGER = SAMPLE_RATE_HZ * 30 // 1000
"""With a hole in it a key is no more than so much longer than the one before, in samples,"""
RECENT = SAMPLE_RATE_HZ * 300 // 1000
"""if that ended no longer ago than this."""


class KeyEar:
    """The key of one leg. Places count the samples since its slot was added."""

    __slots__ = (
        "blind",
        "code",
        "first",
        "fresh",
        "hits",
        "hole_to",
        "known",
        "last",
        "misses",
        "sounding",
        "stirred",
        "unseen",
        "usual",
        "usual_to",
    )

    def __init__(self) -> None:
        self.code = -1
        """The key that is heard, or may be: its index in `KEYPAD`."""
        self.hits = 0
        """Blocks in a row, until the key is `sounding`."""
        self.known = 0
        """Those of them that were heard."""
        self.misses = 0
        self.blind = 0
        """Blocks since the last one that was heard."""
        self.unseen = 0
        """Blocks that were not heard among the misses."""
        self.first = 0
        self.last = -BLOCK
        self.stirred = 0
        """Where blocks that pass began to follow one another, of one key or of several."""
        self.sounding = False
        self.fresh: KeyEar | None = None
        """Another key that is heard while one sounds."""
        self.hole_to = -BLOCK
        """Where the last hole ends."""
        self.usual = 0
        """How long the key before was, in samples; 0 where there was none,"""
        self.usual_to = -RECENT
        """and where it ended."""

    def hear(self, code: int, start: int, *, blind: bool = False) -> bool:
        """Take a block that begins at `start`; True while there is anything to remember."""
        if blind:
            self.blind += 1
            if self.fresh is not None:
                self.fresh.hear(-1, start, blind=True)
            return self.code >= 0
        gap, self.blind = self.blind, 0
        if code >= 0 and code == self.code:
            self.hits += 1 + gap
            self.known += 1
            self.misses = self.unseen = 0
            self.last = start + BLOCK
            self.fresh = None
            return True
        if self.sounding:
            self.unseen += gap
            self.misses += 1
            if code >= 0:
                if self.fresh is None:
                    self.fresh = KeyEar()
                    self.fresh.hole_to = self.hole_to
                self.fresh.hear(code, start)
            elif self.fresh is not None and not self.fresh.hear(-1, start):
                self.fresh = None
            return True
        self.code = code
        if code < 0:
            return False
        if start > self.last:
            self.stirred = start
        self.hits = 2 if start < self.hole_to + HOP else 1  # the block before may have been of the key
        self.known = 1
        self.misses = self.unseen = 0
        self.first, self.last = start, start + BLOCK
        return True

    @property
    def is_key(self) -> bool:
        """Whether enough was heard for a key."""
        heard = self.hits >= HITS or self.blind > 0
        return heard and self.known >= KNOWN

    @property
    def is_over(self) -> bool:
        """Whether a key that sounds has ended."""
        fresh, lost = self.fresh, self.unseen + self.blind
        parted = lost > 0 and self.misses >= KNOWN and self.misses + lost >= MISSES
        return self.misses >= MISSES or parted or (fresh is not None and fresh.is_key)

    def parts(self, code: int, start: int) -> bool:
        """Whether a block of the key that sounds belongs to another press of it, behind a hole."""
        if not self.sounding or code != self.code or not (self.blind or self.unseen):
            return False
        in_burst = self.usual > 0 and self.first - self.usual_to <= RECENT
        return in_burst and start + BLOCK - self.first > self.usual + LONGER

    def follow(self, before: KeyEar) -> None:
        """Remember what there is to know of the key before."""
        self.hole_to = before.hole_to
        self.usual, self.usual_to = before.last - before.first, before.last

    @property
    def duration_ms(self) -> int:
        """How long the key sounded: N blocks passed, 80 apart, the outer ones with 60 % of tone or more."""
        return ms_of_samples((self.last - self.first - BLOCK) + HOP + 26)
