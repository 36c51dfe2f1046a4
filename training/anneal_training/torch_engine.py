"""LoRA with PyTorch and PEFT, on the processor or on an NVIDIA GPU."""

import random
from pathlib import Path

import torch
from peft import LoraConfig, get_peft_model, get_peft_model_state_dict, set_peft_model_state_dict
from safetensors.torch import save_file
from torch.nn.functional import cross_entropy
from transformers import AutoModelForCausalLM, get_cosine_schedule_with_warmup

from .conversations import IGNORED_LABEL, Example, micro_batches
from .hyperparameters import ALL_LINEAR, choose_target_modules


class TorchEngine:
    """One model in training. Another engine has the same methods and writes the same adapter folder."""

    name = "torch"

    def __init__(self, base_model: Path, hyperparameters: dict, steps: int):
        self.device = "cuda" if torch.cuda.is_available() else "cpu"
        random.seed(hyperparameters["seed"])
        torch.manual_seed(hyperparameters["seed"])
        # The frozen weights in half the size where the device computes with them at full speed.
        is_half = self.device == "cuda" and torch.cuda.is_bf16_supported()
        dtype = torch.bfloat16 if is_half else torch.float32
        quantized = _quantization(hyperparameters, dtype)
        model = AutoModelForCausalLM.from_pretrained(base_model, dtype=dtype, **quantized).to(self.device)
        model.config.use_cache = False
        for module in model.modules():
            if hasattr(module, "support_avx512bf16_for_cpu"):
                # Else bitsandbytes rearranges the weights at the first evaluation, and no gradient passes them any more.
                module.support_avx512bf16_for_cpu = False
        if hyperparameters["gradientCheckpointing"]:
            model.gradient_checkpointing_enable(gradient_checkpointing_kwargs={"use_reentrant": False})
        lora = LoraConfig(
            task_type="CAUSAL_LM",
            r=hyperparameters["rank"],
            lora_alpha=hyperparameters["alpha"],
            lora_dropout=hyperparameters["dropout"],
            target_modules=_target_modules(model, hyperparameters),
        )
        self._micro_batch = hyperparameters["batchSize"]
        self._model = get_peft_model(model, lora)
        # The name, not the path: the adapter is the same wherever it was trained.
        self._model.peft_config["default"].base_model_name_or_path = base_model.name
        self._trained = [parameter for parameter in self._model.parameters() if parameter.requires_grad]
        self._optimizer = torch.optim.AdamW(self._trained, lr=hyperparameters["learningRate"], weight_decay=0.0)
        self._schedule = get_cosine_schedule_with_warmup(self._optimizer, min(10, steps // 20), steps)

    def train_step(self, batch: list[Example]) -> tuple[float, float]:
        """Learns one batch; returns the mean loss of a token, and the learning rate it was learned with."""
        self._model.train()
        learning_rate = self._schedule.get_last_lr()[0]
        count = max(sum(example.answer_tokens for example in batch), 1)
        loss = 0.0
        for part in micro_batches(batch, self._micro_batch):
            share = self._loss(part)[0] / count
            share.backward()
            loss += share.item()
        torch.nn.utils.clip_grad_norm_(self._trained, 1.0)
        self._optimizer.step()
        self._schedule.step()
        self._optimizer.zero_grad(set_to_none=True)
        return loss, learning_rate

    @torch.no_grad()
    def summed_loss(self, batch: list[Example]) -> tuple[float, int]:
        """The loss over the batch's labelled tokens and their count, without learning and without dropout."""
        self._model.eval()
        total, count = self._loss(batch)
        return total.item(), count

    def _loss(self, batch: list[Example]) -> tuple[torch.Tensor, int]:
        """The summed loss over the batch's labelled tokens, and how many they are."""
        length = max(len(example.tokens) for example in batch)

        def padded(rows: list[list[int]], filler: int) -> torch.Tensor:
            filled = [row + [filler] * (length - len(row)) for row in rows]
            return torch.tensor(filled, device=self.device)

        # What stands in the padding does not matter: the mask hides it, and it has no label.
        tokens = padded([example.tokens for example in batch], 0)
        labels = padded([example.labels for example in batch], IGNORED_LABEL)[:, 1:]
        mask = padded([[1] * len(example.tokens) for example in batch], 0)
        # Only from the first label on: with a large vocabulary the rest would take time and most of the memory.
        is_labelled = labels != IGNORED_LABEL
        kept = int(is_labelled.any(dim=0).flip(0).nonzero().max()) + 1 if is_labelled.any() else 1
        logits = self._model(input_ids=tokens, attention_mask=mask, logits_to_keep=kept + 1).logits[:, :-1]
        labels, is_labelled = labels[:, -kept:], is_labelled[:, -kept:]
        total = cross_entropy(logits[is_labelled].float(), labels[is_labelled], reduction="sum")
        return total, int(is_labelled.sum())

    def adapter(self) -> dict:
        """A copy of the trained weights."""
        tensors = get_peft_model_state_dict(self._model, save_embedding_layers=False)
        return {name: tensor.detach().clone() for name, tensor in tensors.items()}

    def restore_adapter(self, adapter: dict) -> None:
        set_peft_model_state_dict(self._model, adapter)

    def state(self) -> dict:
        """Everything that decides how training goes on; plain tensors, numbers and containers."""
        return {
            "adapter": self.adapter(),
            "optimizer": self._optimizer.state_dict(),
            "schedule": self._schedule.state_dict(),
            "random": torch.get_rng_state(),
            "cudaRandom": torch.cuda.get_rng_state_all() if self.device == "cuda" else [],
        }

    def restore(self, state: dict) -> None:
        self.restore_adapter(state["adapter"])
        self._optimizer.load_state_dict(state["optimizer"])
        self._schedule.load_state_dict(state["schedule"])
        torch.set_rng_state(state["random"])
        if self.device == "cuda" and state["cudaRandom"]:
            torch.cuda.set_rng_state_all(state["cudaRandom"])

    def save_adapter(self, folder: Path) -> None:
        """Writes `adapter_model.safetensors` and `adapter_config.json` as PEFT reads them."""
        folder.mkdir()
        tensors = get_peft_model_state_dict(self._model, save_embedding_layers=False)
        tensors = {name: tensor.float().cpu().contiguous() for name, tensor in sorted(tensors.items())}
        save_file(tensors, folder / "adapter_model.safetensors", metadata={"format": "pt"})
        config = self._model.peft_config["default"]
        was_inference = config.inference_mode
        config.inference_mode = True
        config.save_pretrained(folder)
        config.inference_mode = was_inference


def _quantization(hyperparameters: dict, dtype: torch.dtype) -> dict:
    """For QLoRA: the frozen weights in 4 bit, the scales of their blocks in 8; computed with as `dtype`."""
    if hyperparameters["baseModelQuantization"] == "none":
        return {}
    from transformers import BitsAndBytesConfig

    config = BitsAndBytesConfig(
        load_in_4bit=True,
        bnb_4bit_quant_type=hyperparameters["baseModelQuantization"],
        bnb_4bit_use_double_quant=True,
        bnb_4bit_compute_dtype=dtype,
    )
    return {"quantization_config": config}


def _target_modules(model, hyperparameters: dict) -> str | list[str]:
    if hyperparameters["targetModules"] == ALL_LINEAR:
        return ALL_LINEAR
    head = model.get_output_embeddings()
    named = model.named_modules()
    linear = [path for path, module in named if isinstance(module, torch.nn.Linear) and module is not head]
    return choose_target_modules(hyperparameters, linear)
