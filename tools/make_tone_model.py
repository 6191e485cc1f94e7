"""Makes the model that the tests of sherpa-onnx speak with: ``python tools/make_tone_model.py``.

It has the inputs and the metadata of a VITS model with a lexicon, and says each sentence as half a second of
440 Hz at 16 kHz. It needs the package onnx.
"""

from __future__ import annotations

import math
from pathlib import Path

import onnx
from onnx import TensorProto, helper

FOLDER = Path(__file__).resolve().parent.parent / "tests" / "interop" / "sherpa"
RATE_HZ = 16_000
WORDS = ("hello", "there", "how", "are", "you", "this", "is", "the", "third", "sentence")
METADATA = {
    "model_type": "vits", "comment": "tone", "language": "English", "has_espeak": "0", "n_speakers": "2",
    "sample_rate": str(RATE_HZ), "add_blank": "0", "version": "1",
}  # fmt: skip


def constant(name: str, value: float, kind: int = TensorProto.FLOAT) -> onnx.NodeProto:
    """A number as a node."""
    return helper.make_node("Constant", [], [name], value=helper.make_tensor(name, kind, [], [value]))


def model() -> onnx.ModelProto:
    """A tone, and nothing of what comes in."""
    steps = [
        constant("start", 0, TensorProto.INT64),
        constant("step", 1, TensorProto.INT64),
        constant("samples", RATE_HZ // 2, TensorProto.INT64),
        helper.make_node("Range", ["start", "samples", "step"], ["at"]),
        helper.make_node("Cast", ["at"], ["at_f"], to=TensorProto.FLOAT),
        constant("turn", 440 * math.tau / RATE_HZ),
        helper.make_node("Mul", ["at_f", "turn"], ["phase"]),
        helper.make_node("Sin", ["phase"], ["wave"]),
        constant("half", 0.5),
        helper.make_node("Mul", ["wave", "half"], ["quiet"]),
        # what comes in goes through as nothing, so that no input is left out
        helper.make_node("Cast", ["x"], ["x_f"], to=TensorProto.FLOAT),
        helper.make_node("ReduceSum", ["x_f"], ["x_sum"], keepdims=0),
        helper.make_node("Cast", ["x_length"], ["length_f"], to=TensorProto.FLOAT),
        helper.make_node("ReduceSum", ["length_f"], ["length_sum"], keepdims=0),
        helper.make_node("Cast", ["sid"], ["sid_f"], to=TensorProto.FLOAT),
        helper.make_node("ReduceSum", ["sid_f"], ["sid_sum"], keepdims=0),
        helper.make_node("Sum", ["noise_scale", "length_scale", "noise_scale_w"], ["scales"]),
        helper.make_node("ReduceSum", ["scales"], ["scales_sum"], keepdims=0),
        helper.make_node("Sum", ["x_sum", "length_sum", "sid_sum", "scales_sum"], ["sum"]),
        constant("zero", 0.0),
        helper.make_node("Mul", ["sum", "zero"], ["nothing"]),
        helper.make_node("Add", ["quiet", "nothing"], ["flat"]),
        helper.make_node(
            "Constant", [], ["shape"], value=helper.make_tensor("s", TensorProto.INT64, [3], [1, 1, -1])
        ),
        helper.make_node("Reshape", ["flat", "shape"], ["y"]),
    ]
    whole, real = TensorProto.INT64, TensorProto.FLOAT
    inputs = [
        helper.make_tensor_value_info("x", whole, ["N", "L"]),
        helper.make_tensor_value_info("x_length", whole, ["N"]),
        *(
            helper.make_tensor_value_info(name, real, [1])
            for name in ("noise_scale", "length_scale", "noise_scale_w")
        ),
        helper.make_tensor_value_info("sid", whole, [1]),
    ]
    outputs = [helper.make_tensor_value_info("y", real, [1, 1, "S"])]
    made = helper.make_model(
        helper.make_graph(steps, "tone", inputs, outputs), opset_imports=[helper.make_opsetid("", 13)]
    )
    made.ir_version = 8
    helper.set_model_props(made, METADATA)
    return made


def main() -> None:
    """Write the model, its tokens and its lexicon."""
    onnx.save(model(), FOLDER / "tone.onnx")
    marks = [*"_,.?! ", *sorted({letter for word in WORDS for letter in word})]
    (FOLDER / "tokens.txt").write_text("".join(f"{mark} {n}\n" for n, mark in enumerate(marks)))
    (FOLDER / "lexicon.txt").write_text("".join(f"{word} {' '.join(word)}\n" for word in WORDS))


if __name__ == "__main__":
    main()
