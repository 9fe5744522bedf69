"""Measures an embedded inpainter on tinyworld's EditBench: what is asked into a hole, attribute by attribute."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from typing import Any

import numpy as np
from PIL import Image

from editfoundry.editors.editor import Editor, EditRequest
from editfoundry.editors.families.inpainting.family import INPAINTING_NAME
from editfoundry.editors.open_editor import open_editor
from editfoundry.pretrained.runtime import Runtime
from editfoundry.pretraining.recipes.inpainter import SAMPLING
from editfoundry.profiles import Profile
from editfoundry.tinyworld.edit_case import EditCase
from editfoundry.tinyworld.editbench.hole_cases import draw_hole
from editfoundry.tinyworld.outcome import asked_attributes

NUM_PICTURES = 80
"""Each with three prompts."""
_BATCH_SIZE = 32
Item = tuple[EditCase, Image.Image]
"""A case and its mask."""


def measure_inpainting(
    profile: Profile, runtime: Runtime, source: str, num_pictures: int = NUM_PICTURES
) -> dict[str, float]:
    """Return the share of prompts of which all is right, and each attribute's.

    Beside them, as controls, are those by another item's prompt, and the share of the painter, which sees no hole: its
    latents outside the mask are those of the picture (Blended Latent Diffusion).

    Args:
        profile: names the painter.
        runtime: device and precision.
        source: the inpainter, as `open_editor` takes it.
        num_pictures: held-out pictures with a hole each.
    """
    editor, items = open_editor(source, runtime, profile), _items(num_pictures)
    prompts = [case.instruction for case, _ in items]
    # The same kind of prompt of the next picture.
    others = [prompts[(place + 3) % len(prompts)] for place in range(len(prompts))]
    measures = {**_shares(editor, items, prompts, ""), **_shares(editor, items, others, "_by_another")}
    sampling: dict[str, Any] = {**SAMPLING.options}
    painter = open_editor(INPAINTING_NAME, runtime, profile, **sampling)
    return {**measures, "right_by_blended_latents": _shares(painter, items, prompts, "")["right"]}


def _items(num_pictures: int) -> list[Item]:
    items: list[Item] = []
    for number in range(num_pictures):
        drawn = draw_hole(number, seed=1)
        items += [(case, Image.fromarray(drawn.mask).convert("L")) for _, case in drawn.cases()]
    return items


def _shares(editor: Editor, items: Sequence[Item], prompts: Sequence[str], ending: str) -> dict[str, float]:
    found: defaultdict[str, list[bool]] = defaultdict(list)
    for start in range(0, len(items), _BATCH_SIZE):
        part, texts = items[start : start + _BATCH_SIZE], prompts[start : start + _BATCH_SIZE]
        requests = [
            EditRequest(image=Image.fromarray(case.input_image), instruction=text, mask=mask, seed=number, id=case.id)
            for number, ((case, mask), text) in enumerate(zip(part, texts, strict=True), start=start)
        ]
        for (case, _), edit in zip(part, editor.edit(requests), strict=True):
            rights = asked_attributes(np.asarray(edit.require()), case)
            for attribute, is_right in rights.items():
                found[f"right_{attribute}"].append(is_right)
            found["right"].append(all(rights.values()))
    return {f"{name}{ending}": float(np.mean(values)) for name, values in sorted(found.items())}
