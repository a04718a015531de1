"""Messages -> tokens, by llama.cpp. The only importer of llama_cpp.

Any GGUF will do. The prompt is the model's own chat template around our messages; what stands inside the
messages is tokenized as plain text, so that no abstract or question can forge the template's control
tokens. Tokens are chosen here rather than by llama.cpp's samplers: so the marker mask can be applied to the
logits in place, and where there is nothing to choose, nothing is sampled and all goes into one batch.
"""

import codecs
import contextlib
import hashlib
import os
import re
import sys
import threading
from collections import abc
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import numpy as np
import numpy.typing as npt

from rag.constrain import MarkerMask, MarkerRules, Vocabulary
from rag.errors import ModelError
from rag.template import PLAIN_TEMPLATE, Template, TemplateError, apply_template
from rag.trie import Walk
from rag.types import Choices, Chosen, FinishReason, Message

Logits = npt.NDArray[np.float32]

# Room for the rules, one passage of 300 tokens, a question and an answer.
SMALLEST_CONTEXT = 512
# Models with fewer parameters quote unless the settings say otherwise. The smallest ones that are known to copy
# numbers and cite in prose of their own have 3 to 4 billion (Qwen3-4B, granite-4 micro); of those around a
# billion, what is written is too often not in the passages, and verification would mark half of it.
WRITES_FREELY = 2_000_000_000
# Models with fewer parameters, such as the one that ships, do little more than order the evidence.
_TINY = 100_000_000
# Larger files take too long to hash at each start.
_HASHED = 200 * 2**20
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
    smaller. `mode` is "auto" to let the model's size decide. Raises ModelError if the file cannot be
    loaded or its context window is below SMALLEST_CONTEXT tokens.
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
        mode: Literal["auto", "write", "quote"] = "write",
    ) -> None:
        _check_file(path)
        self.path = path
        self.name = path.stem
        self.sha256 = model_sha256(path) if path.stat().st_size <= _HASHED else None
        self.temperature = temperature
        self.seed = seed
        self._batch = batch
        threads = threads or default_threads()
        with _LoadLog() as log:
            import llama_cpp

            for module in ("llama_cpp._internals", "llama_cpp.llama"):
                # It turns away what all threads write meanwhile, the prompt's too; what llama.cpp says is in the log.
                vars(sys.modules[module])["suppress_stdout_stderr"] = lambda disable: contextlib.nullcontext()
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
        self.parameters = int(llama_cpp.llama_model_n_params(self._llama.model))
        self.mode: Literal["write", "quote"] = mode_of(self.parameters) if mode == "auto" else mode
        self.is_tiny = self.parameters < _TINY
        self._stop = threading.Event()
        self._abort = llama_cpp.ggml_abort_callback(lambda _: self._stop.is_set())
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
        is set: between two tokens, or within a step of the prompt's evaluation. No marker outside
        `markers` is ever written. The same prompt, temperature and seed give the same text. Raises
        ModelError if the prompt leaves no room to answer.
        """
        prompt, room = self._read_prompt(messages, max_tokens)
        mask = MarkerMask(self._rules_for(markers))
        random = np.random.default_rng(self.seed)
        text = codecs.getincrementaldecoder("utf-8")("replace")
        pending = self._reuse_prefix(prompt)
        for _ in range(room):
            if not self._evaluate(pending, stop):
                return "stopped"
            token = self._choose(mask, random)
            if token in self.vocabulary.ends:
                return "stop"
            mask.accept(token)
            pending = [token]
            yield text.decode(self.vocabulary.pieces[token])
        return "length"

    def quote(
        self, messages: Sequence[Message], choices: Choices, max_tokens: int, stop: threading.Event
    ) -> abc.Generator[Chosen, None, FinishReason]:
        """Yield the texts the model chooses, each as soon as it is the only one left, and return why it ended.

        The model decides only where the tokens of the texts part; what is forced is evaluated in batches. It
        is asked whether to go on after each text, and chooses the same as if it were asked at every token.
        Its logits are weighed by the priors of what is open.
        Ends and raises as `stream` does.
        """
        prompt, room = self._read_prompt(messages, max_tokens)
        random = np.random.default_rng(self.seed)
        pending = self._reuse_prefix(prompt)
        left, before = dict(enumerate(choices.texts)), ""
        while left and len(choices.texts) - len(left) < choices.most:
            if stop.is_set():
                return "stopped"
            between = choices.separator if before else ""
            tokens = {number: self._continue(before, between + text) for number, text in left.items()}
            open_ = {number: found for number, found in tokens.items() if len(found) <= room}
            if not open_:
                return "length"
            last = [[end] for end in sorted(self.vocabulary.ends)] if before else [self._continue("", choices.refusal)]
            stopping = dict.fromkeys(range(len(choices.texts), len(choices.texts) + len(last)), choices.stopping)
            walk = Walk(open_ | dict(zip(stopping, last, strict=True)), dict(enumerate(choices.priors)) | stopping)
            pending += walk.forced()
            while walk.found is None:
                if not self._evaluate(pending, stop):
                    return "stopped"
                options = walk.options
                token = options[self._draw(self._logits()[options] + walk.priors, random)]
                walk.accept(token)
                pending = [token, *walk.forced()]
            if walk.found not in left:
                if not before:
                    yield Chosen(None, len(last[0]))
                return "stop"
            yield Chosen(walk.found, len(tokens[walk.found]))
            room -= len(tokens[walk.found])
            before = left.pop(walk.found)[-1]
        return "stop"

    def file_sha256(self) -> str:
        """The hash of the GGUF; seconds for a large one, of which `sha256` is unknown."""
        return self.sha256 or model_sha256(self.path)

    def close(self) -> None:
        """Free the model's memory."""
        self._llama.close()

    def _choose(self, mask: MarkerMask, random: np.random.Generator) -> int:
        logits, only = self._logits(), mask.only
        if only is not None:
            return int(only[self._draw(logits[only], random)])
        logits[mask.forbidden] = -np.inf
        return self._draw(logits, random)

    def _draw(self, logits: npt.NDArray[np.floating[Any]], random: np.random.Generator) -> int:
        if self.temperature == 0 or len(logits) == 1:
            return int(np.argmax(logits))
        top = np.argpartition(logits, -_TOP_K)[-_TOP_K:] if len(logits) > _TOP_K else np.arange(len(logits))
        # Adding Gumbel noise to logits and taking the largest draws from their softmax.
        return int(top[np.argmax(logits[top] / self.temperature + random.gumbel(size=len(top)))])

    def _logits(self) -> Logits:
        """The logits of the last token evaluated: a view, shape (n_vocab,), valid until the next."""
        pointer = self._lib.llama_get_logits_ith(self._llama.ctx, -1)
        return np.ctypeslib.as_array(pointer, shape=(len(self.vocabulary.pieces),))

    def _read_prompt(self, messages: Sequence[Message], max_tokens: int) -> tuple[list[int], int]:
        """The prompt's tokens, and how many may follow them."""
        prompt = self._tokenize(messages)
        if len(prompt) >= self.n_ctx:
            raise ModelError(
                f"The prompt has {len(prompt)} tokens; {self.name} can read {self.n_ctx}.",
                "Raise FOOTNOTE_N_CTX or lower FOOTNOTE_MAX_TOKENS.",
            )
        return prompt, min(max_tokens, self.n_ctx - len(prompt))

    def _evaluate(self, tokens: list[int], stop: threading.Event) -> bool:
        """Evaluate tokens, batch by batch; False if `stop` was set before the end."""
        self._stop = stop
        for start in range(0, len(tokens), self._batch):
            if stop.is_set():
                return False
            # Within a batch llama.cpp asks between two operations. A single token is soon done, and would be a
            # tenth slower with a small model.
            ask = self._abort if len(tokens) > 1 else self._lib.ggml_abort_callback(0)
            self._lib.llama_set_abort_callback(self._llama.ctx, ask, None)
            try:
                self._llama.eval(tokens[start : start + self._batch])
            except RuntimeError as exc:
                if stop.is_set():  # llama.cpp asked our callback and gave up; what it had evaluated stays good
                    return False
                self._llama.reset()
                raise ModelError(
                    f"llama.cpp failed in {self.name}: {exc}.", "Lower FOOTNOTE_N_CTX or FOOTNOTE_GPU_LAYERS."
                ) from exc
        return not stop.is_set()

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

    def _continue(self, before: str, text: str) -> list[int]:
        """The tokens of a text after another, of which the last character is given.

        They are cut out of the tokens of both: some tokenizers put a blank before whatever they are given.
        """
        head, whole = self._plain(before), self._plain(before + text)
        return whole[len(head) :] if whole[: len(head)] == head else self._plain(text)

    def _plain(self, text: str) -> list[int]:
        return list(self._llama.tokenize(text.encode(), add_bos=False, special=False)) if text else []

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


def mode_of(parameters: int) -> Literal["write", "quote"]:
    """How a model of this size is to answer if nobody says."""
    return "write" if parameters >= WRITES_FREELY else "quote"


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
