"""LoRA with MLX, on the GPU of Apple silicon, or on a processor."""

from pathlib import Path

import mlx.core as mx
import mlx.nn as nn
import mlx.optimizers as optimizers
import numpy
import torch
from mlx.utils import tree_flatten, tree_map, tree_unflatten
from mlx_lm.tuner.lora import LoRALinear
from mlx_lm.tuner.trainer import grad_checkpoint
from mlx_lm.utils import load_model
from peft import LoraConfig
from safetensors import safe_open
from safetensors.torch import save_file

from .conversations import IGNORED_LABEL, Example, micro_batches
from .hyperparameters import choose_target_modules
from .program import Problem


class MlxEngine:
    """One model in training, with the methods and the adapter folder of `TorchEngine`."""

    name = "mlx"

    def __init__(self, base_model: Path, hyperparameters: dict, steps: int):
        self.device = "metal" if mx.metal.is_available() else "cpu"
        self._hyperparameters = hyperparameters
        self._base_model = base_model
        self._seed(0)
        self._model, _ = load_model(base_model)
        self._model.set_dtype(mx.bfloat16 if self.device == "metal" else mx.float32)
        self._model.freeze()
        self._layers = self._add_adapters()
        if hyperparameters["gradientCheckpointing"]:
            # It changes a class, so once for each kind of layer.
            for layer in {type(layer): layer for layer in self._model.layers}.values():
                grad_checkpoint(layer)
        self._optimizer = optimizers.AdamW(
            _schedule(hyperparameters["learningRate"], steps), weight_decay=0.0, bias_correction=True
        )
        self._optimizer.init(self._model.trainable_parameters())

    def _add_adapters(self) -> dict[str, LoRALinear]:
        """By path, in a fixed order, so that the same seed gives the same weights."""
        named = self._model.named_modules()
        linear = sorted(path for path, module in named if isinstance(module, nn.Linear) and path != "lm_head")
        _check_names(linear, self._base_model)
        settings = self._hyperparameters
        modules = dict(self._model.named_modules())
        layers = {
            path: LoRALinear.from_base(
                modules[path],
                r=settings["rank"],
                scale=settings["alpha"] / settings["rank"],
                dropout=settings["dropout"],
            )
            for path in choose_target_modules(settings, linear)
        }
        self._model.update_modules(tree_unflatten(list(layers.items())))
        return layers

    def _seed(self, draw: int) -> None:
        """MLX's random state cannot be put back, so each step has a seed of its own."""
        mx.random.seed((self._hyperparameters["seed"] << 32) + draw)

    def train_step(self, batch: list[Example]) -> tuple[float, float]:
        """Learns one batch; returns the mean loss of a token, and the learning rate it was learned with."""
        self._model.train()
        self._seed(1 + self._optimizer.step.item())
        count = max(sum(example.answer_tokens for example in batch), 1)
        loss_and_gradients = nn.value_and_grad(self._model, lambda part: self._loss(part) / count)
        loss, gradients = 0.0, None
        for part in micro_batches(batch, self._hyperparameters["batchSize"]):
            share, of_part = loss_and_gradients(part)
            gradients = of_part if gradients is None else tree_map(mx.add, gradients, of_part)
            # MLX computes when it is asked to: without this, every part would stay in memory.
            mx.eval(share, gradients)
            loss += share.item()
        gradients, _ = optimizers.clip_grad_norm(gradients, 1.0)
        self._optimizer.update(self._model, gradients)
        mx.eval(self._model.trainable_parameters(), self._optimizer.state)
        return loss, self._optimizer.learning_rate.item()

    def summed_loss(self, batch: list[Example]) -> tuple[float, int]:
        """The loss over the batch's labelled tokens and their count, without learning and without dropout."""
        self._model.eval()
        return self._loss(batch).item(), sum(example.answer_tokens for example in batch)

    def _loss(self, batch: list[Example]) -> mx.array:
        """The summed loss over the batch's labelled tokens."""
        length = max(len(example.tokens) for example in batch)

        def padded(rows: list[list[int]], filler: int) -> numpy.ndarray:
            return numpy.array([row + [filler] * (length - len(row)) for row in rows])

        labels = padded([example.labels for example in batch], IGNORED_LABEL)[:, 1:]
        rows, columns = numpy.nonzero(labels != IGNORED_LABEL)
        # Padding stands after everything else, where no token before it looks.
        logits = self._model(mx.array(padded([example.tokens for example in batch], 0)))
        labelled = logits[mx.array(rows), mx.array(columns)].astype(mx.float32)
        return nn.losses.cross_entropy(labelled, mx.array(labels[rows, columns]), reduction="sum")

    def adapter(self) -> dict:
        """A copy of the trained weights, as PyTorch's tensors with PEFT's names and shapes."""
        tensors = {}
        for path, layer in self._layers.items():
            tensors[f"base_model.model.{path}.lora_A.weight"] = _to_torch(layer.lora_a.T)
            tensors[f"base_model.model.{path}.lora_B.weight"] = _to_torch(layer.lora_b.T)
        return tensors

    def restore_adapter(self, adapter: dict) -> None:
        for path, layer in self._layers.items():
            layer.lora_a = mx.array(adapter[f"base_model.model.{path}.lora_A.weight"].numpy().T)
            layer.lora_b = mx.array(adapter[f"base_model.model.{path}.lora_B.weight"].numpy().T)

    def state(self) -> dict:
        """Everything that decides how training goes on; plain tensors, numbers and containers."""
        flat = dict(tree_flatten(self._optimizer.state))
        moments = {path: _to_torch(value) for path, value in flat.items() if path.endswith((".m", ".v"))}
        return {
            "adapter": self.adapter(),
            "moments": moments,
            "step": self._optimizer.step.item(),
        }

    def restore(self, state: dict) -> None:
        self.restore_adapter(state["adapter"])
        moments = [(path, mx.array(tensor.numpy())) for path, tensor in state["moments"].items()]
        step = mx.array(state["step"], dtype=self._optimizer.step.dtype)
        self._optimizer.state = {**self._optimizer.state, **tree_unflatten(moments), "step": step}

    def save_adapter(self, folder: Path) -> None:
        """Writes `adapter_model.safetensors` and `adapter_config.json` as PEFT reads them."""
        folder.mkdir()
        save_file(dict(sorted(self.adapter().items())), folder / "adapter_model.safetensors", {"format": "pt"})
        LoraConfig(
            task_type="CAUSAL_LM",
            r=self._hyperparameters["rank"],
            lora_alpha=self._hyperparameters["alpha"],
            lora_dropout=self._hyperparameters["dropout"],
            target_modules=list(self._layers),
            base_model_name_or_path=self._base_model.name,
            inference_mode=True,
        ).save_pretrained(folder)


def _schedule(learning_rate: float, steps: int):
    """Up along a line, then down along a cosine: that of `TorchEngine`."""
    warmup = min(10, steps // 20)
    fall = optimizers.cosine_decay(learning_rate, steps - warmup)
    if warmup == 0:
        return fall
    return optimizers.join_schedules([optimizers.linear_schedule(0.0, learning_rate, warmup), fall], [warmup])


def _check_names(linear_layers: list[str], base_model: Path) -> None:
    """PEFT finds layers by the names that they have in the base model's files; MLX renames those of some models."""
    shapes = {}
    for file in base_model.glob("*.safetensors"):
        with safe_open(file, framework="np") as tensors:
            shapes.update({name: len(tensors.get_slice(name).get_shape()) for name in tensors.keys()})
    strange = [path for path in linear_layers if shapes.get(f"{path}.weight") != 2]
    if strange:
        raise Problem(f"MLX names layers of this base model otherwise ({strange[0]}). Remedy: engine torch.")


def _to_torch(array: mx.array) -> torch.Tensor:
    return torch.from_numpy(numpy.array(array.astype(mx.float32), order="C"))
