"""A byte-level BPE tokenizer that llama.cpp reproduces token by token.

    python -m training.writer.tokenizer DATA RUN     compares the two on 5,000 abstracts and odd texts

The texts are split as GPT-2's are ("gpt-2" in llama.cpp), so that nothing but the merges has to be carried over.
"""

import argparse
import json
import random
import tempfile
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from tokenizers import Tokenizer, decoders, models, pre_tokenizers, trainers

# The first two tokens of every vocabulary: the end of a turn, which ends an answer, and its beginning.
SPECIAL = ["<|im_end|>", "<|im_start|>"]
CHAT_TEMPLATE = (
    "{% for message in messages %}<|im_start|>{{ message['role'] }}\n{{ message['content'] }}<|im_end|>\n{% endfor %}"
    "{% if add_generation_prompt %}<|im_start|>assistant\n{% endif %}"
)
ODD_TEXTS = (
    "", " ", "  two  blanks ", "\n\n\ttab", "naïve café — “quotes” ‘and’ … 3.14×10⁻⁵", "日本語と한국어 и русский",
    "🙂👩‍🔬",
    "it's we'll I'd they've'S", "$a_{ij}^{2} \\approx 0.5\\%$", "x" * 300, "12345678901234567890",
    "\u00a0nbsp\u2009thin",
    "e\u0301 combining", "<|im_end|> plain <|im_start|>", "[1] [12].", "\r\nline\r\n", "\ufeffbom", "a\x00b", "İıſß",
)  # fmt: skip


def train_tokenizer(texts: Iterable[str], size: int) -> Tokenizer:
    """Learn a vocabulary of `size` tokens, all bytes among them."""
    tokenizer = _byte_level(models.BPE())
    alphabet = pre_tokenizers.ByteLevel.alphabet()
    trainer = trainers.BpeTrainer(
        vocab_size=size, special_tokens=SPECIAL, initial_alphabet=alphabet, show_progress=False
    )
    tokenizer.train_from_iterator(texts, trainer)
    return tokenizer


def _byte_level(model: models.BPE) -> Tokenizer:
    tokenizer = Tokenizer(model)
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=True)
    tokenizer.decoder = decoders.ByteLevel()
    return tokenizer


def encode(tokenizer: Tokenizer, text: str) -> list[int]:
    """The tokens of a text; control tokens that stand in it are plain text, as in the product."""
    tokenizer.encode_special_tokens = True
    return list(tokenizer.encode(text, add_special_tokens=False).ids)


def prompt_tokens(tokenizer: Tokenizer, messages: Iterable[Any]) -> list[int]:
    """What the chat template makes of messages, up to where the answer begins."""
    tokens: list[int] = []
    for message in messages:
        tokens += [1, *encode(tokenizer, f"{message.role}\n"), *encode(tokenizer, message.content)]
        tokens += [0, *encode(tokenizer, "\n")]
    return [*tokens, 1, *encode(tokenizer, "assistant\n")]


def add_to_gguf(writer: Any, tokenizer: Tokenizer) -> None:
    """Write vocabulary, merges and chat template to a `gguf.GGUFWriter`."""
    import gguf

    model = json.loads(tokenizer.to_str())["model"]
    tokens = sorted(model["vocab"], key=model["vocab"].__getitem__)
    kinds = [gguf.TokenType.CONTROL if token in SPECIAL else gguf.TokenType.NORMAL for token in tokens]
    writer.add_tokenizer_model("gpt2")
    writer.add_tokenizer_pre("gpt-2")
    writer.add_token_list(tokens)
    writer.add_token_types(kinds)
    writer.add_token_merges([merge if isinstance(merge, str) else " ".join(merge) for merge in model["merges"]])
    writer.add_eos_token_id(0)
    writer.add_add_bos_token(False)
    writer.add_chat_template(CHAT_TEMPLATE)


def from_gguf(path: Path) -> Tokenizer:
    """The tokenizer of a GGUF that was written here."""
    import gguf

    fields = gguf.GGUFReader(path).fields
    tokens, merges = (fields[f"tokenizer.ggml.{name}"].contents() for name in ("tokens", "merges"))
    vocabulary = {token: number for number, token in enumerate(tokens)}
    tokenizer = _byte_level(models.BPE(vocabulary, [tuple(merge.split(" ")) for merge in merges]))
    tokenizer.add_special_tokens(SPECIAL)
    return tokenizer


def differing(tokenizer: Tokenizer, texts: Iterable[str]) -> list[str]:
    """The texts that llama.cpp cuts into other tokens."""
    import gguf
    import llama_cpp

    with tempfile.TemporaryDirectory() as folder:
        writer = gguf.GGUFWriter(Path(folder) / "vocabulary.gguf", "llama")
        add_to_gguf(writer, tokenizer)
        writer.add_vocab_size(tokenizer.get_vocab_size())
        writer.write_header_to_file()
        writer.write_kv_data_to_file()
        writer.write_tensors_to_file()
        writer.close()
        llama = llama_cpp.Llama(str(Path(folder) / "vocabulary.gguf"), vocab_only=True, verbose=False)
        found = [
            text for text in texts
            if list(llama.tokenize(text.encode(), add_bos=False, special=False)) != encode(tokenizer, text)
        ]  # fmt: skip
        llama.close()
    return found


def main() -> int:
    """Compare with llama.cpp on abstracts; 1 if any differs."""
    from training.evidence import sources

    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("data", type=Path)
    parser.add_argument("run", type=Path)
    parser.add_argument("--abstracts", type=int, default=5000)
    arguments = parser.parse_args()
    tokenizer = Tokenizer.from_file(str(arguments.run / "tokenizer.json"))
    papers = list(sources.arxiv(arguments.data, frozenset()))
    chosen = random.Random(1).sample(papers, min(arguments.abstracts, len(papers)))
    odd = [text for one in ODD_TEXTS for text in (one, f"so {one} it is")]
    found = differing(tokenizer, [*(" ".join((paper.title, *paper.sentences)) for paper in chosen), *odd])
    print(f"{len(found)} of {len(chosen)} abstracts and {len(odd)} odd texts differ")
    print("\n".join(map(repr, found[:20])))
    return 1 if found else 0


if __name__ == "__main__":
    raise SystemExit(main())
