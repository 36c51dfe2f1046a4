"""
Writes a Llama model in a GGUF file as a Hugging Face folder, complete or absent:
`python -m anneal_training.base_model_from_gguf model.gguf folder`. Prints one line of JSON.

Quantised weights become the 32-bit numbers they stand for; what quantisation lost stays lost.
"""

import json
import sys
from pathlib import Path

from .files import publish, remove
from .limits import limit_threads
from .llama_cpp import use_vendored_gguf

PRE_TOKENIZERS = {"smollm": "digits"}
"""By `tokenizer.ggml.pre`; others are refused, because a wrong split of words is not noticed until much later."""


def main() -> None:
    source, target = Path(sys.argv[1]), Path(sys.argv[2])
    limit_threads(1)
    use_vendored_gguf()
    from gguf import GGUFReader

    reader = GGUFReader(source)
    partial = target.with_name(target.name + ".partial")
    remove(partial)
    partial.mkdir(parents=True)
    _write_configuration(reader, partial)
    _write_tokenizer(reader, partial)
    parameters = _write_weights(reader, partial)
    _check(partial)
    remove(target)
    publish(partial, target)
    print(json.dumps({"folder": str(target), "parameters": parameters}))


def _value(reader, name: str):
    field = reader.get_field(name)
    if field is None:
        sys.exit(f"The GGUF file has no {name}.")
    return field.contents()


def _write_configuration(reader, folder: Path) -> None:
    from transformers import LlamaConfig

    if _value(reader, "general.architecture") != "llama":
        sys.exit(f"The architecture is {_value(reader, 'general.architecture')}. Allowed: llama.")
    LlamaConfig(
        architectures=["LlamaForCausalLM"],
        vocab_size=_value(reader, "llama.vocab_size"),
        hidden_size=_value(reader, "llama.embedding_length"),
        intermediate_size=_value(reader, "llama.feed_forward_length"),
        num_hidden_layers=_value(reader, "llama.block_count"),
        num_attention_heads=_value(reader, "llama.attention.head_count"),
        num_key_value_heads=_value(reader, "llama.attention.head_count_kv"),
        max_position_embeddings=_value(reader, "llama.context_length"),
        # The file holds 32-bit numbers; the model was made with the rounded ones.
        rms_norm_eps=float(f"{_value(reader, 'llama.attention.layer_norm_rms_epsilon'):.6g}"),
        rope_parameters={"rope_type": "default", "rope_theta": float(_value(reader, "llama.rope.freq_base"))},
        bos_token_id=_value(reader, "tokenizer.ggml.bos_token_id"),
        eos_token_id=_value(reader, "tokenizer.ggml.eos_token_id"),
        pad_token_id=_value(reader, "tokenizer.ggml.padding_token_id"),
        tie_word_embeddings=not any(tensor.name == "output.weight" for tensor in reader.tensors),
        dtype="float32",
    ).save_pretrained(folder)


def _write_tokenizer(reader, folder: Path) -> None:
    from tokenizers import AddedToken, Tokenizer, decoders, models, pre_tokenizers
    from transformers import PreTrainedTokenizerFast

    if _value(reader, "tokenizer.ggml.pre") not in PRE_TOKENIZERS:
        sys.exit(f"The pre-tokenizer is {_value(reader, 'tokenizer.ggml.pre')}. Allowed: {', '.join(PRE_TOKENIZERS)}.")
    tokens = _value(reader, "tokenizer.ggml.tokens")
    merges = [tuple(merge.split(" ")) for merge in _value(reader, "tokenizer.ggml.merges")]
    tokenizer = Tokenizer(models.BPE({token: number for number, token in enumerate(tokens)}, merges))
    tokenizer.pre_tokenizer = pre_tokenizers.Sequence(
        [pre_tokenizers.Digits(individual_digits=True), pre_tokenizers.ByteLevel(add_prefix_space=False)]
    )
    tokenizer.decoder = decoders.ByteLevel()
    control = 3
    kinds = _value(reader, "tokenizer.ggml.token_type")
    special = [token for token, kind in zip(tokens, kinds, strict=True) if kind == control]
    tokenizer.add_special_tokens([AddedToken(token, special=True, normalized=False) for token in special])
    named = {"bos_token": "bos", "eos_token": "eos", "unk_token": "unknown", "pad_token": "padding"}
    PreTrainedTokenizerFast(
        tokenizer_object=tokenizer,
        chat_template=_value(reader, "tokenizer.chat_template"),
        model_max_length=_value(reader, "llama.context_length"),
        clean_up_tokenization_spaces=False,
        **{name: tokens[_value(reader, f"tokenizer.ggml.{key}_token_id")] for name, key in named.items()},
    ).save_pretrained(folder)


def _write_weights(reader, folder: Path) -> int:
    import numpy
    from gguf import MODEL_ARCH, dequantize, get_tensor_name_map
    from safetensors.numpy import save_file

    heads = _value(reader, "llama.attention.head_count")
    key_heads = _value(reader, "llama.attention.head_count_kv")
    names = _names(_value(reader, "llama.block_count"), get_tensor_name_map, MODEL_ARCH.LLAMA)
    tensors = {}
    for tensor in reader.tensors:
        weights = dequantize(tensor.data, tensor.tensor_type).astype(numpy.float32)
        if tensor.name.endswith("attn_q.weight"):
            weights = _unpermuted(weights, heads)
        if tensor.name.endswith("attn_k.weight"):
            weights = _unpermuted(weights, key_heads)
        tensors[names[tensor.name]] = numpy.ascontiguousarray(weights)
    save_file(tensors, folder / "model.safetensors", metadata={"format": "pt"})
    return sum(weights.size for weights in tensors.values())


def _names(blocks: int, name_map, architecture) -> dict[str, str]:
    """Names in the Hugging Face folder by names in the GGUF file."""
    parts = ["input_layernorm", "post_attention_layernorm", *(f"self_attn.{name}_proj" for name in "qkvo")]
    parts += [f"mlp.{name}_proj" for name in ("gate", "up", "down")]
    ours = ["model.embed_tokens", "model.norm", "lm_head"]
    ours += [f"model.layers.{block}.{part}" for block in range(blocks) for part in parts]
    known = name_map(architecture, blocks)
    return {f"{known.get_name(name)}.weight": f"{name}.weight" for name in ours}


def _unpermuted(weights, heads: int):
    """llama.cpp interleaves the two halves of each head's rows; Hugging Face keeps them one after the other."""
    rows, columns = weights.shape
    return weights.reshape(heads, rows // heads // 2, 2, columns).swapaxes(1, 2).reshape(rows, columns)


def _check(folder: Path) -> None:
    """Loads what was written; every weight must find its place."""
    from transformers import AutoModelForCausalLM, AutoTokenizer

    _, report = AutoModelForCausalLM.from_pretrained(folder, output_loading_info=True)
    wrong = [name for kind in ("missing_keys", "unexpected_keys", "mismatched_keys") for name in report[kind]]
    if wrong:
        sys.exit(f"Weights without a place, or places without weights: {wrong}")
    text = "In 2026, it's 3.5 °C — naïve tokens\n  stay whole."
    tokenizer = AutoTokenizer.from_pretrained(folder)
    if tokenizer.decode(tokenizer(text)["input_ids"]) != text:
        sys.exit("The tokenizer does not give back the text that it was given.")


if __name__ == "__main__":
    main()
