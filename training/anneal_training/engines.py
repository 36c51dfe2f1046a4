"""Which library trains on this machine."""

import json
import platform
from importlib.util import find_spec
from pathlib import Path

from .program import Problem

NAMES = ("auto", "torch", "mlx")


def choose_engine(wanted: str, base_model: Path, hyperparameters: dict) -> str:
    """
    The name of the engine. `auto` takes MLX on Apple silicon where it is installed and knows the model, else PyTorch.
    Throws `Problem` where this machine has not what is asked for; no weights were loaded then.
    """
    if wanted not in NAMES:
        raise Problem(f'engine is {json.dumps(wanted)}. Allowed: {", ".join(NAMES)}. Remedy: mend the run spec.')
    quantization = hyperparameters["baseModelQuantization"]
    if wanted == "auto":
        is_for_mlx = _is_apple_silicon() and quantization == "none" and _why_not_mlx(base_model) is None
        wanted = "mlx" if is_for_mlx else "torch"
    if wanted == "mlx":
        _check_mlx(base_model, quantization)
    elif quantization != "none" and find_spec("bitsandbytes") is None:
        raise Problem(
            f'hyperparameters.baseModelQuantization is "{quantization}", and bitsandbytes is not installed. Remedy: '
            '"anneal setup local" on a Linux machine with an NVIDIA GPU; elsewhere "python -m pip install -r '
            'training/requirements-bitsandbytes.txt" with the trainer\'s Python; or "none".'
        )
    return wanted


def load_engine(name: str) -> type:
    """The class of the engine; imports the library."""
    if name == "mlx":
        from .mlx_engine import MlxEngine

        return MlxEngine
    from .torch_engine import TorchEngine

    return TorchEngine


def _check_mlx(base_model: Path, quantization: str) -> None:
    reason = _why_not_mlx(base_model)
    if reason:
        raise Problem(f"engine is mlx, and {reason}")
    if quantization != "none":
        raise Problem(
            f'hyperparameters.baseModelQuantization is "{quantization}", which MLX has not. Allowed with engine mlx: '
            '"none". Remedy: leave it out, or set engine to torch.'
        )


def _is_apple_silicon() -> bool:
    return platform.system() == "Darwin" and platform.machine() == "arm64"


def _why_not_mlx(base_model: Path) -> str | None:
    missing = [name for name in ("mlx", "mlx_lm") if find_spec(name) is None]
    if missing:
        return (
            f"{' and '.join(missing)} {'is' if len(missing) == 1 else 'are'} not installed. Remedy: "
            '"anneal setup local" on Apple silicon, or engine torch.'
        )
    from mlx_lm.utils import MODEL_REMAPPING

    model_type = json.loads((base_model / "config.json").read_text(encoding="utf-8")).get("model_type")
    if model_type is None or find_spec(f"mlx_lm.models.{MODEL_REMAPPING.get(model_type, model_type)}") is None:
        return f"MLX does not know models of type {json.dumps(model_type)}. Remedy: engine torch."
    return None
