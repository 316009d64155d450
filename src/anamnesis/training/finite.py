"""A training that stops at the first number that is not finite, instead of writing a model of NaN."""

from collections.abc import Iterable
from typing import Any

import torch
from torch import Tensor
from transformers import Trainer

from anamnesis.errors import InputError

NAMED = 3


class FiniteTrainer(Trainer):
    """Trainer that takes no step with a loss or a gradient that is not finite, and ends with no such weight."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        # Trainer's own filter logs the mean of the steps before in place of such a loss, and trains on. It waits for
        # the GPU twice in each forward pass; the check here waits once in each optimizer step.
        self.args.logging_nan_inf_filter = False

    def _clip_grad_norm(self, model: torch.nn.Module) -> Tensor:
        """Checked before clipping, which divides all gradients by a norm that is then NaN and hides where it began."""
        check_step(self.state.global_step + 1, self._tr_loss, self.model, self.accelerator.scaler)
        return super()._clip_grad_norm(model)

    def train(self, *args: Any, **kwargs: Any) -> Any:
        output = super().train(*args, **kwargs)
        check_weights(self.model)
        return output


def check_step(step: int, loss: Tensor, model: torch.nn.Module, scaler: torch.amp.GradScaler | None = None) -> None:
    """Refuse a loss or a norm of all gradients that is not finite. Costs the norm once more, and one wait for a GPU.

    Args:
        step: number of the optimizer step that is about to be taken, from 1.
        loss: the loss, or a sum of losses with this step's in it.
        model: with the gradients of the whole step.
        scaler: of fp16; gradients may overflow while it looks for the scale, and it skips these steps.

    Raises:
        InputError: with the step and the first tensors concerned.
    """
    gradients = [weight.grad for weight in model.parameters() if weight.grad is not None]
    norm = torch.nn.utils.get_total_norm(gradients)
    if bool(torch.isfinite(torch.stack([loss.detach().to(norm), norm])).all()):
        return
    if bool(torch.isfinite(loss)) and scaler is not None and scaler.get_scale() > 1:
        return
    weights = _names((name, weight) for name, weight in model.named_parameters())
    concerned = _names((name, weight.grad) for name, weight in model.named_parameters() if weight.grad is not None)
    raise InputError(
        f"step {step}: the loss is {float(loss):g} and the norm of the gradients {float(norm):g}; not finite are "
        f"gradients: {concerned}; weights: {weights}. Lower the learning rate, or the weight of a term of the loss; "
        f"if it is step 1, look at the base's own weights (`model.source`, `model.dtype`)."
    )


def check_weights(model: torch.nn.Module) -> None:
    """Refuse trained weights that are not finite: the last step is checked by no step after it.

    Raises:
        InputError: with the first tensors concerned.
    """
    trained = [(name, weight) for name, weight in model.named_parameters() if weight.requires_grad]
    norm = torch.nn.utils.get_total_norm([weight.detach() for _, weight in trained])
    if not bool(torch.isfinite(norm)):
        raise InputError(
            f"after the last step the norm of the trained weights is {float(norm):g}; not finite are: "
            f"{_names(trained)}. Lower the learning rate."
        )


def _names(tensors: Iterable[tuple[str, Tensor]]) -> str:
    """The first few tensors that are not finite, and how many there are."""
    names = [name for name, tensor in tensors if tensor.is_floating_point() and not bool(tensor.isfinite().all())]
    if not names:
        return "none"
    return ", ".join(names[:NAMED]) + (f" and {len(names) - NAMED} more" if len(names) > NAMED else "")
