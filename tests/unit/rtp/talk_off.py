"""Speech and music that hold no key: what a key detector must be deaf to."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor

import numpy as np
import numpy.typing as npt
from tests.speech import speak

Pcm = npt.NDArray[np.int16]
Wave = npt.NDArray[np.float64]
RATE = 8000

VOICES = (
    ("en-us", 150, 50), ("en-us+f3", 165, 60), ("en-gb+m4", 140, 35), ("en-gb-scotland+f5", 175, 75),
    ("en-us+whisper", 150, 50), ("cmn", 150, 50), ("cmn+f2", 165, 65), ("yue+m7", 140, 40),
)  # fmt: skip
"""Voice, words a minute, pitch."""
ENGLISH = """
Good morning, and thank you for calling. My name is Alice, how may I help you today? I would like to know
where my parcel is. The order number is four zero zero, eight one two, three four five six, and I was told
that it would come on Tuesday between nine and eleven. I am sorry to hear that. Could you please hold the
line while I look it up? Thank you. The driver was here at ten past three, but nobody opened the door. We
wish you a quiet evening; please see the queue of people near the beach. She sells sea shells by the sea
shore, and he threw three free throws. Why do you always whistle those cheerful tunes? Each of these cheap
machines needs a new wheel. Oh no, you know, the yellow mellow fellow may go slowly home along the low road.
"""
CHINESE = """
您好，感谢您的来电。我叫小李，请问有什么可以帮您？我想查一下我的包裹在哪里。订单号是一三八，零零一三，
八零零零，有人告诉我星期二上午九点到十一点会送到。非常抱歉，请您稍等，我帮您看一下。司机三点十分来过，
但是没有人开门。请问您需要重新安排时间吗？好的，明天下午四点可以吗？四是四，十是十，十四是十四，四十是四十。
吃葡萄不吐葡萄皮，不吃葡萄倒吐葡萄皮。谢谢您，祝您生活愉快，再见。
"""


def speak_long(voice: str, speed: int, pitch: int) -> Wave:
    """A page read by a voice, at about -15 dBm0."""
    text = CHINESE if voice.startswith(("cmn", "yue")) else ENGLISH
    spoken = speak(text, voice=voice, speed=speed, pitch=pitch)
    return spoken * (4000.0 / np.sqrt(np.mean(spoken**2)))


def speech() -> Wave:
    """All voices one after the other: about six minutes."""
    with ThreadPoolExecutor(2) as pool:
        return np.concatenate(list(pool.map(lambda voice: speak_long(*voice), VOICES)))


def _note(hz: float, seconds: float, *, harmonics: int = 6, vibrato: float = 0.0, decay: float = 1.5) -> Wave:
    times = np.arange(round(seconds * RATE)) / RATE
    phase = 2 * np.pi * hz * times + vibrato * hz / 5.5 * np.sin(2 * np.pi * 5.5 * times)
    wave = np.zeros(len(times))
    for number in range(1, harmonics + 1):
        if hz * number < RATE / 2:
            wave += np.sin(number * phase) / number**1.2
    attack = np.minimum(1.0, times / 0.02)
    release = np.minimum(1.0, (seconds - times) / 0.02)
    return wave * attack * release * np.exp(-times * decay)


def music(minutes: float = 1.5, *, seed: int = 7) -> Wave:
    """Chords and melodies with harmonics and vibrato, from flute (nearly pure) to strings."""
    random = np.random.default_rng(seed)
    scale = 220.0 * 2 ** (np.array([0, 2, 3, 5, 7, 8, 10, 12, 14, 15, 17, 19, 22, 24, 27, 29, 31]) / 12)
    parts: list[Wave] = []
    length = 0
    while length < minutes * 60 * RATE:
        seconds = float(random.choice([0.15, 0.25, 0.4, 0.8]))
        kind = random.integers(4)
        if kind == 0:  # a chord of three or four
            root = int(random.integers(len(scale) - 6))
            chord = [scale[root], scale[root + 2], scale[root + 4], scale[root + 6]][
                : int(random.integers(3, 5))
            ]
            wave = np.sum([_note(float(hz), 0.8) for hz in chord], axis=0)
        elif kind == 1:  # two flutes, hardly a harmonic
            pair = random.choice(scale[4:], 2, replace=False)
            wave = np.sum(
                [_note(float(hz), seconds, harmonics=2, vibrato=0.01, decay=0.3) for hz in pair], axis=0
            )
        elif kind == 2:  # a string with a wide vibrato
            wave = _note(float(random.choice(scale)), seconds, harmonics=10, vibrato=0.02, decay=0.5)
        else:  # a melody over a bass
            wave = _note(float(random.choice(scale[5:])), seconds, harmonics=4) + _note(
                float(scale[0] / 2), seconds, harmonics=8
            )
        wave *= 5000.0 / max(1e-9, np.sqrt(np.mean(wave**2)))
        parts.append(wave)
        length += len(wave)
    return np.concatenate(parts)


def in_rows(wave: Wave, *, seconds: float = 10.0) -> Pcm:
    """Cut into rows of equal length, to be heard side by side."""
    width = round(seconds * RATE)
    width -= width % 160
    count = -(-len(wave) // width)
    padded = np.zeros(count * width)
    padded[: len(wave)] = wave
    return np.clip(np.rint(padded), -32768, 32767).astype(np.int16).reshape(count, width)
