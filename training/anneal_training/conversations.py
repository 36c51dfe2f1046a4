"""Training data: conversations in, tokens with labels on the assistant's answers out."""

import json
from dataclasses import dataclass

from .program import Problem

IGNORED_LABEL = -100
"""The loss leaves tokens with this label out."""


@dataclass(frozen=True)
class Example:
    tokens: list[int]
    labels: list[int]
    """As long as `tokens`: the token itself where the assistant speaks, `IGNORED_LABEL` elsewhere."""

    @property
    def answer_tokens(self) -> int:
        """How many tokens the loss is taken on; nothing foretells the first."""
        return sum(label != IGNORED_LABEL for label in self.labels[1:])


def micro_batches(batch: list[Example], size: int) -> list[list[Example]]:
    """What goes through the model at once; their gradients add up to those of the batch."""
    return [batch[start : start + size] for start in range(0, len(batch), size)]


def read_examples(path: str, tokenizer, maximum_length: int) -> list[Example]:
    """Reads a file of `bedrock-conversation-2024` lines. Throws `Problem` for the first line that cannot be used."""
    if not tokenizer.chat_template:
        raise Problem("The base model has no chat template. Remedy: choose a base model made for conversations.")
    examples = []
    too_long = []
    try:
        file = open(path, encoding="utf-8")
    except OSError as error:
        raise Problem(f"The data cannot be read: {error}. Remedy: build the dataset again.") from None
    with file:
        for number, line in enumerate(file, start=1):
            example = _example(_messages(line, f"{path}:{number}"), tokenizer, f"{path}:{number}")
            if len(example.tokens) > maximum_length:
                too_long.append((number, len(example.tokens)))
            examples.append(example)
    if not examples:
        raise Problem(f"{path} holds no record. Allowed: at least one. Remedy: build the dataset again.")
    if too_long:
        # An answer that is cut off teaches not to end, and a dropped row would be lost silently.
        longest = max(length for _, length in too_long)
        raise Problem(
            f"{path}: {len(too_long)} of {len(examples)} records are longer than maximumSequenceLength "
            f"{maximum_length}; the first is line {too_long[0][0]}, the longest has {longest} tokens. "
            f"Remedy: set maximumSequenceLength to {longest}, or leave long records out of the dataset."
        )
    return examples


def _messages(line: str, place: str) -> list[dict[str, str]]:
    try:
        record = json.loads(line)
        system = [{"role": "system", "content": _text(record["system"])}] if record.get("system") else []
        turns = [{"role": turn["role"], "content": _text(turn["content"])} for turn in record["messages"]]
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise Problem(
            f"{place}: no conversation ({type(error).__name__}: {error}). Allowed: one JSON object of schema "
            "bedrock-conversation-2024 a line. Remedy: build the dataset again."
        ) from None
    roles = [turn["role"] for turn in turns]
    alternating = all(role == ("user", "assistant")[index % 2] for index, role in enumerate(roles))
    if not turns or not alternating or roles[-1] != "assistant":
        raise Problem(
            f"{place}: the roles are {', '.join(roles) or 'none'}. Allowed: user and assistant in turn, from a user's "
            "to an assistant's. Remedy: build the dataset again."
        )
    return system + turns


def _text(content: list[dict[str, str]]) -> str:
    return "\n".join(part["text"] for part in content)


def _example(messages: list[dict[str, str]], tokenizer, place: str) -> Example:
    def rendered(count: int, prompt: bool) -> str:
        return tokenizer.apply_chat_template(messages[:count], tokenize=False, add_generation_prompt=prompt)

    text = rendered(len(messages), False)
    spans = []
    for index, message in enumerate(messages):
        if message["role"] != "assistant":
            continue
        before, after = rendered(index, True), rendered(index + 1, False)
        if not (text.startswith(before) and text.startswith(after) and len(before) < len(after)):
            raise Problem(
                f"{place}: the base model's chat template writes a conversation differently when it goes on, so "
                "the answers cannot be told from the rest. Remedy: records with one answer, or another base model."
            )
        spans.append((len(before), _end_of_answer(after, tokenizer.eos_token)))
    # The template writes the special tokens itself.
    encoded = tokenizer(text, add_special_tokens=False, return_offsets_mapping=True)
    labels = [
        token if any(start <= first < end for start, end in spans) else IGNORED_LABEL
        for token, (first, _) in zip(encoded["input_ids"], encoded["offset_mapping"], strict=True)
    ]
    return Example(list(encoded["input_ids"]), labels)


def _end_of_answer(text: str, end_token: str) -> int:
    """What a template writes after the end of an answer (a line break, mostly) is not the assistant's."""
    stripped = text.rstrip()
    return len(stripped) if stripped.endswith(end_token) else len(text)
