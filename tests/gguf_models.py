"""Small GGUF models with random weights: the real `llama` architecture, a real tokenizer and chat template.

What they write is noise, which is what the tests of masks, streaming and stopping want.
"""

from collections.abc import Sequence
from pathlib import Path

import gguf
import numpy as np

CHAT_TEMPLATE = (
    "{% for message in messages %}<|im_start|>{{ message['role'] }}\n{{ message['content'] }}<|im_end|>\n{% endfor %}"
    "{% if add_generation_prompt %}<|im_start|>assistant\n{% endif %}"
)
SPECIAL = ["<|im_end|>", "<|im_start|>"]
# Tokens of more than one byte, as real vocabularies have them: some open, fill or close a marker.
MERGED = [
    " [",
    "[1",
    "[12",
    " [2",
    "1]",
    "2]",
    "].",
    "][",
    "[[",
    "]]",
    "10",
    "12",
    "the",
    " answer",
    "\n\n",
    "[a",
    "a]",
    "é",
    "[CLS]",
]
_SENTENCEPIECE = [*SPECIAL, "<unk>", *(f"<0x{byte:02X}>" for byte in range(256)), "▁", "t", "h", "e", "th", "the", "."]


def write_gguf(
    path: Path,
    *,
    vocabulary: int = 400,
    context: int = 4096,
    width: int = 64,
    layers: int = 2,
    seed: int = 0,
    template: str | None = CHAT_TEMPLATE,
    bias: dict[str, float] | None = None,
    sentencepiece: bool = False,
) -> Path:
    """Write a model of `vocabulary` tokens to `path`. `bias` makes tokens likelier, by their text.

    With `sentencepiece` its tokenizer is of Llama 2's kind, which puts a blank before every text.
    """
    tokens = _SENTENCEPIECE if sentencepiece else _tokens(vocabulary)
    weights = _weights(len(tokens), width, layers, seed, _bias(tokens, bias or {}))
    return _write(path, tokens, weights, context=context, template=template, sentencepiece=sentencepiece)


def write_parrot(path: Path, said: Sequence[str], *, template: str | None = CHAT_TEMPLATE) -> Path:
    """Write a model that says these parts one after the other and ends, whatever it is asked.

    Each part is a token, so they must differ from each other. Each makes the next one likely and the ones after
    it a little less, so that the model goes on where a mask forbids one. No prompt is tokenized to them.
    """
    alphabet = _byte_alphabet()
    tokens = [*_tokens(0), *("".join(alphabet[byte] for byte in part.encode()) for part in said)]
    first, width = len(_tokens(0)), -(-(len(said) + 1) // 8) * 8
    weights = {name: array * 0 for name, array in _weights(len(tokens), width, 1, 0, np.zeros(len(tokens))).items()}
    weights |= {name: array + 1 for name, array in weights.items() if "norm" in name}
    weights["token_embd.weight"][:first, 0] = 1
    for number in range(len(said) + 1):
        following = first + number if number < len(said) else 0
        weights["output.weight"][following, : number + 1] = 10 * 0.9 ** np.arange(number, -1, -1)
        if number:
            weights["token_embd.weight"][first + number - 1, number] = 1
    return _write(path, tokens, weights, template=template)


def _write(
    path: Path,
    tokens: list[str],
    weights: dict[str, np.ndarray],
    *,
    context: int = 4096,
    template: str | None = None,
    sentencepiece: bool = False,
) -> Path:
    width = weights["output_norm.weight"].shape[0]
    writer = gguf.GGUFWriter(path, "llama")
    writer.add_name("noise")
    writer.add_context_length(context)
    writer.add_embedding_length(width)
    writer.add_block_count(sum(name.endswith("attn_q.weight") for name in weights))
    writer.add_feed_forward_length(width * 2)
    writer.add_head_count(4)
    writer.add_head_count_kv(2)
    writer.add_layer_norm_rms_eps(1e-5)
    writer.add_vocab_size(len(tokens))
    kinds = [gguf.TokenType.CONTROL] * len(SPECIAL) + [gguf.TokenType.NORMAL] * (len(tokens) - len(SPECIAL))
    if sentencepiece:
        kinds[2:259] = [gguf.TokenType.UNKNOWN] + [gguf.TokenType.BYTE] * 256
        writer.add_tokenizer_model("llama")
        writer.add_token_scores([0.0] * len(tokens))
        writer.add_unk_token_id(2)
    else:
        writer.add_tokenizer_model("gpt2")
        writer.add_tokenizer_pre("gpt-2")
        writer.add_token_merges(["t h", "th e"])
    writer.add_token_list(tokens)
    writer.add_token_types(kinds)
    writer.add_eos_token_id(0)
    writer.add_add_bos_token(False)
    if template is not None:
        writer.add_chat_template(template)
    for name, array in weights.items():
        writer.add_tensor(name, array)
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()
    return path


def _tokens(size: int) -> list[str]:
    """Control tokens, the 256 bytes, the merged ones, and made-up words to fill up, in GPT-2's alphabet."""
    alphabet = _byte_alphabet()
    words = [f"w{number:x}" for number in range(max(0, size - len(SPECIAL) - 256 - len(MERGED) - 1))]
    spelled = ["".join(alphabet[byte] for byte in word.encode()) for word in ["th", *MERGED, *words]]
    return SPECIAL + list(alphabet.values()) + spelled


def _byte_alphabet() -> dict[int, str]:
    """GPT-2's printable stand-in for every byte."""
    printable = [*range(ord("!"), ord("~") + 1), *range(ord("¡"), ord("¬") + 1), *range(ord("®"), ord("ÿ") + 1)]
    rest = [byte for byte in range(256) if byte not in printable]
    return {byte: chr(byte) for byte in printable} | {byte: chr(256 + i) for i, byte in enumerate(rest)}


def _bias(tokens: list[str], bias: dict[str, float]) -> np.ndarray:
    alphabet = _byte_alphabet()
    spelled = {text: text if text in SPECIAL else "".join(alphabet[byte] for byte in text.encode()) for text in bias}
    values = np.zeros(len(tokens), dtype=np.float32)
    for text, value in bias.items():
        values[tokens.index(spelled[text])] = value
    return values


def _weights(size: int, width: int, layers: int, seed: int, bias: np.ndarray) -> dict[str, np.ndarray]:
    random = np.random.default_rng(seed)

    def matrix(rows: int, columns: int, scale: float = 0.1) -> np.ndarray:
        return (random.standard_normal((rows, columns)) * scale).astype(np.float32)

    embeddings = matrix(size, width, 1.0)
    # The last dimension is the same for every token and survives the blocks, so it can carry a bias.
    embeddings[:, -1] = np.sqrt(width)
    output = matrix(size, width, 0.4)
    output[:, -1] = bias / np.sqrt(width / 2)
    weights = {
        "token_embd.weight": embeddings,
        "output.weight": output,
        "output_norm.weight": np.ones(width, dtype=np.float32),
    }
    for layer in range(layers):
        block = f"blk.{layer}."
        weights |= {
            block + "attn_norm.weight": np.ones(width, dtype=np.float32),
            block + "ffn_norm.weight": np.ones(width, dtype=np.float32),
            block + "attn_q.weight": matrix(width, width),
            block + "attn_k.weight": matrix(width // 2, width),
            block + "attn_v.weight": matrix(width // 2, width),
            block + "attn_output.weight": matrix(width, width),
            block + "ffn_gate.weight": matrix(width * 2, width),
            block + "ffn_up.weight": matrix(width * 2, width),
            block + "ffn_down.weight": matrix(width, width * 2),
        }
    return weights
