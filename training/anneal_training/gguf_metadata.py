"""What a finished GGUF file says of itself."""

import hashlib
from pathlib import Path

from .program import Problem


def read_metadata(path: Path) -> dict:
    """
    The fields that decide whether a server speaks to the model as it was trained; None where the file has no such
    field. Reading maps every tensor, so a file that is cut off is a `Problem`.
    """
    from gguf import GGUFReader

    try:
        reader = GGUFReader(path)
    except (ValueError, IndexError, KeyError) as error:
        raise Problem(f"{path} is no whole GGUF file: {error}. Remedy: convert again.") from None

    def value(name: str):
        field = reader.get_field(name)
        return None if field is None else field.contents()

    architecture = value("general.architecture")
    template = value("tokenizer.chat_template")
    return {
        "architecture": architecture,
        "name": value("general.name"),
        "contextLength": _integer(value(f"{architecture}.context_length")),
        "chatTemplateSha256": None if template is None else hashlib.sha256(template.encode()).hexdigest(),
        "bosTokenId": _integer(value("tokenizer.ggml.bos_token_id")),
        "eosTokenId": _integer(value("tokenizer.ggml.eos_token_id")),
        "tensorCount": len(reader.tensors),
        "fileType": _integer(value("general.file_type")),
    }


def _integer(value) -> int | None:
    return None if value is None else int(value)
