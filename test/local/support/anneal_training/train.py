"""A trainer that trains nothing, quickly.

Keeps the contract of the real one (lock, events, checkpoints, SIGTERM, adapter complete or absent) and sleeps where
that one computes. How it behaves stands in `behaviour.json` of the base model's folder; who trained what, and what
else was training at that moment, is written to `attempts.jsonl` beside it.
"""

import fcntl
import hashlib
import json
import os
import shutil
import signal
import sys
import time
from datetime import datetime, timezone
from pathlib import Path

request = json.loads(Path(sys.argv[1]).read_text())
directory = Path(request["directory"])
base_model = Path(request["baseModel"])
hyperparameters = request["hyperparameters"]
behaviour = {
    "secondsPerStep": 0.02,
    "crashesAtStep": None,
    "tearsItsLastLine": False,
    "ignoresRequestsToStop": False,
    **json.loads((base_model / "behaviour.json").read_text()),
}
stop_requested = False


def main() -> None:
    lock = os.open(directory / "lock", os.O_RDWR | os.O_CREAT)
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        sys.exit(75)
    signal.signal(signal.SIGTERM, on_term)
    note_attempt()
    records = Path(request["trainingFile"]).read_text().splitlines()
    steps = len(records) // hyperparameters["batchSize"] * hyperparameters["epochCount"]
    steps = min(steps, hyperparameters["maximumSteps"] or steps)
    reached = read_checkpoint()
    emit("start", steps=steps, resumedFromStep=reached, device="none", engine="sleep")
    if any("unreadable" in record for record in records):
        return end("failed", "data/training.jsonl, line 1: not a conversation")
    for step in range(reached + 1, steps + 1):
        time.sleep(behaviour["secondsPerStep"])
        if stop_requested and not behaviour["ignoresRequestsToStop"]:
            checkpoint(step - 1)
            return end("stopped")
        epoch = step / steps * hyperparameters["epochCount"]
        figures = {"trainingLoss": 3 / step, "learningRate": hyperparameters["learningRate"]}
        eta = (steps - step) * behaviour["secondsPerStep"]
        emit("step", step=step, steps=steps, epoch=epoch, tokensPerSecond=310.4, etaSeconds=eta, **figures)
        if step % hyperparameters["checkpointSteps"] == 0:
            checkpoint(step)
        if step == behaviour["crashesAtStep"]:
            crash()
    if request["validationFile"]:
        emit("validation", step=steps, validationLoss=0.5)
    end("completed", adapter_sha256=write_adapter(steps))


def on_term(*_) -> None:
    global stop_requested
    stop_requested = True


def crash() -> None:
    if behaviour["tearsItsLastLine"]:
        with (directory / "events.jsonl").open("a") as events:
            events.write('{"event":"step","step":99')
    raise MemoryError("could not allocate 48 GiB for the gradients")


def write_adapter(steps: int) -> str:
    beside = directory / "adapter.incomplete"
    shutil.rmtree(beside, ignore_errors=True)
    beside.mkdir()
    data = Path(request["trainingFile"]).read_bytes()
    weights = f"{steps} steps on {hashlib.sha256(data).hexdigest()}".encode()
    (beside / "adapter_model.safetensors").write_bytes(weights)
    (beside / "adapter_config.json").write_text(json.dumps({"r": hyperparameters["rank"]}))
    fingerprint = hashlib.sha256(str(request["baseModel"]).encode()).hexdigest()
    (beside / "base_model.json").write_text(json.dumps({"fingerprint": fingerprint}))
    beside.rename(directory / "adapter")
    return hashlib.sha256(weights).hexdigest()


def checkpoint(step: int) -> None:
    beside = directory / "checkpoint.incomplete"
    beside.write_text(json.dumps({"step": step}))
    beside.rename(directory / "checkpoint.json")
    emit("checkpoint", step=step)


def read_checkpoint() -> int:
    path = directory / "checkpoint.json"
    return json.loads(path.read_text())["step"] if path.exists() else 0


def end(status: str, message: str | None = None, adapter_sha256: str | None = None) -> None:
    emit("end", status=status, message=message, adapterSha256=adapter_sha256)


def emit(event: str, **fields) -> None:
    at = datetime.now(timezone.utc).isoformat()
    line = json.dumps({"event": event, **fields, "at": at})
    print(line, flush=True)
    path = directory / "events.jsonl"
    torn = path.exists() and path.stat().st_size > 0 and not path.read_bytes().endswith(b"\n")
    with path.open("a") as events:
        events.write(("\n" if torn else "") + line + "\n")


def note_attempt() -> None:
    path = base_model / "attempts.jsonl"
    before = [json.loads(line) for line in path.read_text().splitlines()] if path.exists() else []
    alongside = [attempt["job"] for attempt in before if is_running(attempt["pid"])]
    with path.open("a") as attempts:
        attempt = {"job": directory.name, "pid": os.getpid(), "alongside": alongside}
        attempts.write(json.dumps(attempt) + "\n")


def is_running(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except (FileNotFoundError, ProcessLookupError):
        return False


main()
