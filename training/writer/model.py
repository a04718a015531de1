"""A decoder of llama.cpp's `llama` architecture: RMSNorm, RoPE, SwiGLU, grouped queries, tied embeddings.

Weights have llama.cpp's names and layout, and RoPE turns neighbouring pairs as llama.cpp does for this
architecture, so that exporting copies them.
"""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional as F

EPSILON, ROPE_BASE = 1e-5, 10_000.0


@dataclass(frozen=True, slots=True)
class Shape:
    """How large a model is."""

    vocabulary: int
    width: int
    layers: int
    heads: int
    groups: int
    """Heads of keys and values."""
    hidden: int
    context: int = 4096


SHAPES = {
    "small": Shape(vocabulary=8192, width=256, layers=6, heads=8, groups=4, hidden=704),  # 6.5M
    "medium": Shape(vocabulary=16384, width=512, layers=8, heads=8, groups=4, hidden=1408),  # 32M
    "tiny": Shape(vocabulary=1024, width=64, layers=2, heads=4, groups=2, hidden=128),  # for tests
}


class Block(nn.Module):
    """Attention, then a gated feed-forward net, each added to what comes in."""

    def __init__(self, shape: Shape) -> None:
        super().__init__()
        self.heads, self.groups = shape.heads, shape.groups
        keys = shape.width // shape.heads * shape.groups
        self.attn_norm = nn.RMSNorm(shape.width, EPSILON)
        self.attn_q = nn.Linear(shape.width, shape.width, bias=False)
        self.attn_k = nn.Linear(shape.width, keys, bias=False)
        self.attn_v = nn.Linear(shape.width, keys, bias=False)
        self.attn_output = nn.Linear(shape.width, shape.width, bias=False)
        self.ffn_norm = nn.RMSNorm(shape.width, EPSILON)
        self.ffn_gate = nn.Linear(shape.width, shape.hidden, bias=False)
        self.ffn_up = nn.Linear(shape.width, shape.hidden, bias=False)
        self.ffn_down = nn.Linear(shape.hidden, shape.width, bias=False)

    def forward(self, x: Tensor, turns: Tensor) -> Tensor:
        """Shape (batch, length, width) to the same."""
        batch, length, width = x.shape
        h = self.attn_norm(x)
        q = _turned(self.attn_q(h).view(batch, length, self.heads, -1), turns).transpose(1, 2)
        k = _turned(self.attn_k(h).view(batch, length, self.groups, -1), turns).transpose(1, 2)
        v = self.attn_v(h).view(batch, length, self.groups, -1).transpose(1, 2)
        shared = self.heads // self.groups
        k, v = k.repeat_interleave(shared, 1), v.repeat_interleave(shared, 1)
        a = _attended(q, k, v)
        x = x + self.attn_output(a.transpose(1, 2).reshape(batch, length, width))
        h = self.ffn_norm(x)
        x = x + self.ffn_down(F.silu(self.ffn_gate(h)) * self.ffn_up(h))
        return x


class Decoder(nn.Module):
    """Token ids, shape (batch, length), to hidden states; `logits` makes scores of those wanted."""

    def __init__(self, shape: Shape) -> None:
        super().__init__()
        self.shape = shape
        self.token_embd = nn.Embedding(shape.vocabulary, shape.width)
        self.blk = nn.ModuleList(Block(shape) for _ in range(shape.layers))
        self.output_norm = nn.RMSNorm(shape.width, EPSILON)
        for name, weight in self.named_parameters():
            if weight.dim() == 2:
                scale = (2 * shape.layers) ** -0.5 if name.endswith(("attn_output.weight", "ffn_down.weight")) else 1.0
                nn.init.normal_(weight, std=0.02 * scale)

    def forward(self, tokens: Tensor) -> Tensor:
        """Hidden states, shape (batch, length, width)."""
        turns = _turns(tokens.shape[1], self.shape.width // self.shape.heads, tokens.device)
        x = self.token_embd(tokens)
        for block in self.blk:
            x = block(x, turns)
        return self.output_norm(x)  # type: ignore[no-any-return]

    def logits(self, hidden: Tensor) -> Tensor:
        """Scores of every token, shape (..., vocabulary)."""
        return F.linear(hidden, self.token_embd.weight)


def start_embeddings(model: Decoder, tokenizer: Any, minilm: Path) -> None:
    """Begin with MiniLM's word vectors: a token's is the mean of the word pieces it spells, turned to our width."""
    from safetensors.torch import load_file
    from transformers import AutoTokenizer

    pieces = AutoTokenizer.from_pretrained(minilm)
    weights = load_file(minilm / "model.safetensors")
    words = next(weight for name, weight in weights.items() if name.endswith("word_embeddings.weight")).float()
    words = words - words.mean(0)
    turn, _ = torch.linalg.qr(torch.randn(max(words.shape[1], model.shape.width), words.shape[1]))
    with torch.no_grad():
        for token in range(2, model.shape.vocabulary):
            if spelled := tokenizer.decode([token]).strip():
                found = pieces(spelled, add_special_tokens=False)["input_ids"]
                vector = (turn @ words[found].mean(0))[: model.shape.width] if found else None
                if vector is not None and vector.std() > 0:
                    model.token_embd.weight[token] = vector / vector.std() * 0.02


def _attended(q: Tensor, k: Tensor, v: Tensor) -> Tensor:
    """Causal attention, shape (batch, heads, length, size). On a processor the fused one's gradient is slower."""
    if q.device.type != "cpu":
        return F.scaled_dot_product_attention(q, k, v, is_causal=True)
    batch, heads, length, size = q.shape
    later = torch.full((length, length), -torch.inf, dtype=q.dtype, device=q.device).triu(1)
    q, k = (q * size**-0.5).flatten(0, 1), k.flatten(0, 1)
    scores = torch.baddbmm(later.expand(batch * heads, -1, -1), q, k.transpose(1, 2))
    return torch.matmul(scores.view(batch, heads, length, length).softmax(-1).to(v.dtype), v)


def _turns(length: int, size: int, device: torch.device) -> Tensor:
    """Angles of RoPE as complex numbers, shape (length, 1, size / 2)."""
    speeds = ROPE_BASE ** (-torch.arange(0, size, 2, device=device, dtype=torch.float32) / size)
    angles = torch.outer(torch.arange(length, device=device, dtype=torch.float32), speeds)
    return torch.polar(torch.ones_like(angles), angles)[:, None, :]


def _turned(x: Tensor, turns: Tensor) -> Tensor:
    pairs = torch.view_as_complex(x.float().reshape(*x.shape[:-1], -1, 2))
    return torch.view_as_real(pairs * turns).flatten(-2).type_as(x)
