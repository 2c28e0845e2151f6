"""The whole C header: what it is, the functions, the constants, and the function that a program calls."""

import json
import math
import textwrap

import cnn_cli
from cnn_cli.checkpoint.file import Checkpoint
from cnn_cli.export.c_code import CCode, function_texts
from cnn_cli.image.preprocess import InputFormat

HEADER = """\
/* {name}_predict: the network {network}, trained on {data}, as one C99 header without dependencies.
 *
 *     int {name}_predict(const uint8_t image[{pixels}], float probabilities[{classes}]);
 *
 * image: {image}
 * probabilities: of the {classes} classes, in the order of {name}_class_names; they sum to 1.
 * Returns the index of the most probable class. Where its probability is below {upper}_UNSURE_BELOW, the
 * answer is unsure.
 *
 * flash: {flash:,} bytes of constants, and the code
 * RAM:   {ram:,} bytes, static; nothing is allocated
 * time:  {multiply_adds:,} multiply-adds for one image
{note} *
 * Include it in one file of your program. {name}_predict uses static memory: one call at a time.
 * Written by cnn {version}; do not edit. License: the code of this header is under the MIT License, like cnn;
 * the weights were made from the images of {data}, whose terms may apply to them.
 */
#ifndef {upper}_PREDICT_H
#define {upper}_PREDICT_H

#include <stdint.h>

#define {upper}_PIXELS {pixels}
#define {upper}_CLASSES {classes}
#define {upper}_UNSURE_BELOW {unsure_below}f

static const char *const {name}_class_names[{classes}] = {{{class_names}}};
"""

PREDICT = """\
/* Returns the index of the most probable class of an image, and the probabilities of all classes. */
static inline int digit_predict(const uint8_t image[{pixels}], float probabilities[{classes}])
{{
{calls}
    return digit_softmax({classes}, {temperature}, probabilities);
}}

#endif
"""

IMAGES = {
    "digit": "28x28 gray levels, row by row, as in MNIST: 0 is background and 255 ink, the digit fits into\n"
    " *     20x20 pixels, and its center of mass is in the middle.",
    "photo": "{size}x{size} pixels, row by row; {channels}.",
}

CHANNELS = {1: "gray levels", 3: "first all of red, then green, then blue"}


def header_text(
    checkpoint: Checkpoint, code: CCode, multiply_adds: int, unsure_below: float, note: str
) -> str:
    """Return the text of the header.

    Args:
        checkpoint: what the header says about the network.
        code: the network in C; its last values are the logits.
        multiply_adds: for one image.
        unsure_below: the probability from which on an answer counts.
        note: another fact about the network, or an empty text.
    """
    preprocessing, classes = checkpoint.preprocessing, len(checkpoint.classes)
    kind = preprocessing.kind
    shape = InputFormat(kind, preprocessing.size, preprocessing.channels).shape
    facts = {
        "name": kind,
        "upper": kind.upper(),
        "pixels": math.prod(shape),
        "classes": classes,
        "network": _comment(checkpoint.config.name),
        "data": _comment(checkpoint.data),
        "image": IMAGES[kind].format(size=preprocessing.size, channels=CHANNELS[preprocessing.channels]),
        "flash": code.flash,
        "ram": code.ram,
        "multiply_adds": multiply_adds,
        "note": textwrap.fill(note, 105, initial_indent=" * ", subsequent_indent=" * ") + "\n"
        if note
        else "",
        "version": cnn_cli.__version__,
        "unsure_below": unsure_below,
        "class_names": ", ".join(map(_string, checkpoint.classes)),
    }
    memory = f"static {code.memory_type} digit_memory[{code.plan.size}];"
    functions = function_texts([*code.functions, "softmax"])
    temperature = f"{checkpoint.temperature:.9g}"
    predict = PREDICT.format(
        **{key: facts[key] for key in ("pixels", "classes")},
        calls="\n".join(code.calls),
        temperature=f"{temperature if '.' in temperature else temperature + '.0'}f",
    )
    body = "\n\n".join([*functions, *code.constants, memory, predict])
    return HEADER.format(**facts) + "\n" + body.replace("digit_", f"{kind}_")


def _string(text: str) -> str:
    """Return a C string; letters beyond ASCII as the bytes of UTF-8."""
    quoted = json.dumps(text, ensure_ascii=False).replace("?", "\\?")
    return "".join(
        each if each.isascii() else "".join(f"\\{byte:03o}" for byte in each.encode()) for each in quoted
    )


def _comment(text: str) -> str:
    """Return text that cannot end a comment."""
    return text.replace("*/", "* /").replace("\n", " ")
