"""A model in a Hugging Face folder: is it whole, how big is it, which one is it?"""

import hashlib
import json
from dataclasses import dataclass
from math import prod
from pathlib import Path

from .files import sha256_of_file
from .program import Problem


@dataclass(frozen=True)
class ModelFolder:
    path: Path
    parameters: int
    weight_files: tuple[Path, ...]

    def fingerprint(self) -> str:
        """SHA-256 over configuration and weights: the same for every copy of the model, wherever it lies."""
        hashes = [sha256_of_file(file) for file in (self.path / "config.json", *self.weight_files)]
        return hashlib.sha256("\n".join(hashes).encode()).hexdigest()


def open_model_folder(path: str) -> ModelFolder:
    """Looks at names, headers and sizes only. Throws `Problem` when anything is missing or cut off."""
    folder = Path(path)
    remedy = 'Remedy: install it again ("anneal setup local"), or name another folder as base model.'
    if not folder.is_dir():
        raise Problem(f"There is no base model at {folder}. {remedy}")
    for name in ("config.json", "tokenizer_config.json"):
        if not (folder / name).is_file():
            raise Problem(f"The base model at {folder} has no {name}. {remedy}")
    files = sorted(folder.glob("*.safetensors"))
    if not files:
        raise Problem(f"The base model at {folder} has no weights (*.safetensors). {remedy}")
    _check_index(folder, files, remedy)
    return ModelFolder(folder, sum(_parameters(file, remedy) for file in files), tuple(files))


def _check_index(folder: Path, files: list[Path], remedy: str) -> None:
    index = folder / "model.safetensors.index.json"
    if not index.exists():
        return
    listed = set(json.loads(index.read_text(encoding="utf-8"))["weight_map"].values())
    missing = sorted(listed - {file.name for file in files})
    if missing:
        raise Problem(f"The base model at {folder} lacks {', '.join(missing)}. {remedy}")


def _parameters(file: Path, remedy: str) -> int:
    """Header of safetensors: its length in 8 bytes, little endian, then JSON with the offsets of each tensor."""
    size = file.stat().st_size
    with open(file, "rb") as weights:
        length = int.from_bytes(weights.read(8), "little")
        if length > size - 8:
            raise Problem(f"{file} is cut off: {size} bytes, and its header alone has {length}. {remedy}")
        try:
            header = json.loads(weights.read(length))
        except ValueError:
            raise Problem(f"{file} is no safetensors file: its header cannot be read. {remedy}") from None
    header.pop("__metadata__", None)
    expected = 8 + length + max((tensor["data_offsets"][1] for tensor in header.values()), default=0)
    if size != expected:
        raise Problem(f"{file} is cut off: {size} bytes found, {expected} expected. {remedy}")
    return sum(prod(tensor["shape"]) for tensor in header.values())
