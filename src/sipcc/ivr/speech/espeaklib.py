"""Speaks by the library of espeak-ng as the package ``espeakng-loader`` has it; a program of its own.

``python -m sipcc.ivr.speech.espeaklib VOICE PACE AMPLITUDE`` reads a text and writes a WAV, as
``espeak-ng --stdin --stdout`` does. In a process of its own a text can be given up at any time, and the
library, which knows just one speaker, serves several. Names and numbers of the calls: ``speak_lib.h`` of
espeak-ng.
"""

from __future__ import annotations

import ctypes
import sys
from typing import Any

from sipcc.ivr.speech.voice import wav_header

_RETRIEVAL = 1
_RATE = 1
_VOLUME = 2
_CHARS_UTF8 = 1
_POS_CHARACTER = 1
_UNKNOWN_SIZE = 0x7FFFF000


def main(voice: str, pace: int, amplitude: int) -> int:
    """Speak what comes on the standard input; the exit status."""
    import espeakng_loader

    library: Any = ctypes.CDLL(espeakng_loader.get_library_path())
    rate_hz = library.espeak_Initialize(_RETRIEVAL, 0, espeakng_loader.get_data_path().encode(), 0)
    if rate_hz <= 0 or library.espeak_SetVoiceByName(voice.encode()) != 0:
        return 1
    library.espeak_SetParameter(_RATE, pace, 0)
    library.espeak_SetParameter(_VOLUME, amplitude, 0)
    out = sys.stdout.buffer
    out.write(wav_header(rate_hz, _UNKNOWN_SIZE))

    def heard(samples: Any, count: int, _events: Any) -> int:
        if samples and count > 0:
            out.write(ctypes.string_at(samples, count * 2))
        return 0

    kind = ctypes.CFUNCTYPE(ctypes.c_int, ctypes.POINTER(ctypes.c_short), ctypes.c_int, ctypes.c_void_p)
    callback = kind(heard)  # the library holds no reference to it
    library.espeak_SetSynthCallback(callback)
    text = sys.stdin.buffer.read() + b"\0"
    size = ctypes.c_size_t(len(text))
    failed = library.espeak_Synth(text, size, 0, _POS_CHARACTER, 0, _CHARS_UTF8, None, None)
    library.espeak_Synchronize()
    out.flush()
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1], int(sys.argv[2]), int(sys.argv[3])))
