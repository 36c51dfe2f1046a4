"""
Makes GGUF files: `python -m anneal_training.convert request.json`; README.md has the request and the events.

SIGTERM ends it at once; what was not finished is removed.
"""

import hashlib
import json
import os
import shutil
import signal
import threading
from pathlib import Path

from .files import publish, remove, require_space, sha256_of_file
from .limits import limit_threads
from .model_folder import open_model_folder
from .program import EventLog, Problem, run

BITS_PER_WEIGHT = {"f16": 16.1, "q8_0": 8.6, "q5_k_m": 8.6, "q4_k_m": 8.6, "q4_0": 8.6}
"""What a weight takes at most: rows that a small format cannot hold are written as q8_0 or so."""
ROOM_FOR_METADATA = 32_000_000
"""Bytes; the vocabulary of a large model takes some 10 million."""


def main() -> None:
    run(convert, {})


def convert(request: dict, events: EventLog) -> dict:
    work = Path(request["directory"]) / "conversion.partial"
    outputs = [(output["format"], Path(output["path"])) for output in request["outputs"]]
    temporary = [work, *(_partial(path) for _, path in outputs)]
    _end_on_signal(events, temporary)
    try:
        _clear(temporary)
        return _convert(request, outputs, work, events)
    finally:
        _clear(temporary)


def _convert(request: dict, outputs: list[tuple[str, Path]], work: Path, events: EventLog) -> dict:
    base_model = open_model_folder(request["baseModel"])
    adapter = Path(request["adapter"]) if request["adapter"] else None
    _check_outputs(outputs, adapter)
    files = [output for output in outputs if output[0] != "adapter"]
    for _, path in outputs:
        path.parent.mkdir(parents=True, exist_ok=True)
    _require_room(base_model.parameters, adapter, files, work.parent)
    limit_threads(request["threads"])
    from .llama_cpp import quantiser_folder, use_vendored_gguf

    use_vendored_gguf()
    if any(name != "f16" for name, _ in files):
        quantiser_folder()
    if adapter:
        check_adapter(adapter, base_model)
    events.write("start", formats=[name for name, _ in outputs])
    work.mkdir()
    for name, path in outputs:
        if name == "adapter":
            _convert_adapter(base_model.path, adapter, path, request["name"], work, events)
    if files:
        _convert_model(base_model.path, adapter, files, request, work, events)
    return {"status": "completed"}


def _convert_model(base: Path, adapter: Path | None, files: list, request: dict, work: Path, events: EventLog) -> None:
    model = base
    if adapter:
        events.write("stage", stage="merge")
        model = _merge(base, adapter, work / "merged")
    events.write("stage", stage="f16")
    wanted = dict(files).get("f16")
    f16 = _partial(wanted) if wanted else work / "f16.gguf"
    from .llama_cpp import quantize, run_converter

    arguments = [str(model), "--outtype", "f16", "--outfile", str(f16), "--model-name", request["name"]]
    run_converter("convert_hf_to_gguf.py", arguments)
    if model != base:
        shutil.rmtree(model)
    expected = expected_metadata(base, request["name"])
    metadata = _verify(f16, "f16", expected)
    if wanted:
        f16 = _publish(wanted, "f16", metadata, events)
    expected["tensorCount"] = metadata["tensorCount"]
    for name, path in files:
        if name == "f16":
            continue
        events.write("stage", stage="quantise", format=name)
        quantize(f16, _partial(path), name, request["threads"])
        _publish(path, name, _verify(_partial(path), name, expected), events)


def _merge(base: Path, adapter: Path, target: Path) -> Path:
    import psutil
    from peft import PeftModel
    from torch import float32
    from transformers import AutoModelForCausalLM, AutoTokenizer

    needed = 6 * sum(file.stat().st_size for file in base.glob("*.safetensors")) // 5
    available = psutil.virtual_memory().available
    if needed > available:
        raise Problem(
            f"Merging needs {needed / 1e9:.1f} GB of memory, {available / 1e9:.1f} GB are available. "
            "Remedy: end other programs, or convert the adapter alone (format adapter)."
        )
    model = AutoModelForCausalLM.from_pretrained(base, dtype=float32)
    try:
        model = PeftModel.from_pretrained(model, adapter).merge_and_unload()
    except (RuntimeError, ValueError) as error:
        raise _wrong_base(adapter, base, str(error).splitlines()[0]) from None
    model.save_pretrained(target)
    AutoTokenizer.from_pretrained(base).save_pretrained(target)
    return target


def _convert_adapter(base: Path, adapter: Path, path: Path, name: str, work: Path, events: EventLog) -> None:
    """The converter writes the names of both folders into the file, so they get fixed ones."""
    from .llama_cpp import run_converter

    events.write("stage", stage="adapter")
    named_adapter, named_base = work / name.replace("/", "-"), work / "base"
    os.symlink(adapter.resolve(), named_adapter)
    os.symlink(base.resolve(), named_base)
    arguments = [str(named_adapter), "--base", str(named_base), "--outtype", "f16", "--outfile", str(_partial(path))]
    run_converter("convert_lora_to_gguf.py", arguments)
    metadata = _read(_partial(path))
    if metadata["tensorCount"] == 0 or metadata["tensorCount"] % 2:
        raise Problem(f"The GGUF adapter has {metadata['tensorCount']} tensors. Allowed: two for each adapted layer.")
    _publish(path, "adapter", metadata, events)


def _check_outputs(outputs: list[tuple[str, Path]], adapter: Path | None) -> None:
    allowed = [*BITS_PER_WEIGHT, "adapter"]
    for name, _ in outputs:
        if name not in allowed:
            raise Problem(f'outputs has the format "{name}". Allowed: {", ".join(allowed)}. Remedy: mend the run spec.')
        if name == "adapter" and not adapter:
            raise Problem('outputs has the format "adapter", but "adapter" is null. Remedy: name the trained adapter.')
    if len({name for name, _ in outputs}) < max(len(outputs), 1):
        raise Problem("outputs must name each format once, and at least one. Remedy: mend the run spec.")


def check_adapter(adapter: Path, base_model) -> None:
    for name in ("adapter_config.json", "adapter_model.safetensors"):
        if not (adapter / name).is_file():
            raise Problem(f"The adapter at {adapter} has no {name}. Remedy: train it again.")
    try:
        trained_on = json.loads((adapter / "base_model.json").read_text(encoding="utf-8"))["fingerprint"]
    except FileNotFoundError:
        # An adapter from elsewhere: shapes that do not fit are found when it is merged.
        return
    if trained_on != base_model.fingerprint():
        raise _wrong_base(adapter, base_model.path, "its weights have another hash")


def _wrong_base(adapter: Path, base: Path, reason: str) -> Problem:
    return Problem(
        f"The adapter at {adapter} was not trained on the base model at {base}: {reason}. "
        "Remedy: name the base model that it was trained on."
    )


def _require_room(parameters: int, adapter: Path | None, files: list[tuple[str, Path]], directory: Path) -> None:
    """Before anything is written: merged weights in f32, an f16 file to quantise from, and every output."""
    wants_f16 = any(name == "f16" for name, _ in files)
    temporary = (4 * parameters if adapter and files else 0) + (0 if wants_f16 or not files else 2 * parameters)
    needs = {directory: temporary + ROOM_FOR_METADATA}
    for name, path in files:
        size = int(parameters * BITS_PER_WEIGHT[name] / 8) + ROOM_FOR_METADATA
        needs[path.parent] = needs.get(path.parent, 0) + size
    require_space(needs)


def expected_metadata(base: Path, name: str) -> dict:
    from transformers import AutoConfig, AutoTokenizer

    tokenizer = AutoTokenizer.from_pretrained(base)
    template = tokenizer.chat_template
    return {
        "name": name,
        "contextLength": getattr(AutoConfig.from_pretrained(base), "max_position_embeddings", None),
        "chatTemplateSha256": template and hashlib.sha256(template.encode()).hexdigest(),
        "eosTokenId": tokenizer.eos_token_id,
        "bosTokenId": tokenizer.bos_token_id,
    }


def _verify(path: Path, name: str, expected: dict) -> dict:
    """Reads the file back; a server must find in it what the model was trained with."""
    from .llama_cpp import FILE_TYPES

    metadata = _read(path)
    for field, value in {**expected, "fileType": FILE_TYPES[name]}.items():
        if value is not None and metadata[field] != value:
            raise Problem(f"The {name} file says {field} {metadata[field]!r}, the model {value!r}. It was not kept.")
    return metadata


def _read(path: Path) -> dict:
    from .gguf_metadata import read_metadata

    return read_metadata(path)


def _publish(path: Path, name: str, metadata: dict, events: EventLog) -> Path:
    publish(_partial(path), path)
    shown = {field: value for field, value in metadata.items() if field != "name"}
    size = path.stat().st_size
    events.write("file", format=name, path=str(path), sha256=sha256_of_file(path), bytes=size, metadata=shown)
    return path


def _partial(path: Path) -> Path:
    return path.with_name(path.name + ".partial")


def _clear(paths: list[Path]) -> None:
    for path in paths:
        remove(path)


def _end_on_signal(events: EventLog, temporary: list[Path]) -> None:
    """A thread of its own waits for SIGTERM: quantising is one long call during which Python handles no signal."""
    signal.signal(signal.SIGHUP, signal.SIG_IGN)
    signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGTERM})

    def wait() -> None:
        signal.sigwait({signal.SIGTERM})
        _clear(temporary)
        events.write("end", status="stopped", message=None)
        os._exit(0)

    threading.Thread(target=wait, daemon=True).start()


if __name__ == "__main__":
    main()
