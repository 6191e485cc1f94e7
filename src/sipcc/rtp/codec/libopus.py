"""The binding to libopus: six functions, by ctypes.

The library is the copy inside the `av` package, which need not be imported for it: wheels keep their
shared libraries in a folder beside the package. Where `av` was built from source it uses the system's, and so
do we. The states live in memory of ours, so nothing has to be destroyed.
"""

from __future__ import annotations

import ctypes
import ctypes.util
import importlib.util
from functools import lru_cache
from pathlib import Path

from sipcc.errors import ConfigError

APPLICATION_VOIP = 2048

SET_BITRATE = 4002
SET_VBR = 4006
SET_COMPLEXITY = 4010
SET_INBAND_FEC = 4012
SET_PACKET_LOSS_PERC = 4014
SET_DTX = 4016
SET_SIGNAL = 4024
SIGNAL_VOICE = 3001


def find_library() -> str | None:
    """The file or name to load libopus by, or None when there is none."""
    package = importlib.util.find_spec("av")
    if package is not None and package.origin is not None:
        inside = Path(package.origin).parent
        for folder in (inside.parent / "av.libs", inside / ".dylibs"):
            for file in sorted(folder.glob("libopus*")):
                return str(file)
    return ctypes.util.find_library("opus")


@lru_cache(maxsize=1)
def load() -> ctypes.CDLL:
    """The library, with its functions declared.

    Raises:
        ConfigError: it is not on this machine.
    """
    found = find_library()
    try:
        if found is None:
            raise OSError("it is neither in the package av nor among the system's libraries")
        library = ctypes.CDLL(found)
    except OSError as error:
        raise ConfigError(
            "[media] codecs", f"opus needs libopus: {error}", hint="install av from a wheel, or take opus out"
        ) from error
    state, count = ctypes.c_void_p, ctypes.c_int
    for name, arguments in {
        "opus_decoder_get_size": [count],
        "opus_decoder_init": [state, ctypes.c_int32, count],
        "opus_decode": [state, ctypes.c_char_p, ctypes.c_int32, ctypes.c_void_p, count, count],
        "opus_encoder_get_size": [count],
        "opus_encoder_init": [state, ctypes.c_int32, count, count],
        "opus_encode": [state, ctypes.c_void_p, count, ctypes.c_void_p, ctypes.c_int32],
        # what follows is variadic: ctypes passes it as such where the platform tells the two apart
        "opus_encoder_ctl": [state, count],
    }.items():
        function = getattr(library, name)
        function.argtypes, function.restype = arguments, ctypes.c_int32
    return library
