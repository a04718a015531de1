"""Messages -> tokens, by llama.cpp. The only importer of llama_cpp.

Any GGUF will do. The prompt is the model's own chat template around our messages; what stands inside the
messages is tokenized as plain text, so that no abstract or question can forge the template's control
tokens. Tokens are chosen here rather than by llama.cpp's samplers, so that the marker mask can be applied
to the logits in place.
"""

import codecs
import contextlib
import hashlib
import os
import re
import threading
from collections import abc
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from rag.constrain import MarkerMask, MarkerRules, Vocabulary
from rag.errors import ModelError
from rag.template import PLAIN_TEMPLATE, Template, TemplateError, apply_template
from rag.types import FinishReason, Message

Logits = npt.NDArray[np.float32]

# Room for the rules, one passage of 300 tokens, a question and an answer.
SMALLEST_CONTEXT = 512
# With a temperature above 0 the token is drawn from the likeliest ones only.
_TOP_K = 40
_MEND_MODEL = "Set FOOTNOTE_MODEL to another GGUF, or to none for answers without a model."


@dataclass(frozen=True, slots=True)
class Binding:
    """What llama.cpp was built as."""

    version: str
    can_offload: bool
    """Whether layers can run on a GPU."""


@dataclass(frozen=True, slots=True)
class Offload:
    """How many layers were asked to run on a GPU (-1: all), how many do, and how many there are."""

    asked: int
    done: int
    layers: int


class LlamaGenerator:
    """A GGUF, loaded. One thread at a time may use it.

    `n_ctx` is the context window that can be used: the one asked for, or the model's own if that is
    smaller. Raises ModelError if the file cannot be loaded or its context window is below
    SMALLEST_CONTEXT tokens.
    """

    def __init__(
        self,
        path: Path,
        *,
        n_ctx: int = 8192,
        threads: int | None = None,
        batch: int = 512,
        gpu_layers: int = -1,
        temperature: float = 0.0,
        seed: int = 0,
    ) -> None:
        _check_file(path)
        self.path = path
        self.name = path.stem
        self.temperature = temperature
        self.seed = seed
        self._batch = batch
        threads = threads or default_threads()
        with _LoadLog() as log:
            import llama_cpp

            try:
                self._llama = llama_cpp.Llama(
                    str(path),
                    n_ctx=n_ctx,
                    n_batch=batch,
                    n_ubatch=batch,
                    n_threads=threads,
                    n_threads_batch=threads,
                    n_gpu_layers=gpu_layers,
                    verbose=False,
                )
            except Exception as exc:  # the binding raises what it likes, and a chat template is a program of its own
                memory = "" if gpu_layers == 0 else " If the GPU's memory is too small, lower FOOTNOTE_GPU_LAYERS."
                hint = _MEND_MODEL + memory
                raise ModelError(f"llama.cpp cannot load {path}: {log.last_error() or exc}.", hint) from exc
        self._lib = llama_cpp
        trained = llama_cpp.llama_model_n_ctx_train(self._llama.model)
        self.n_ctx = min(self._llama.n_ctx(), trained)
        self.offload = log.offload(gpu_layers, llama_cpp.llama_model_n_layer(self._llama.model))
        if self.n_ctx < SMALLEST_CONTEXT:
            what = (
                f"{path} was trained for a context window of {trained}"
                if trained == self.n_ctx
                else f"FOOTNOTE_N_CTX is {self.n_ctx}"
            )
            raise ModelError(
                f"{what} tokens; Footnote needs {SMALLEST_CONTEXT}.", "Raise FOOTNOTE_N_CTX or name another GGUF."
            )
        self.vocabulary = self._read_vocabulary()
        self._rules: dict[frozenset[int], MarkerRules] = {}
        self._template = self._read_template()

    def count_prompt(self, messages: Sequence[Message]) -> int:
        """Number of tokens of the prompt that `stream` would evaluate."""
        return len(self._tokenize(messages))

    def stream(
        self, messages: Sequence[Message], markers: frozenset[int], max_tokens: int, stop: threading.Event
    ) -> abc.Generator[str, None, FinishReason]:
        """Yield one piece of text a token (it may be empty), and return why the answer ended.

        Ends when the model does, after `max_tokens` or at the end of the context window, or once `stop`
        is set: between two tokens, or between two steps of reading the prompt, milliseconds apart. No marker
        outside `markers` is ever written. The same prompt, temperature and seed give the same text. Raises
        ModelError if the prompt leaves no room to answer.
        """
        prompt = self._tokenize(messages)
        room = self.n_ctx - len(prompt)
        if room < 1:
            raise ModelError(
                f"The prompt has {len(prompt)} tokens; {self.name} can read {self.n_ctx}.",
                "Raise FOOTNOTE_N_CTX or lower FOOTNOTE_MAX_TOKENS.",
            )
        mask = MarkerMask(self._rules_for(markers))
        random = np.random.default_rng(self.seed)
        text = codecs.getincrementaldecoder("utf-8")("replace")
        pending = self._reuse_prefix(prompt)
        for _ in range(min(max_tokens, room)):
            while pending and not stop.is_set():
                self._evaluate(pending[: self._batch], stop)
                pending = pending[self._batch :]
            if stop.is_set():
                return "stopped"
            token = self._choose(mask, random)
            if token in self.vocabulary.ends:
                return "stop"
            mask.accept(token)
            pending = [token]
            yield text.decode(self.vocabulary.pieces[token])
        return "length"

    def close(self) -> None:
        """Free the model's memory."""
        self._llama.close()

    def _choose(self, mask: MarkerMask, random: np.random.Generator) -> int:
        logits, only = self._logits(), mask.only
        if only is not None:
            return int(only[self._draw(logits[only], random)])
        logits[mask.forbidden] = -np.inf
        return self._draw(logits, random)

    def _draw(self, logits: Logits, random: np.random.Generator) -> int:
        if self.temperature == 0:
            return int(np.argmax(logits))
        top = np.argpartition(logits, -_TOP_K)[-_TOP_K:] if len(logits) > _TOP_K else np.arange(len(logits))
        # Adding Gumbel noise to logits and taking the largest draws from their softmax.
        return int(top[np.argmax(logits[top] / self.temperature + random.gumbel(size=len(top)))])

    def _logits(self) -> Logits:
        """The logits of the last token evaluated: a view, shape (n_vocab,), valid until the next."""
        pointer = self._lib.llama_get_logits_ith(self._llama.ctx, -1)
        return np.ctypeslib.as_array(pointer, shape=(len(self.vocabulary.pieces),))

    def _evaluate(self, tokens: list[int], stop: threading.Event) -> None:
        """Evaluate tokens, or give up once `stop` is set; what was evaluated before them is still good then."""
        try:
            with self._giving_up(stop) if len(tokens) > 1 else contextlib.nullcontext():
                self._llama.eval(tokens)
        except RuntimeError as exc:
            if stop.is_set():
                return
            self._llama.reset()
            raise ModelError(
                f"llama.cpp failed in {self.name}: {exc}.", "Lower FOOTNOTE_N_CTX or FOOTNOTE_GPU_LAYERS."
            ) from exc

    @contextlib.contextmanager
    def _giving_up(self, stop: threading.Event) -> Iterator[None]:
        """Within, llama.cpp asks before each step of its graph whether to stop.

        A batch takes seconds on a slow processor, a step milliseconds. For a single token it does not ask,
        which would cost a small model a tenth of its speed.
        """
        asks = self._lib.ggml_abort_callback(lambda _: stop.is_set())
        self._lib.llama_set_abort_callback(self._llama.ctx, asks, None)
        try:
            yield
        finally:
            self._lib.llama_set_abort_callback(self._llama.ctx, self._lib.ggml_abort_callback(), None)

    def _reuse_prefix(self, prompt: list[int]) -> list[int]:
        """Keep the evaluated tokens the prompt begins with; return those still to be evaluated."""
        llama = self._llama
        same = 0
        if not (self._lib.llama_model_is_recurrent(llama.model) or self._lib.llama_model_is_hybrid(llama.model)):
            evaluated = llama.input_ids[: min(llama.n_tokens, len(prompt) - 1)]
            differs = np.flatnonzero(evaluated != np.asarray(prompt[: len(evaluated)], dtype=evaluated.dtype))
            same = int(differs[0]) if len(differs) else len(evaluated)
        if same == 0:
            llama.reset()
        llama.n_tokens = same
        return prompt[same:]

    def _tokenize(self, messages: Sequence[Message]) -> list[int]:
        """The template's own text with its control tokens, and between it the messages as plain text."""
        try:
            parts = apply_template(self._template, messages)
        except TemplateError as exc:
            raise ModelError(f"The chat template of {self.path} cannot be used: {exc}.", _MEND_MODEL) from exc
        tokens: list[int] = []
        for part in parts:
            tokens += self._llama.tokenize(part.text.encode(), add_bos=False, special=part.is_template)
        vocab = self._lib.llama_model_get_vocab(self._llama.model)
        if self._lib.llama_vocab_get_add_bos(vocab) and tokens[:1] != [self._llama.token_bos()]:
            tokens.insert(0, self._llama.token_bos())
        return tokens

    def _rules_for(self, markers: frozenset[int]) -> MarkerRules:
        if markers not in self._rules:
            self._rules[markers] = MarkerRules(self.vocabulary, markers)
        return self._rules[markers]

    def _read_template(self) -> Template:
        from llama_cpp.llama_chat_format import Jinja2ChatFormatter

        def text_of(token: int) -> str:
            vocab = self._lib.llama_model_get_vocab(self._llama.model)
            return self._lib.llama_vocab_get_text(vocab, token).decode(errors="replace") if token != -1 else ""

        source = self._llama.metadata.get("tokenizer.chat_template", PLAIN_TEMPLATE)
        eos, bos = text_of(self._llama.token_eos()), text_of(self._llama.token_bos())
        formatter = Jinja2ChatFormatter(source, eos_token=eos, bos_token=bos)
        return lambda messages: str(formatter(messages=messages, enable_thinking=False).prompt)

    def _read_vocabulary(self) -> Vocabulary:
        lib, vocab = self._lib, self._lib.llama_model_get_vocab(self._llama.model)
        size = lib.llama_vocab_n_tokens(vocab)
        buffer = (lib.ctypes.c_char * 512)()
        pieces, ends, control = [], set(), set()
        for token in range(size):
            length = lib.llama_token_to_piece(vocab, token, buffer, len(buffer), 0, False)
            pieces.append(buffer.raw[:length] if length > 0 else b"")
            if lib.llama_vocab_is_eog(vocab, token):
                ends.add(token)
            elif length <= 0 or lib.llama_vocab_is_control(vocab, token):
                control.add(token)
        return Vocabulary(tuple(pieces), frozenset(ends), frozenset(control))


def binding() -> Binding:
    """The llama.cpp that is installed."""
    import llama_cpp

    return Binding(llama_cpp.__version__, bool(llama_cpp.llama_supports_gpu_offload()))


def default_threads() -> int:
    """Processors this process may use; half of them where there are many, since they come in pairs a core."""
    processors = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    return processors if processors <= 4 else processors // 2


def model_sha256(path: Path) -> str:
    """The hash of a GGUF; seconds for a large one."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _check_file(path: Path) -> None:
    try:
        with path.open("rb") as file:
            magic = file.read(4)
    except OSError as exc:
        raise ModelError(f"Cannot read the model {path}: {exc.strerror or exc}.", _MEND_MODEL) from exc
    if magic != b"GGUF":
        raise ModelError(f"{path} is not a GGUF: it begins with {magic!r}.", _MEND_MODEL)


class _LoadLog:
    """Collects what llama.cpp says while a model is loaded, and keeps it quiet afterwards."""

    def __init__(self) -> None:
        self._lines: list[str] = []

    def __enter__(self) -> "_LoadLog":
        import llama_cpp

        # llama.cpp keeps the callback for the life of the process, so it must not be collected.
        global _log_callback
        _log_callback = llama_cpp.llama_log_callback(
            lambda level, text, _: self._lines.append(text.decode("utf-8", "replace"))
        )
        llama_cpp.llama_log_set(_log_callback, llama_cpp.ctypes.c_void_p(0))
        return self

    def __exit__(self, *_: object) -> None:
        import llama_cpp

        global _log_callback
        _log_callback = llama_cpp.llama_log_callback(lambda level, text, _: None)
        llama_cpp.llama_log_set(_log_callback, llama_cpp.ctypes.c_void_p(0))

    def last_error(self) -> str:
        """The first line that names an error; the later ones only repeat that loading failed."""
        return next(
            (line.split(": ", 1)[-1].strip() for line in "".join(self._lines).splitlines() if "error" in line), ""
        )

    def offload(self, asked: int, layers: int) -> Offload:
        found = re.search(r"offloaded (\d+)/(\d+) layers to GPU", "".join(self._lines))
        return Offload(asked, int(found[1]) if found else 0, int(found[2]) if found else layers)


_log_callback: Any = None
