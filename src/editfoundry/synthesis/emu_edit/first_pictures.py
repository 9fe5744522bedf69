"""The pictures that are painted first: of each draw of an edit one, from its own random stream."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from PIL import Image
from torch import Tensor

from editfoundry.data.edit_tasks import EditTask
from editfoundry.data.record import short_hash
from editfoundry.diffusion.ddim_inversion import DdimSchedule, predictor, sample
from editfoundry.diffusion.decoding import decode
from editfoundry.diffusion.prompt_embeds import encode_empty_prompt, encode_prompts, image_size
from editfoundry.diffusion.sampling import noise_for
from editfoundry.diffusion.seeded_noise import SeededNoise, seeded_generators
from editfoundry.synthesis.emu_edit.config import RECIPE, EmuPairConfig
from editfoundry.synthesis.emu_edit.models import EmuModels
from editfoundry.synthesis.emu_edit.task_instruction import TaskInstruction
from editfoundry.synthesis.emu_edit.task_settings import Span

_SEEDS = 2**32
_NUM_UNIFORM = 4


@dataclass(frozen=True)
class EditDraw:
    """One try at an edit."""

    edit: TaskInstruction
    number: int
    """Among the edit's draws, from 0."""
    seed: int
    """Noise and settings follow from it."""


@dataclass(frozen=True)
class FirstPictures:
    """What ``B`` draws begin with."""

    draws: Sequence[EditDraw]
    noise: SeededNoise
    """That each was painted from."""
    uniform: Tensor
    """``(B, 4)`` in [0, 1): what settings are drawn by."""
    latents: Tensor
    """``(B, C, h, w)`` clean, scaled; zeros where the painter gave no numbers."""
    images: Sequence[Image.Image]
    """RGB."""
    is_finite: Sequence[bool]

    def spread(self, rows: Sequence[int], place: int, span: Span) -> Tensor:
        """Return a setting of draws between two values, ``(N,)``; ``place`` tells settings apart, 0 to 3."""
        low, high = span
        return low + self.uniform[list(rows), place] * (high - low)


def draws_of(edit: TaskInstruction, config: EmuPairConfig) -> list[EditDraw]:
    """Return an edit's draws, as many as its task's settings say."""
    return [
        EditDraw(edit, number, int(short_hash(str(config.seed), edit.id, RECIPE, str(number)), 16) % _SEEDS)
        for number in range(_num_draws(edit.task, config))
    ]


@torch.inference_mode()
def paint_first(models: EmuModels, draws: Sequence[EditDraw], config: EmuPairConfig) -> FirstPictures:
    """Paint each draw's first caption by DDIM; a picture is the same alone and in any batch."""
    painter = models.painter
    noise = noise_for(painter, seeded_generators([draw.seed for draw in draws]))
    uniform = torch.stack([torch.rand(_NUM_UNIFORM, generator=generator) for generator in noise.generators])
    schedule = DdimSchedule.of(painter, config.num_inference_steps)
    size = image_size(painter)
    prompts = encode_prompts(painter, [draw.edit.first_caption for draw in draws]).at_size(*size)
    empty = encode_empty_prompt(painter).at_size(*size)

    def paint(rows: slice) -> Tensor:
        count = rows.stop - rows.start
        predict = predictor(painter, schedule, prompts[rows], config.input_guidance_scale, empty.expanded(count))
        return sample(schedule, predict, noise.latents[rows])

    latents = torch.cat(models.passes.run(len(draws), paint))
    finite = latents.isfinite().flatten(1).all(1)
    latents = torch.where(finite[:, None, None, None], latents, torch.zeros_like(latents))
    return FirstPictures(draws, noise, uniform, latents, decode(painter, latents), finite.tolist())


def _num_draws(task: EditTask, config: EmuPairConfig) -> int:
    return {
        EditTask.LOCAL: config.region.num_draws,
        EditTask.TEXTURE: config.region.num_draws,
        EditTask.GLOBAL: config.whole.num_draws,
        EditTask.STYLE: config.style.num_draws,
        EditTask.REMOVE: config.inpainting.num_draws,
        EditTask.ADD: config.inpainting.num_draws,
        EditTask.BACKGROUND: config.inpainting.num_draws,
    }.get(task, config.num_readings)
