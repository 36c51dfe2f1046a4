"""When a training ends before its last step, and which of its adapters is kept."""

from collections.abc import Callable

SMOOTHING = 0.9
"""Weight of what came before in the running mean of the training loss: some ten steps count."""
FIRST_STEPS = 10
"""Before this many steps the running mean says nothing yet."""


class EarlyStop:
    """
    Watches the losses. On a plateau the validation loss has not fallen by `plateauImprovement` for
    `plateauEvaluations` evaluations in a row; on a spike the running mean of the training loss is `spikeFactor` times
    the lowest that it was. Either is off where it is null. Where one is on, the adapter with the lowest validation
    loss is kept.
    """

    def __init__(self, hyperparameters: dict):
        self._patience = hyperparameters["plateauEvaluations"]
        self._improvement = hyperparameters["plateauImprovement"] or 0
        self._spike_factor = hyperparameters["spikeFactor"]
        self.is_on = self._patience is not None or self._spike_factor is not None
        self.reason: str | None = None
        """Why training ends now; None while it goes on."""
        self.best: dict | None = None
        """`step`, `loss` and `adapter` of the lowest validation loss; None while none was measured, or when off."""
        self.evaluated = 0
        """The step of the last evaluation."""
        self._mark: float | None = None
        self._without_improvement = 0
        self._mean: float | None = None
        self._lowest_mean: float | None = None

    def add_training_loss(self, loss: float, step: int) -> None:
        self._mean = loss if self._mean is None else SMOOTHING * self._mean + (1 - SMOOTHING) * loss
        if step < FIRST_STEPS or self._spike_factor is None:
            return
        self._lowest_mean = min(self._mean, self._lowest_mean or self._mean)
        if self._mean > self._spike_factor * self._lowest_mean:
            self.reason = (
                f"the training loss rose to {self._mean:.4g} in the mean of the last steps, from {self._lowest_mean:.4g} "
                f"(allowed: {self._spike_factor:g} times as much)"
            )

    def add_validation_loss(self, loss: float, step: int, adapter: Callable[[], dict]) -> None:
        """`adapter` gives a copy of the trained weights as they are now."""
        self.evaluated = step
        if not self.is_on:
            return
        if self.best is None or loss < self.best["loss"]:
            self.best = {"step": step, "loss": loss, "adapter": adapter()}
        if self._mark is None or loss < self._mark - self._improvement:
            self._mark, self._without_improvement = loss, 0
            return
        self._without_improvement += 1
        if self._patience is not None and self._without_improvement >= self._patience:
            self.reason = (
                f"the validation loss did not fall by more than {self._improvement:g} in {self._patience} evaluations; "
                f"its lowest is {self.best['loss']:.4g}, at step {self.best['step']}"
            )

    def state(self) -> dict:
        """Plain numbers, text and tensors, for a checkpoint."""
        return {
            "reason": self.reason,
            "best": self.best,
            "evaluated": self.evaluated,
            "mark": self._mark,
            "withoutImprovement": self._without_improvement,
            "mean": self._mean,
            "lowestMean": self._lowest_mean,
        }

    def restore(self, state: dict) -> None:
        self.reason = state["reason"]
        self.best = state["best"]
        self.evaluated = state["evaluated"]
        self._mark = state["mark"]
        self._without_improvement = state["withoutImprovement"]
        self._mean = state["mean"]
        self._lowest_mean = state["lowestMean"]
