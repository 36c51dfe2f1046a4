"""
Trains a LoRA adapter: `python -m anneal_training.train request.json`; README.md has the request and the events.

SIGTERM writes a checkpoint and ends with status `stopped`; the same request goes on from the last checkpoint.
"""

import hashlib
import json
import math
import random
import signal
import time
from functools import lru_cache
from pathlib import Path

from .conversations import read_examples
from .early_stop import EarlyStop
from .engines import choose_engine, load_engine
from .files import publish, remove, sha256_of_file
from .hyperparameters import check_hyperparameters
from .limits import limit_threads
from .model_folder import open_model_folder
from .program import EventLog, Problem, run


def main() -> None:
    run(train, {"adapterSha256": None})


def train(request: dict, events: EventLog) -> dict:
    stop = StopRequest()
    hyperparameters = check_hyperparameters(request["hyperparameters"])
    limit_threads(request["threads"])
    # Only now: these read the limits, and loading them takes seconds.
    from transformers import AutoTokenizer

    from .checkpoints import load_checkpoint

    directory = Path(request["directory"])
    base_model = open_model_folder(request["baseModel"])
    engine_name = choose_engine(request.get("engine") or "auto", base_model.path, hyperparameters)
    tokenizer = AutoTokenizer.from_pretrained(base_model.path)
    length = hyperparameters["maximumSequenceLength"]
    examples = read_examples(request["trainingFile"], tokenizer, length)
    validation = request["validationFile"] and read_examples(request["validationFile"], tokenizer, length)
    watch = EarlyStop(hyperparameters)
    if watch.is_on and not validation:
        raise Problem(
            "plateauEvaluations and spikeFactor need a validation split, and there is none. "
            "Remedy: set dataset.validationShare above 0, or leave them out."
        )
    steps = _step_count(len(examples), hyperparameters)
    base_fingerprint = base_model.fingerprint()
    fingerprint = _fingerprint(base_fingerprint, request)
    remove(directory / "adapter.partial")

    checkpoint = load_checkpoint(directory / "checkpoints", fingerprint, engine_name)
    engine = load_engine(engine_name)(base_model.path, hyperparameters, steps)
    done = 0
    if checkpoint:
        done, state = checkpoint
        engine.restore(state["engine"])
        watch.restore(state["watch"])
    events.write("start", steps=steps, resumedFromStep=done, device=engine.device, engine=engine.name)
    course = Course(engine, events, directory / "checkpoints", fingerprint, hyperparameters, steps, watch)
    if not course.follow(examples, validation or [], done, stop):
        return {"status": "stopped"}
    return {"status": "completed", "adapterSha256": _publish_adapter(engine, directory, base_fingerprint)}


class StopRequest:
    """True once somebody sent SIGTERM; a step is never cut in the middle."""

    def __init__(self):
        self.arrived = False
        signal.signal(signal.SIGTERM, self._arrive)
        # A closed terminal is no wish to stop.
        signal.signal(signal.SIGHUP, signal.SIG_IGN)

    def _arrive(self, *_: object) -> None:
        self.arrived = True


class Course:
    """The steps of one training run, from wherever it stands to its end or its stop."""

    def __init__(
        self,
        engine,
        events: EventLog,
        checkpoints: Path,
        fingerprint: str,
        hyperparameters: dict,
        steps: int,
        watch: EarlyStop,
    ):
        self._engine = engine
        self._events = events
        self._checkpoints = checkpoints
        self._fingerprint = fingerprint
        self._hyperparameters = hyperparameters
        self._steps = steps
        self._watch = watch
        self._saved = 0

    def follow(self, examples: list, validation: list, done: int, stop: StopRequest) -> bool:
        """Returns whether the end was reached. What was cut off by a stop is done again when it goes on."""
        size = _records_a_step(self._hyperparameters)
        per_epoch = -(-len(examples) // size)
        if done and not self._validate(validation, done, per_epoch, stop):
            return False
        if self._ends_early(done):
            return True
        started_at, first, tokens = time.monotonic(), done, 0
        for step in range(done + 1, self._steps + 1):
            if stop.arrived:
                self._save(step - 1)
                return False
            batch = _batch(examples, step - 1, size, self._hyperparameters["seed"])
            loss, learning_rate = self._engine.train_step(batch)
            if not math.isfinite(loss):
                raise Problem(f"The loss at step {step} is {loss}. Remedy: a lower learningRate.")
            tokens += sum(len(example.tokens) for example in batch)
            seconds = time.monotonic() - started_at
            self._events.write(
                "step",
                step=step,
                steps=self._steps,
                epoch=round(step / per_epoch, 4),
                trainingLoss=loss,
                learningRate=learning_rate,
                tokensPerSecond=round(tokens / seconds, 2),
                etaSeconds=round(seconds / (step - first) * (self._steps - step), 1),
            )
            self._watch.add_training_loss(loss, step)
            if step == self._steps or step % self._hyperparameters["checkpointSteps"] == 0:
                self._save(step)
            if not self._validate(validation, step, per_epoch, stop):
                self._save(step)
                return False
            if self._ends_early(step):
                return True
        self._keep_best()
        return True

    def _ends_early(self, step: int) -> bool:
        if self._watch.reason is None or step == self._steps:
            return False
        if self._watch.best is None:
            raise Problem(
                f"Stopped at step {step}, because {self._watch.reason}, before the validation loss was measured once: "
                "there is no good adapter to keep. Remedy: a lower learningRate, or a smaller evaluationSteps."
            )
        self._events.write("earlyStop", step=step, steps=self._steps, reason=self._watch.reason)
        self._keep_best()
        return True

    def _keep_best(self) -> None:
        best = self._watch.best
        if best:
            self._engine.restore_adapter(best["adapter"])
            self._events.write("best", step=best["step"], validationLoss=best["loss"])

    def _validate(self, examples: list, step: int, per_epoch: int, stop: StopRequest) -> bool:
        """After each epoch or so many steps, and at the end. Returns False when it was cut off by a stop."""
        every = self._hyperparameters["evaluationSteps"] or per_epoch
        if not examples or step == self._watch.evaluated or (step != self._steps and step % every != 0):
            return True
        size = self._hyperparameters["batchSize"]
        total, count = 0.0, 0
        for start in range(0, len(examples), size):
            if stop.arrived:
                return False
            loss, labelled = self._engine.summed_loss(examples[start : start + size])
            total, count = total + loss, count + labelled
        self._events.write("validation", step=step, validationLoss=total / count)
        self._watch.add_validation_loss(total / count, step, self._engine.adapter)
        return True

    def _save(self, step: int) -> None:
        from .checkpoints import save_checkpoint

        if step == 0 or step == self._saved:
            return
        state = {"engine": self._engine.state(), "watch": self._watch.state()}
        save_checkpoint(self._checkpoints, step, self._fingerprint, self._engine.name, state)
        self._saved = step
        self._events.write("checkpoint", step=step)


def _batch(examples: list, index: int, size: int, seed: int) -> list:
    """Batch `index` of the whole run: each epoch in an order of its own that depends on nothing but the seed."""
    per_epoch = -(-len(examples) // size)
    epoch, position = divmod(index, per_epoch)
    order = _order(len(examples), seed, epoch)
    return [examples[number] for number in order[position * size : (position + 1) * size]]


@lru_cache(maxsize=1)
def _order(count: int, seed: int, epoch: int) -> list[int]:
    order = list(range(count))
    random.Random(f"{seed}/{epoch}").shuffle(order)
    return order


def _records_a_step(hyperparameters: dict) -> int:
    return hyperparameters["batchSize"] * hyperparameters["gradientAccumulationSteps"]


def _step_count(records: int, hyperparameters: dict) -> int:
    per_epoch = -(-records // _records_a_step(hyperparameters))
    steps = max(1, round(per_epoch * hyperparameters["epochCount"]))
    return min(steps, hyperparameters["maximumSteps"] or steps)


def _publish_adapter(engine, directory: Path, base_fingerprint: str) -> str:
    from safetensors import safe_open

    partial, final = directory / "adapter.partial", directory / "adapter"
    engine.save_adapter(partial)
    # PEFT ignores this file; conversion refuses an adapter of another base model by it.
    (partial / "base_model.json").write_text(json.dumps({"fingerprint": base_fingerprint}) + "\n", encoding="utf-8")
    with safe_open(partial / "adapter_model.safetensors", framework="pt") as tensors:
        if not any(tensors.get_tensor(name).any() for name in tensors.keys() if "lora_B" in name):
            raise Problem("Training changed nothing: the adapter is all zero. Remedy: a higher learningRate.")
    remove(final)
    publish(partial, final)
    return sha256_of_file(final / "adapter_model.safetensors")


def _fingerprint(base_fingerprint: str, request: dict) -> str:
    """Of everything that decides the result; not of the threads, which do not."""
    files = [request["trainingFile"], request["validationFile"]]
    data = [sha256_of_file(Path(file)) if file else None for file in files]
    content = json.dumps([base_fingerprint, data, request["hyperparameters"]], sort_keys=True)
    return hashlib.sha256(content.encode()).hexdigest()


if __name__ == "__main__":
    main()
