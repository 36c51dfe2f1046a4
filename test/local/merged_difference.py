"""
How far an f16 GGUF file is from base model plus adapter, in one layer, and how far from the base model alone:
`merged_difference.py training-folder base-model adapter file.gguf`.
"""

import json
import sys
from pathlib import Path

training, base, adapter, file = sys.argv[1:]
sys.path.insert(0, training)

import numpy
from anneal_training.llama_cpp import use_vendored_gguf
from safetensors.numpy import load_file

use_vendored_gguf()
from gguf import GGUFReader

name = "model.layers.0.self_attn.v_proj"
weights = load_file(Path(base) / "model.safetensors")[f"{name}.weight"]
trained = load_file(Path(adapter) / "adapter_model.safetensors")
config = json.loads((Path(adapter) / "adapter_config.json").read_text(encoding="utf-8"))
product = trained[f"base_model.model.{name}.lora_B.weight"] @ trained[f"base_model.model.{name}.lora_A.weight"]
merged = weights + config["lora_alpha"] / config["r"] * product
found = next(tensor.data for tensor in GGUFReader(file).tensors if tensor.name == "blk.0.attn_v.weight")
found = found.astype(numpy.float32).reshape(merged.shape)
print(json.dumps({"fromMerged": float(abs(found - merged).max()), "fromBase": float(abs(found - weights).max())}))
