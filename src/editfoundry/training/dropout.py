"""Which samples of a batch train without their instruction, without their image, or without both."""

from __future__ import annotations

from torch import Tensor


def conditioning_dropout(draws: Tensor, probability: float) -> tuple[Tensor, Tensor]:
    """Decide from one uniform draw per sample what to drop (InstructPix2Pix, section 3.2.1).

    The first ``probability`` of the unit interval drops the instruction only, the second both, the third the image
    only.

    Args:
        draws: ``(B,)`` float, uniform in [0, 1).
        probability: of each of the three cases; the paper's is 0.05.

    Returns:
        ``drop_text, drop_image``, each ``(B,)`` bool.
    """
    drop_text = draws < 2 * probability
    drop_image = (draws >= probability) & (draws < 3 * probability)
    return drop_text, drop_image
