"""
Trains the same adapter on the same records with PyTorch and with MLX, and prints how far they are from each other:
`compare_engines.py training-folder request.json`. The adapter that MLX wrote is read again by PEFT.
"""

import json
import sys
import tempfile
from pathlib import Path

sys.path.insert(0, sys.argv[1])
request = json.loads(Path(sys.argv[2]).read_text(encoding="utf-8"))

from anneal_training.limits import limit_threads

limit_threads(request["threads"])
import mlx.core as mx
import numpy
import torch
from anneal_training.conversations import read_examples
from anneal_training.hyperparameters import check_hyperparameters
from anneal_training.mlx_engine import MlxEngine
from anneal_training.torch_engine import TorchEngine
from peft import PeftModel
from transformers import AutoModelForCausalLM, AutoTokenizer

base = Path(request["baseModel"])
hyperparameters = check_hyperparameters({**request["hyperparameters"], "dropout": 0.0})
steps = hyperparameters["maximumSteps"]
examples = read_examples(request["trainingFile"], AutoTokenizer.from_pretrained(base), 128)
engines = {"torch": TorchEngine(base, hyperparameters, steps), "mlx": MlxEngine(base, hyperparameters, steps)}
engines["mlx"].restore_adapter(engines["torch"].adapter())
losses = {name: [engine.train_step([examples[step]]) for step in range(steps)] for name, engine in engines.items()}

tokens = [examples[0].tokens]
with tempfile.TemporaryDirectory() as folder:
    engines["mlx"].save_adapter(Path(folder) / "adapter")
    model = PeftModel.from_pretrained(AutoModelForCausalLM.from_pretrained(base, dtype=torch.float32), f"{folder}/adapter")
    model.eval()
    with torch.no_grad():
        expected = model(input_ids=torch.tensor(tokens)).logits.numpy()
    with model.disable_adapter(), torch.no_grad():
        untrained = model(input_ids=torch.tensor(tokens)).logits.numpy()
engines["mlx"]._model.eval()
found = numpy.array(engines["mlx"]._model(mx.array(tokens)).astype(mx.float32))
print(
    json.dumps(
        {
            "losses": losses,
            "logitDifference": float(abs(found - expected).max()),
            "logitChange": float(abs(expected - untrained).max()),
        }
    )
)
