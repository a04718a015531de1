"""How long a person waits in the chat: for the prompt, for the nearest papers, for a stop to take effect.

    python -m benchmarks.terminal [--store DIR] [--model GGUF] [--runs N]

Drives the real program over a pseudo-terminal, as the tests do. The store must be built; without a model of your
own a small one of random weights is written, large enough that reading a prompt takes seconds.
"""

import argparse
import os
import statistics
import tempfile
import threading
import time
from collections.abc import Callable
from pathlib import Path

from rag.generate import LlamaGenerator
from rag.types import Message
from tests.gguf_models import write_gguf
from tests.terminal import CTRL_C, CTRL_D, REAL, Terminal

QUESTION = "What accuracy does RevCol-H reach on ImageNet?"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--store", default="store")
    parser.add_argument("--model", type=Path)
    parser.add_argument("--runs", type=int, default=5)
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        os.environ["XDG_DATA_HOME"] = folder
        model = arguments.model or write_gguf(Path(folder) / "noise.gguf", width=1024, layers=16, context=8192)
        os.environ["FOOTNOTE_MODEL"] = str(model)
        runs = [chat(str(Path(arguments.store).absolute())) for _ in range(arguments.runs)]
        prompts, papers, stops = zip(*runs, strict=True)
        report("prompt", prompts)
        report("nearest papers", papers)
        report("stop in the chat", stops)
        report("stop while the prompt is read", [stop(model) for _ in range(arguments.runs)])


def chat(store: str) -> tuple[float, float, float]:
    """Seconds from start to prompt, from Enter to the nearest papers, from Ctrl-C to the next prompt."""
    began = time.monotonic()
    with Terminal("chat", "--store", store, program=REAL) as terminal:
        terminal.wait_for("›")
        prompt = time.monotonic() - began
        terminal.wait_for(lambda text: "papers ·" in text and "loading" not in text)
        terminal.send(QUESTION)
        terminal.wait_for(QUESTION)
        papers = timed(lambda: terminal.send("\r"), lambda: terminal.wait_for("[1] "))
        stopped = timed(lambda: terminal.send(CTRL_C), lambda: terminal.wait_for("stopped"))
        terminal.send(CTRL_D)
        terminal.wait_for_end()
    return prompt, papers, stopped


def stop(model: Path) -> float:
    """Seconds from setting `stop`, in the middle of a long prompt, to the end of the answer."""
    generator = LlamaGenerator(model, n_ctx=8192)
    asked, ended = threading.Event(), 0.0

    def read() -> None:
        nonlocal ended
        for _ in generator.stream((Message("user", "words of a passage " * 400),), frozenset({1}), 1, asked):
            pass
        ended = time.monotonic()

    thread = threading.Thread(target=read)
    thread.start()
    thread.join(1.0)
    assert thread.is_alive(), "the prompt was read within a second: name a larger model"
    set_at = time.monotonic()
    asked.set()
    thread.join()
    generator.close()
    return ended - set_at


def timed(do: Callable[[], object], until: Callable[[], object]) -> float:
    began = time.monotonic()
    do()
    until()
    return time.monotonic() - began


def report(name: str, seconds: "list[float] | tuple[float, ...]") -> None:
    print(f"{name:<30} median {statistics.median(seconds):.3f} s, longest {max(seconds):.3f} s")


if __name__ == "__main__":
    main()
