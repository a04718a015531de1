"""Seconds an answer takes in `quote` mode, against the same answer sampled token by token under the same constraint.

    python -m benchmarks.quote [--parameters 110] [--answers 5] [--temperature 1]

On a random model of so many million parameters (32,000 tokens) that it writes itself: four of eight sentences of
some 44 tokens, for it is not asked whether to end. The two take turns in one process, so that whatever else the
machine does falls on both, and each begins with an empty cache. Says also whether the answers are the same.
"""

import argparse
import statistics
import tempfile
import threading
import time
from dataclasses import replace
from pathlib import Path
from unittest.mock import patch

from rag.generate import LlamaGenerator
from rag.prompt import refusal
from rag.trie import Walk
from rag.types import Choices, Message
from tests.gguf_models import write_gguf

SENTENCES = [f"{name} reaches {number}.{number} points on Tides." for number, name in enumerate(
    ["Mercury X", "Venus Net", "EarthFormer", "Mars", "Jupiter-2", "SaturnLM", "Uranus", "Neptune"], 71
)]  # fmt: skip
CHOICES = Choices(
    tuple(f"{s[:-1]} [{n}]." for n, s in enumerate(SENTENCES, 1)),
    priors=tuple(-0.3 * n for n in range(len(SENTENCES))),
    stopping=-2.0,
    separator=" ",
    refusal=refusal(),
    most=4,
)
MESSAGES = [Message("user", "\n".join([*CHOICES.texts, "Which is best?"]))]
_WIDTH, _VOCABULARY = 768, 32_000


class _TokenByToken(Walk):
    """Asks for every token, also where there is one."""

    @property
    def found(self) -> int | None:
        return None if self.options else super().found

    def forced(self) -> list[int]:
        return []


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--parameters", type=int, default=110, help="millions, at least")
    parser.add_argument("--answers", type=int, default=3)
    parser.add_argument("--temperature", type=float, default=1.0)
    arguments = parser.parse_args()
    # A layer of tests/gguf_models.py has nine matrices of this width.
    layers = -(-(arguments.parameters * 10**6 - 2 * _WIDTH * _VOCABULARY) // (9 * _WIDTH**2))
    after, whole = [], []
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "random.gguf"
        write_gguf(path, vocabulary=_VOCABULARY, width=_WIDTH, layers=layers)
        generator = LlamaGenerator(path, temperature=arguments.temperature, mode="quote")
        generator.vocabulary = replace(generator.vocabulary, ends=frozenset())
        print(f"{generator.parameters / 1e6:.0f}M parameters")
        for seed in range(arguments.answers):
            generator.seed = seed
            read, quick, chosen, tokens = _timed(generator, Walk)
            read_again, plain, same, _ = _timed(generator, _TokenByToken)
            after.append(quick / plain)
            whole.append((read + quick) / (read_again + plain))
            print(
                f"{len(chosen)} sentences, {tokens} tokens, {'the same' if same == chosen else 'NOT THE SAME'}; "
                f"reading the prompt {read:.2f} s, then quote {quick:.2f} s, token by token {plain:.2f} s"
            )
    print(
        f"quote / token by token: median {statistics.median(after):.2f}, with the prompt {statistics.median(whole):.2f}"
    )


def _timed(generator: LlamaGenerator, walk: type[Walk]) -> tuple[float, float, list[int | None], int]:
    """Seconds of reading the prompt and of the answer, what was chosen, and its tokens."""
    never = threading.Event()
    generator._llama.reset()
    started = time.perf_counter()
    generator._evaluate(generator._tokenize(MESSAGES), never)
    read = time.perf_counter()
    with patch("rag.generate.Walk", walk):
        chosen = list(generator.quote(MESSAGES, CHOICES, 320, never))
    done = time.perf_counter()
    return read - started, done - read, [one.number for one in chosen], sum(one.tokens for one in chosen)


if __name__ == "__main__":
    main()
