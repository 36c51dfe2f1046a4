"""Checkpoints: one file each, complete or absent, the last two kept."""

import re
import zipfile
from pathlib import Path

import torch

from .files import publish, remove
from .program import Problem

KEPT = 2


def save_checkpoint(folder: Path, step: int, request: str, engine: str, state: dict) -> None:
    """`request`: the fingerprint of what is trained; a checkpoint of something else is never continued."""
    folder.mkdir(exist_ok=True)
    final = folder / f"step-{step:08d}.checkpoint"
    partial = final.with_suffix(".partial")
    torch.save({"step": step, "request": request, "engine": engine, "state": state}, partial)
    publish(partial, final)
    for old in _newest_first(folder)[KEPT:]:
        remove(old)


def load_checkpoint(folder: Path, request: str, engine: str) -> tuple[int, dict] | None:
    """
    The step and state of the newest whole checkpoint, or None. Throws `Problem` for one of another request or of
    another engine.
    """
    for partial in folder.glob("*.partial"):
        remove(partial)
    for path in _newest_first(folder):
        try:
            checkpoint = torch.load(path, map_location="cpu", weights_only=True)
        except (OSError, RuntimeError, EOFError, ValueError, zipfile.BadZipFile):
            # A fault of the disk: the one before it will do.
            continue
        if checkpoint["request"] != request:
            raise Problem(
                f"{folder} holds checkpoints of other data, another base model or other hyperparameters. "
                "Remedy: use an empty folder for this job, or delete this one."
            )
        # The first jobs knew PyTorch alone, and named none.
        begun_with = checkpoint.get("engine", "torch")
        if begun_with != engine:
            raise Problem(
                f"{folder} holds checkpoints of the engine {begun_with}, which {engine} cannot continue. Remedy: "
                f"training.settings.engine {begun_with} where that one is installed, or start the training anew."
            )
        return checkpoint["step"], checkpoint["state"]
    return None


def _newest_first(folder: Path) -> list[Path]:
    names = [path for path in folder.glob("*.checkpoint") if re.fullmatch(r"step-\d{8}\.checkpoint", path.name)]
    return sorted(names, reverse=True)
