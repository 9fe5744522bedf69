"""Opens a baseline by its name."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, fields
from functools import partial
from typing import TYPE_CHECKING, Any

from PIL import Image

from editfoundry.editors.baselines.item_captions import CaptionEditor, TruthEditor, return_the_input
from editfoundry.editors.families.diffedit.editing import DiffEditSettings, diffedit
from editfoundry.editors.families.instruct_pix2pix.sampling import edit_images
from editfoundry.editors.families.prompt_to_prompt.editing import prompt_to_prompt
from editfoundry.editors.families.prompt_to_prompt.settings import PromptToPromptSettings
from editfoundry.editors.families.sdedit.editing import SdeditSettings, sdedit
from editfoundry.editors.working_size import at_working_size
from editfoundry.errors import BadInputError
from editfoundry.evaluation.editing import Editor
from editfoundry.pretrained.editor import load_editor_base
from editfoundry.pretrained.runtime import Runtime
from editfoundry.pretrained.text_to_image import load_text_to_image
from editfoundry.profiles import Profile

if TYPE_CHECKING:
    from diffusers import StableDiffusionInstructPix2PixPipeline

BASELINES = {
    "input": "Returns the input: the lower bound of every edit and the upper bound of preservation.",
    "truth": "Returns the true outcome, where the benchmark knows it: the upper bound.",
    "base": "InstructPix2Pix, the profile's editor_base before any fine-tuning.",
    "sdedit": "SDEdit: text_to_image repaints the noised input from the output caption.",
    "diffedit": "DiffEdit: text_to_image repaints, after DDIM inversion, where input and output caption disagree.",
    "prompt-to-prompt": "Prompt-to-prompt with DDIM inversion: text_to_image with the input caption's attention.",
}
"""Name -> what it does, in one line."""


@dataclass(frozen=True, kw_only=True)
class BaseSettings:
    """Sampling of the baseline ``base``."""

    num_inference_steps: int = 100
    guidance_scale: float = 7.5
    """Weight of the instruction."""
    image_guidance_scale: float = 1.5
    """Weight of the input picture."""
    guidance_rescale: float = 0.0
    scheduler: str | None = None
    """By diffusers' name; by default the editor's own."""


_CAPTION_BASELINES: dict[str, tuple[type[Any], Callable[..., list[Image.Image]], tuple[str, ...]]] = {
    "sdedit": (SdeditSettings, sdedit, ("output_caption",)),
    "diffedit": (DiffEditSettings, diffedit, ("output_caption",)),
    "prompt-to-prompt": (PromptToPromptSettings, prompt_to_prompt, ("input_caption", "output_caption")),
}
"""Name -> its settings, how it edits, and the captions it cannot do without."""


def open_baseline(name: str, profile: Profile, runtime: Runtime, **settings: Any) -> Editor:
    """Load a baseline as an editor.

    Those that edit by captions, and ``truth``, are ``ItemEditor``s: ``editor_of(baseline, items)`` is the editor of a
    batch of items, and raises ``Rejection`` where an item lacks what is needed.

    Args:
        name: a key of ``BASELINES``.
        profile: names the models.
        runtime: device and precision.
        settings: fields of the baseline's settings class; the others keep their defaults.

    Raises:
        BadInputError: no such baseline, or a setting that it has not or that cannot be.
        MissingModelError: a model is not on this machine.
    """
    if name in _CAPTION_BASELINES:
        kind, edit, needs = _CAPTION_BASELINES[name]
        chosen = _settings(name, kind, settings)
        return CaptionEditor(partial(edit, load_text_to_image(profile, runtime), chosen), needs)
    if name == "base":
        options = _settings(name, BaseSettings, settings)
        return partial(_edit_with_base, load_editor_base(profile, runtime), options)
    if name not in BASELINES:
        raise BadInputError(f"no baseline {name!r}: use {', '.join(BASELINES)}")
    if settings:
        raise BadInputError(f"baseline {name!r} has no settings, so no {', '.join(settings)}")
    return TruthEditor() if name == "truth" else return_the_input


def setting_names(name: str) -> tuple[str, ...]:
    """Return the settings that a baseline has; ``input`` and ``truth`` have none."""
    kinds: dict[str, type[Any]] = {
        "base": BaseSettings,
        **{known: kind for known, (kind, _, _) in _CAPTION_BASELINES.items()},
    }
    return tuple(field.name for field in fields(kinds[name])) if name in kinds else ()


def _settings(name: str, kind: type[Any], given: dict[str, Any]) -> Any:
    known = [field.name for field in fields(kind)]
    unknown = sorted(set(given) - set(known))
    if unknown:
        raise BadInputError(f"baseline {name!r} has no setting {unknown[0]!r}; it has {', '.join(known)}")
    return kind(**given)


def _edit_with_base(
    pipeline: StableDiffusionInstructPix2PixPipeline,
    settings: BaseSettings,
    images: Sequence[Image.Image],
    instructions: Sequence[str],
    seeds: Sequence[int],
) -> list[Image.Image]:
    options = {field.name: getattr(settings, field.name) for field in fields(settings)}

    def edit(places: list[int], resized: list[Image.Image]) -> list[Image.Image]:
        return edit_images(
            pipeline, resized, [instructions[p] for p in places], seeds=[seeds[p] for p in places], **options
        )

    return at_working_size(pipeline, images, edit)
