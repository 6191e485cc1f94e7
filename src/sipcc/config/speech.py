"""Checks of ``[speech]``: who speaks, and with which voices."""

from __future__ import annotations

import shutil
from importlib.util import find_spec
from pathlib import Path as FilePath

import msgspec

from sipcc.config.schema import Config
from sipcc.errors import ConfigError
from sipcc.ivr.speech.recognise import make_recogniser
from sipcc.ivr.speech.settings import SpeechSettings
from sipcc.ivr.speech.speaker import BUILT_IN, VOICE_NAME, engines, make_voice
from sipcc.reading.convert import did_you_mean
from sipcc.reading.findings import Report


def check_speech(speech: SpeechSettings, report: Report) -> None:
    """Check the engine, its settings, and the names of voices."""
    if speech.engine not in BUILT_IN and speech.engine not in (known := engines()):
        message = f"there is no engine {speech.engine!r}"
        report.error(("speech", "engine"), message, did_you_mean(speech.engine, known))
    elif speech.engine in BUILT_IN:
        try:
            make_voice(speech)
        except ConfigError as error:
            report.error(tuple(error.path.split(".")), error.message, error.hint)
    try:
        make_recogniser(speech.recogniser)
    except ConfigError as error:
        report.error(tuple(error.path.split(".")), error.message, error.hint)
    for language, voice in speech.voices.items():
        if not VOICE_NAME.fullmatch(voice):
            report.error(("speech", "voices", language), f"{voice[:80]!r} is no name of a voice")


def check_voice_is_there(config: Config, report: Report) -> None:
    """What only this machine can tell: whether the program or the model is there."""
    speech = config.speech
    if speech.engine == "espeak":
        program = speech.espeak.program
        if shutil.which(program) is None and find_spec("espeakng_loader") is None:
            report.warn(
                ("speech", "espeak", "program"),
                f"the program {program!r} is not there: texts are not spoken, and a tone is heard",
                "install espeak-ng, or the extra: pip install 'sipcc[speech]'",
            )
    elif speech.engine == "sherpa":
        for key in ("model", "vocoder", "voices", "tokens"):
            place = getattr(speech.sherpa, key)
            if place and not FilePath(place).is_file():
                report.warn(("speech", "sherpa", key), f"there is no file {place!r}")
        if find_spec("sherpa_onnx") is None:
            report.warn(
                ("speech", "engine"), "the package sherpa-onnx is not there", "pip install sherpa-onnx"
            )


def anchored_speech(speech: SpeechSettings, folder: FilePath) -> SpeechSettings:
    """`speech` with its file names made absolute from `folder`."""
    files = {
        key: ",".join(str(folder / part.strip()) for part in written.split(","))
        for key in ("model", "vocoder", "voices", "tokens", "lexicon", "data_dir", "rule_fsts")
        if (written := getattr(speech.sherpa, key))
    }
    sherpa = msgspec.structs.replace(speech.sherpa, **files)
    return msgspec.structs.replace(speech, cache=str(folder / speech.cache), sherpa=sherpa)
