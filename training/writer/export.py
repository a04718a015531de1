"""Torch weights -> GGUF, quantized by llama.cpp itself, and back; and whether llama.cpp computes the same."""

import ctypes
from pathlib import Path

import gguf
import numpy as np
import torch
from tokenizers import Tokenizer

from training.writer.model import EPSILON, ROPE_BASE, Decoder
from training.writer.tokenizer import add_to_gguf


def write_gguf(model: Decoder, tokenizer: Tokenizer, path: Path, name: str) -> Path:
    """Half precision, but for the norms."""
    shape = model.shape
    writer = gguf.GGUFWriter(path, "llama")
    writer.add_name(name)
    writer.add_license("cc-by-sa-4.0")
    writer.add_context_length(shape.context)
    writer.add_embedding_length(shape.width)
    writer.add_block_count(shape.layers)
    writer.add_feed_forward_length(shape.hidden)
    writer.add_head_count(shape.heads)
    writer.add_head_count_kv(shape.groups)
    writer.add_rope_freq_base(ROPE_BASE)
    writer.add_rope_dimension_count(shape.width // shape.heads)
    writer.add_layer_norm_rms_eps(EPSILON)
    writer.add_vocab_size(shape.vocabulary)
    writer.add_file_type(gguf.LlamaFileType.MOSTLY_F16)
    add_to_gguf(writer, tokenizer)
    for tensor, value in model.state_dict().items():
        array = value.detach().float().cpu().numpy()
        writer.add_tensor(tensor, array.astype(np.float16) if array.ndim == 2 else array)
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()
    return path


def read_gguf(path: Path, model: Decoder) -> None:
    """Take the weights of a GGUF that was written here, quantized or not. Raises RuntimeError if the shapes differ."""
    found = {t.name: gguf.dequantize(t.data, t.tensor_type) for t in gguf.GGUFReader(path).tensors}
    model.load_state_dict({name: torch.from_numpy(weights.astype(np.float32)) for name, weights in found.items()})


def quantize(path: Path, out: Path) -> Path:
    """8 bits a weight (Q8_0). Raises RuntimeError if llama.cpp will not."""
    import llama_cpp

    parameters = llama_cpp.llama_model_quantize_default_params()
    parameters.ftype = llama_cpp.LLAMA_FTYPE_MOSTLY_Q8_0
    if llama_cpp.llama_model_quantize(str(path).encode(), str(out).encode(), ctypes.byref(parameters)):
        raise RuntimeError(f"llama.cpp could not quantize {path}")
    return out


def compare(model: Decoder, path: Path, tokens: list[int], count: int = 20) -> tuple[float, bool]:
    """The largest difference of a logit after `tokens`, in standard deviations, and whether the greedy tokens agree."""
    import llama_cpp

    llama = llama_cpp.Llama(str(path), n_ctx=1024, n_batch=512, n_threads=1, logits_all=False, verbose=False)
    llama.eval(tokens)
    theirs = np.ctypeslib.as_array(
        llama_cpp.llama_get_logits_ith(llama.ctx, -1), shape=(model.shape.vocabulary,)
    ).copy()
    model = model.float().cpu().eval()
    said, same = list(tokens), True
    with torch.inference_mode():
        ours = model.logits(model(torch.tensor([tokens]))[0, -1]).numpy()
        for _ in range(count):
            token = int(model.logits(model(torch.tensor([said]))[0, -1]).argmax())
            found = np.ctypeslib.as_array(
                llama_cpp.llama_get_logits_ith(llama.ctx, -1), shape=(model.shape.vocabulary,)
            )
            same = same and int(found.argmax()) == token
            said.append(token)
            llama.eval([token])
    llama.close()
    return float(np.abs(ours - theirs).max() / ours.std()), same
