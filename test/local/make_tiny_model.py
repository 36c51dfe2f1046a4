"""Writes a Llama of a few layers with random weights: `make_tiny_model.py tokenizer-folder target-folder seed`."""

import sys

import torch
from transformers import AutoTokenizer, LlamaConfig, LlamaForCausalLM

source, target, seed = sys.argv[1:]
torch.set_num_threads(1)
torch.manual_seed(int(seed))
tokenizer = AutoTokenizer.from_pretrained(source)
model = LlamaForCausalLM(
    LlamaConfig(
        vocab_size=len(tokenizer),
        # A row of 256 weights is the least that the k formats hold.
        hidden_size=256,
        intermediate_size=256,
        num_hidden_layers=2,
        num_attention_heads=4,
        num_key_value_heads=2,
        max_position_embeddings=512,
        bos_token_id=tokenizer.bos_token_id,
        eos_token_id=tokenizer.eos_token_id,
        pad_token_id=tokenizer.pad_token_id,
        tie_word_embeddings=True,
    )
)
model.save_pretrained(target)
tokenizer.save_pretrained(target)
