"""
Says what a trained model does with golden prompts, and what GGUF files say of themselves:
`python -m anneal_training.parity request.json`; README.md has the request and the events.

What is converted and served is compared with this; SIGTERM ends it at once.
"""

import json
from pathlib import Path

from .convert import check_adapter, expected_metadata
from .files import publish
from .limits import limit_threads
from .model_folder import open_model_folder
from .program import EventLog, Problem, run

SETTINGS = ("chatTemplateSha256", "bosTokenId", "eosTokenId", "contextLength")
"""What a runtime must take from the file to speak to the model as training did."""


def main() -> None:
    run(parity, {})


def parity(request: dict, events: EventLog) -> dict:
    base_model = open_model_folder(request["baseModel"])
    adapter = Path(request["adapter"]) if request["adapter"] else None
    if not request["prompts"]:
        raise Problem("prompts is empty. Allowed: at least one. Remedy: a dataset or a suite with questions.")
    limit_threads(request["threads"])
    from .llama_cpp import use_vendored_gguf

    use_vendored_gguf()
    if adapter:
        check_adapter(adapter, base_model)
    events.write("start", prompts=len(request["prompts"]))
    for file in request["files"]:
        events.write("file", format=file["format"], **_describe(Path(file["path"])))
    expected = expected_metadata(base_model.path, "")
    reference = {
        "settings": {name: expected[name] for name in SETTINGS},
        "answers": _answers(base_model.path, adapter, request, events),
    }
    partial = Path(request["directory"]) / "reference.json.partial"
    partial.write_text(json.dumps(reference, ensure_ascii=False, allow_nan=False), encoding="utf-8")
    publish(partial, Path(request["directory"]) / "reference.json")
    return {"status": "completed"}


def _describe(path: Path) -> dict:
    """What the file says of itself, or why it cannot be read."""
    from .gguf_metadata import read_metadata

    try:
        metadata = read_metadata(path)
    except (Problem, OSError) as error:
        return {"settings": None, "problem": str(error)}
    return {"settings": {name: metadata[name] for name in SETTINGS}, "problem": None}


def _answers(base: Path, adapter: Path | None, request: dict, events: EventLog) -> list[dict]:
    import torch
    from transformers import AutoModelForCausalLM, AutoTokenizer

    tokenizer = AutoTokenizer.from_pretrained(base)
    if not tokenizer.chat_template:
        raise Problem("The base model has no chat template. Remedy: choose a base model made for conversations.")
    model = AutoModelForCausalLM.from_pretrained(base, dtype=torch.float32)
    if adapter:
        from peft import PeftModel

        try:
            model = PeftModel.from_pretrained(model, adapter)
        except (RuntimeError, ValueError) as error:
            raise Problem(
                f"The adapter at {adapter} does not fit the base model at {base}: {str(error).splitlines()[0]}. "
                "Remedy: name the base model that it was trained on."
            ) from None
    model.eval()
    prompts = [_prompt_tokens(tokenizer, prompt) for prompt in request["prompts"]]
    answers = []
    for prompt, tokens in zip(request["prompts"], prompts, strict=True):
        answer = _greedy_answer(model, tokenizer, tokens, request["answerTokens"])
        events.write("answer", id=prompt["id"], done=len(answers) + 1, prompts=len(prompts))
        answers.append({"id": prompt["id"], "promptTokens": tokens, **answer})
    return answers


def _prompt_tokens(tokenizer, prompt: dict) -> list[int]:
    system = [] if prompt["system"] is None else [{"role": "system", "content": prompt["system"]}]
    turns = [{"role": turn["role"], "content": turn["text"]} for turn in prompt["turns"]]
    text = tokenizer.apply_chat_template(system + turns, tokenize=False, add_generation_prompt=True)
    # The template writes the special tokens itself.
    return list(tokenizer(text, add_special_tokens=False)["input_ids"])


def _greedy_answer(model, tokenizer, prompt: list[int], limit: int) -> dict:
    """The first `limit` tokens, the end of the turn included, and how likely each of them was (natural logarithm)."""
    import torch

    tokens: list[int] = []
    logarithms: list[float] = []
    past = None
    upcoming = torch.tensor([prompt])
    with torch.inference_mode():
        while len(tokens) < limit:
            output = model(input_ids=upcoming, past_key_values=past, use_cache=True)
            past = output.past_key_values
            distribution = output.logits[0, -1].float().log_softmax(-1)
            token = int(distribution.argmax())
            tokens.append(token)
            logarithms.append(float(distribution[token]))
            if token == tokenizer.eos_token_id:
                break
            upcoming = torch.tensor([[token]])
    ended = tokens[-1] == tokenizer.eos_token_id
    return {
        "answerTokens": tokens,
        "logLikelihood": sum(logarithms),
        "endsTurn": ended,
        "text": tokenizer.decode(tokens, skip_special_tokens=True),
    }


if __name__ == "__main__":
    main()
