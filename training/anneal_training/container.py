"""
Trains in a container that follows SageMaker's contract: `python -m anneal_training.container`.

Reads `input/config/hyperparameters.json` and the channels `training`, `validation` (optional) and `base-model` below
`/opt/ml`, works in `checkpoints`, so that an interrupted job goes on from there, and leaves `model/adapter` and
`model/events.jsonl`. A reason to fail is written to `output/failure`. `ANNEAL_CONTAINER_ROOT` names another root.
"""

import json
import os
import shutil
import signal
import subprocess
import sys
from pathlib import Path

from .files import remove
from .program import Problem

ROOT = Path(os.environ.get("ANNEAL_CONTAINER_ROOT", "/opt/ml"))
LONGEST_REASON = 1000
"""SageMaker keeps 1,024 characters, and puts words of its own before them."""


def main() -> int:
    try:
        end = train()
    except Problem as problem:
        end = {"status": "failed", "message": str(problem)}
    except Exception as error:
        end = {"status": "failed", "message": f"{type(error).__name__}: {error}"}
    if end["status"] != "failed":
        return 0
    output = ROOT / "output"
    output.mkdir(parents=True, exist_ok=True)
    (output / "failure").write_text((end["message"] or "no reason given")[:LONGEST_REASON], encoding="utf-8")
    return 1


def train() -> dict:
    """Runs the trainer to its end; returns its last event."""
    directory = ROOT / "checkpoints"
    directory.mkdir(parents=True, exist_ok=True)
    request = {
        "directory": str(directory),
        "baseModel": str(ROOT / "input/data/base-model"),
        "trainingFile": _only_file("training"),
        "validationFile": _only_file("validation"),
        "hyperparameters": _hyperparameters(),
        "threads": int(os.environ.get("ANNEAL_CONTAINER_THREADS") or os.cpu_count() or 1),
    }
    if request["trainingFile"] is None:
        raise Problem("There is no channel named training. Remedy: give the job its training data.")
    path = ROOT / "train.json"
    path.write_text(json.dumps(request), encoding="utf-8")
    code = _run_trainer(path)
    _keep_results(directory)
    end = _last_event(directory / "events.jsonl")
    # Of an interrupted job the file may end with the words of an earlier trainer.
    if code == 0 and end.get("event") == "end":
        return end
    how = signal.Signals(-code).name if code < 0 else f"exit code {code}"
    remedy = " It may have run out of memory. Remedy: a bigger instance or a smaller batchSize." if code == -9 else ""
    raise Problem(f"The trainer ended with {how} and no word.{remedy}")


def _run_trainer(request: Path) -> int:
    """A process of its own; SageMaker's SIGTERM is passed on, and the trainer then saves a checkpoint."""
    trainer: subprocess.Popen | None = None
    is_stopped = False

    def pass_on(*_: object) -> None:
        nonlocal is_stopped
        is_stopped = True
        if trainer is not None:
            trainer.send_signal(signal.SIGTERM)

    signal.signal(signal.SIGTERM, pass_on)
    trainer = subprocess.Popen([sys.executable, "-m", "anneal_training.train", str(request)])
    if is_stopped:
        trainer.send_signal(signal.SIGTERM)
    return trainer.wait()


def _keep_results(directory: Path) -> None:
    """Copies what the trainer left to where SageMaker looks for the model; a stopped one leaves events alone."""
    model = ROOT / "model"
    model.mkdir(parents=True, exist_ok=True)
    remove(model / "adapter")
    if (directory / "adapter").is_dir():
        shutil.copytree(directory / "adapter", model / "adapter")
    if (directory / "events.jsonl").exists():
        shutil.copyfile(directory / "events.jsonl", model / "events.jsonl")


def _hyperparameters() -> dict:
    """SageMaker carries every value as text, also numbers; the trainer checks them, and takes null for no limit."""
    path = ROOT / "input/config/hyperparameters.json"
    try:
        given = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise Problem(f"{path} cannot be read: {error}. Remedy: start the job through Anneal.") from None
    values = {"maximumSteps": None}
    for name, text in given.items():
        if name.startswith("sagemaker_"):
            continue
        try:
            values[name] = json.loads(text)
        except ValueError:
            values[name] = text
    return values


def _only_file(channel: str) -> str | None:
    folder = ROOT / "input/data" / channel
    if not folder.is_dir():
        return None
    files = sorted(path for path in folder.iterdir() if path.is_file())
    if len(files) == 1:
        return str(files[0])
    found = ", ".join(path.name for path in files) or "nothing"
    raise Problem(f"The channel {channel} has {found}. Allowed: one file. Remedy: name the file, not its folder.")


def _last_event(path: Path) -> dict:
    try:
        lines = path.read_text(encoding="utf-8").splitlines()
        return json.loads(lines[-1])
    except (OSError, IndexError, ValueError):
        return {}


if __name__ == "__main__":
    sys.exit(main())
