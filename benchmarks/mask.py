"""Tokens a second with the marker mask against without it, on a random model with a large vocabulary.

    python -m benchmarks.mask [--vocabulary 128000] [--tokens 300] [--rounds 7] [--temperature 0]

The two take turns in one process, so that whatever else the machine does falls on both. The model is made
likely to open markers. `binding` is the binding's own greedy loop, for comparison.
"""

import argparse
import statistics
import tempfile
import threading
import time
from pathlib import Path
from unittest.mock import patch

import numpy as np

from rag.constrain import MarkerMask
from rag.generate import LlamaGenerator
from rag.types import Message
from tests.gguf_models import write_gguf

MESSAGES = [Message("system", "Answer with markers."), Message("user", "What does the paper say? " * 8)]
MARKERS = frozenset(range(1, 6))


class _NoMask(MarkerMask):
    """Allows everything."""

    only = None
    forbidden = np.empty(0, dtype=np.intp)

    def accept(self, token: int) -> None:
        pass


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--vocabulary", type=int, default=128_000)
    parser.add_argument("--tokens", type=int, default=300)
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--temperature", type=float, default=0.0)
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        likely = {" [": 12.0, "[1": 12.0, "1]": 6.0, "]": 6.0, "<|im_end|>": -1000.0}
        path = write_gguf(Path(folder) / "large.gguf", vocabulary=arguments.vocabulary, width=64, bias=likely)
        generator = LlamaGenerator(path, temperature=arguments.temperature)
        rates: dict[str, list[float]] = {"masked": [], "unmasked": [], "binding": []}
        written = ""
        for round_ in range(arguments.rounds):
            generator.seed = round_
            rate, written = _rate(generator, MarkerMask, arguments.tokens)
            rates["masked"].append(rate)
            rates["unmasked"].append(_rate(generator, _NoMask, arguments.tokens)[0])
            rates["binding"].append(_binding_rate(generator, arguments.tokens))
    print(f"vocabulary {arguments.vocabulary:,}, {arguments.tokens} tokens, {arguments.rounds} rounds")
    print(f"markers in the last: {written.count(']')}")
    for name, values in rates.items():
        print(f"{name:9} {statistics.median(values):7.0f} tokens/s")
    ratios = [masked / unmasked for masked, unmasked in zip(rates["masked"], rates["unmasked"], strict=True)]
    low, middle, high = min(ratios), statistics.median(ratios), max(ratios)
    print(f"masked / unmasked: median {middle:.3f}, lowest {low:.3f}, highest {high:.3f}")


def _rate(generator: LlamaGenerator, mask: type[MarkerMask], tokens: int) -> tuple[float, str]:
    """Tokens a second after the first, and what was written."""
    with patch("rag.generate.MarkerMask", mask):
        pieces = generator.stream(MESSAGES, MARKERS, tokens, threading.Event())
        written = [next(pieces)]
        started = time.perf_counter()
        written += pieces
        return (len(written) - 1) / (time.perf_counter() - started), "".join(written)


def _binding_rate(generator: LlamaGenerator, tokens: int) -> float:
    llama = generator._llama
    stream = llama.generate(generator._tokenize(MESSAGES), temp=0.0)
    next(stream)
    started = time.perf_counter()
    for _ in range(tokens - 1):
        next(stream)
    return (tokens - 1) / (time.perf_counter() - started)


if __name__ == "__main__":
    main()
