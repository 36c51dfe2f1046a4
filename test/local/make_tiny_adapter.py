"""Writes a LoRA adapter with random weights: `make_tiny_adapter.py base-model-folder target-folder seed`."""

import sys

import torch
from peft import LoraConfig, get_peft_model
from transformers import AutoModelForCausalLM

source, target, seed = sys.argv[1:]
torch.set_num_threads(1)
torch.manual_seed(int(seed))
model = AutoModelForCausalLM.from_pretrained(source)
# Without this the second half of each pair is zero, and the adapter changes nothing.
config = LoraConfig(r=4, lora_alpha=8, target_modules="all-linear", task_type="CAUSAL_LM", init_lora_weights=False)
get_peft_model(model, config).save_pretrained(target)
