"""What a request may say of how to train; the meaning of each value stands in docs/train-on-your-own-machine.md."""

import json

from .program import Problem

ABOVE_0 = ("a number above 0", (int, float), lambda value: value > 0)
COUNT = ("a whole number above 0", int, lambda value: value > 0)
OPTIONAL_COUNT = ("a whole number above 0, or null", (int, type(None)), lambda value: value is None or value > 0)
ALL_LINEAR = "all-linear"
HYPERPARAMETERS = {
    "epochCount": ABOVE_0,
    "learningRate": ABOVE_0,
    "batchSize": COUNT,
    "gradientAccumulationSteps": COUNT,
    "rank": COUNT,
    "alpha": ABOVE_0,
    "dropout": ("a number from 0 to below 1", (int, float), lambda value: 0 <= value < 1),
    "targetModules": (
        f'"{ALL_LINEAR}", or names of linear layers with commas between them',
        str,
        lambda value: all(value.split(",")),
    ),
    "baseModelQuantization": ('"none" or "nf4"', str, lambda value: value in ("none", "nf4")),
    "gradientCheckpointing": ("true or false", bool, lambda value: True),
    "maximumSequenceLength": COUNT,
    "maximumSteps": OPTIONAL_COUNT,
    "checkpointSteps": COUNT,
    "evaluationSteps": OPTIONAL_COUNT,
    "plateauEvaluations": OPTIONAL_COUNT,
    "plateauImprovement": (
        "a number of 0 or more, or null",
        (int, float, type(None)),
        lambda value: value is None or value >= 0,
    ),
    "spikeFactor": (
        "a number above 1, or null",
        (int, float, type(None)),
        lambda value: value is None or value > 1,
    ),
    "seed": ("a whole number of 0 or more", int, lambda value: value >= 0),
}
"""By name: what is allowed in words, as a type, and as a test."""
OTHERWISE = {
    "gradientAccumulationSteps": 1,
    "targetModules": ALL_LINEAR,
    "baseModelQuantization": "none",
    "gradientCheckpointing": False,
    **dict.fromkeys(("evaluationSteps", "plateauEvaluations", "plateauImprovement", "spikeFactor")),
}
"""What holds where a value is left out or null."""


def check_hyperparameters(given: dict) -> dict:
    """Returns them complete. Throws `Problem` for the first that cannot be used."""
    hyperparameters = {**given, **{name: value for name, value in OTHERWISE.items() if given.get(name) is None}}
    for name, (allowed, kind, is_allowed) in HYPERPARAMETERS.items():
        value = hyperparameters[name]
        # To Python, true is a whole number.
        is_of_kind = isinstance(value, kind) and isinstance(value, bool) == (kind is bool)
        if not is_of_kind or not is_allowed(value):
            found = f"hyperparameters.{name} is {json.dumps(value)}"
            raise Problem(f"{found}. Allowed: {allowed}. Remedy: mend the run spec.")
    unknown = sorted(set(hyperparameters) - set(HYPERPARAMETERS))
    if unknown:
        raise Problem(f"hyperparameters.{unknown[0]} is unknown. Allowed: {', '.join(HYPERPARAMETERS)}.")
    return hyperparameters


def choose_target_modules(hyperparameters: dict, linear_layers: list[str]) -> list[str]:
    """
    The layers that get an adapter, of `linear_layers`, the paths of the base model's linear layers without its head.
    Throws `Problem` for a name that none of them has.
    """
    wanted = hyperparameters["targetModules"]
    if wanted == ALL_LINEAR:
        return linear_layers
    names = {path.rsplit(".", 1)[-1] for path in linear_layers}
    unknown = [name for name in wanted.split(",") if name not in names]
    if unknown:
        raise Problem(
            f'hyperparameters.targetModules names "{unknown[0]}", which this base model has not. Allowed: '
            f'"{ALL_LINEAR}", or of {", ".join(sorted(names))}. Remedy: mend the run spec.'
        )
    return [path for path in linear_layers if path.rsplit(".", 1)[-1] in wanted.split(",")]
