"""Edits with the judgement they deserve: what the embedded judge learns from, and is measured on.

The numbers follow from the scenes alone:

* semantic alignment: 5 when the thing that the rule changes is in its new state, else 1;
* identity consistency: 5 when nothing else differs; 3 for one difference (background, bystanders, or the thing's own
  place, size or colour), 2 for more; where the thing is gone or another one, 2, or 1 with any other difference;
* image quality: 5 less the level of blur or noise, 0 to 4;
* success: 1 when both first scores are 5 and the level is at most 2, else 0.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import torch
from PIL import Image, ImageFilter

from editfoundry.pretraining.drawn_pictures import to_images, to_pixels
from editfoundry.pretraining.parallel_drawing import drawn
from editfoundry.tinyworld.edits import Edit, sample_world_edit
from editfoundry.tinyworld.rules import trained_rules
from editfoundry.tinyworld.scene import POSITIONS, Scene, SceneObject, render
from editfoundry.tinyworld.scene_sampling import Split, is_held_out, random_background, random_object, sample_scene
from editfoundry.tinyworld.wrong_outcomes import NUM_MIXED_OUTCOMES, shows, wrong_outcomes

SHARES = {
    "true": 0.32, "wrong": 0.20, "unchanged": 0.12, "other object": 0.10, "something else changed": 0.10,
    "other picture": 0.04, "flawed": 0.12,
}  # fmt: skip
"""What an output picture is, and how often."""
BLUR_RADII = (0.0, 0.7, 1.1, 1.7, 2.6)
"""Standard deviation of the blur in pixels of 64, by level."""
NOISE_DEVIATIONS = (0.0, 12.0, 24.0, 40.0, 64.0)
"""Standard deviation of the noise, of 255, by level."""
MAX_SUCCESSFUL_LEVEL = 2
NO_CAPTIONS_SHARE = 0.1
DECODED_SHARE = 0.5
MISREAD_SHARE = 0.25
"""Of the descriptions that the judge is told in training: those that another picture would deserve. Its own are wrong
now and then, so it may not trust them blindly."""


@dataclass(frozen=True, kw_only=True)
class JudgedPair:
    """An edit, what came out of it, and how it looks."""

    kind: str
    """A key of ``SHARES``."""
    edit: Edit
    output: Scene
    flaw: str = ""
    """``blurred``, ``noisy`` or none."""
    level: int = 0
    """How strong the flaw is, 0 to 4."""
    is_decoded: bool = False
    """Whether both pictures went through the autoencoder, as generated ones do."""
    tells_captions: bool = True
    """Whether the judge is told the captions."""

    @property
    def numbers(self) -> dict[str, int]:
        """Question -> the right answer."""
        semantic, identity = self._semantic_alignment(), self._identity_consistency()
        success = semantic == identity == 5 and self.level <= MAX_SUCCESSFUL_LEVEL
        return {
            "semantic_alignment": semantic,
            "identity_consistency": identity,
            "image_quality": 5 - self.level,
            "success": int(success),
        }

    @property
    def reasons(self) -> dict[str, str]:
        """Question -> a short reason for the right answer."""
        found = self._found()
        different = self._differences()
        if found is None or found.kind != self._thing().kind:
            identity = "another picture" if different else "another thing or nothing is there"
        else:
            identity = f"{different[0]} differs" if different else "all else is the same"
        return {
            "semantic_alignment": f"it shows {found.phrase}" if found else "nothing is there",
            "identity_consistency": identity,
            "image_quality": self.flaw or "sharp and clean",
        }

    def answer(self, question: str) -> str:
        """Return the right answer to a question: its number, and its reason where it has one."""
        return f"{self.numbers[question]} {self.reasons.get(question, '')}".strip()

    def _thing(self) -> SceneObject:
        assert self.edit.index is not None
        return self.edit.before.objects[self.edit.index]

    def _bystanders(self) -> list[SceneObject]:
        return [o for i, o in enumerate(self.edit.before.objects) if i != self.edit.index]

    def _found(self) -> SceneObject | None:
        """The thing in the output: of the objects that are no bystanders, one of its kind before any other."""
        others = [o for o in self.output.objects if o not in self._bystanders()]
        return next((o for o in others if o.kind == self._thing().kind), others[0] if others else None)

    def _semantic_alignment(self) -> int:
        found, wanted = self._found(), self.edit.after.objects[self.edit.index or 0]
        return 5 if found is not None and (found.kind, found.state) == (wanted.kind, wanted.state) else 1

    def _identity_consistency(self) -> int:
        found, count = self._found(), len(self._differences())
        if found is None or found.kind != self._thing().kind:
            return 1 if count else 2
        return (5, 3, 2, 2)[count]

    def _differences(self) -> list[str]:
        found, thing = self._found(), self._thing()
        others = [o for o in self.output.objects if o is not found]
        moved = found is not None and replace(found, kind=thing.kind, state=thing.state, colour=thing.colour) != thing
        recoloured = found is not None and found.kind == thing.kind and found.colour != thing.colour
        named = {
            "the background": self.output.background != self.edit.before.background,
            "the other thing": others != self._bystanders(),
            "its place or colour": moved or recoloured,
        }
        return [name for name, holds in named.items() if holds]


def sample_judged_pair(random: np.random.Generator, split: Split, kind: str | None = None) -> JudgedPair:
    """Draw a visible world edit of a trained rule, in wordings seen in training, and an outcome of it."""
    kind = kind or str(random.choice(list(SHARES), p=list(SHARES.values())))
    rules = trained_rules()
    while True:
        edit = sample_world_edit(random, split, rules[int(random.integers(len(rules)))])
        output = _outcome(random, edit, kind, split)
        # A wrong outcome must not show training a combination that it never sees.
        if shows(edit) and (split == "test" or not is_held_out(output)):
            break
    level = int(random.integers(1, 5)) if kind == "flawed" else 0
    return JudgedPair(
        kind=kind,
        edit=edit,
        output=output,
        flaw=("blurred", "noisy")[int(random.integers(2))] if level else "",
        level=level,
        is_decoded=random.random() < DECODED_SHARE,
        tells_captions=random.random() >= NO_CAPTIONS_SHARE,
    )


def seen_captions(random: np.random.Generator, pair: JudgedPair) -> tuple[str, str]:
    """Return what a judge that errs now and then says of the input and of the output."""
    before, index = pair.edit.before, pair.edit.index or 0
    likely = [before, pair.edit.after, _with_other(random, before, index), _with_other(random, pair.edit.after, index)]
    misread = random.random(2) < MISREAD_SHARE
    told = [
        likely[int(random.integers(4))] if wrong else scene
        for wrong, scene in zip(misread, (before, pair.output), strict=True)
    ]
    return told[0].caption, told[1].caption


def judged_pictures(pairs: Sequence[JudgedPair], vae: Any) -> Iterator[np.ndarray]:
    """Yield input and output of each pair, ``(B, 2, 64, 64, 3)`` uint8 RGB, in blocks of pairs.

    ``vae`` decodes those that are to look generated; noise is drawn from a pair's place among the pairs.
    """
    start = 0
    for pictures in drawn(_drawn_pair, pairs):
        block = pairs[start : start + len(pictures)]
        decoded = [index for index, pair in enumerate(block) if pair.is_decoded]
        if decoded:
            shape = pictures[decoded].shape
            pictures[decoded] = reconstructed(vae, pictures[decoded].reshape(-1, *shape[2:])).reshape(shape)
        for index, pair in enumerate(block):
            pictures[index, 1] = flawed(pictures[index, 1], pair.flaw, pair.level, start + index)
        yield pictures
        start += len(pictures)


def _drawn_pair(pair: JudgedPair) -> np.ndarray:
    return np.stack([render(pair.edit.before), render(pair.output)])


@torch.no_grad()
def reconstructed(vae: Any, pictures: np.ndarray) -> np.ndarray:
    """Send pictures, ``(N, H, W, 3)`` uint8 RGB, through the autoencoder."""
    latents = vae.encode(to_pixels(pictures).to(vae.device)).latent_dist.mode()
    return to_images(vae.decode(latents).sample)


def flawed(picture: np.ndarray, flaw: str, level: int, seed: int) -> np.ndarray:
    """Blur a picture, ``(H, W, 3)`` uint8 RGB, or add noise of ``seed`` to it."""
    if flaw == "blurred":
        return np.asarray(Image.fromarray(picture).filter(ImageFilter.GaussianBlur(BLUR_RADII[level])))
    if flaw == "noisy":
        noise = np.random.default_rng(seed).normal(0, NOISE_DEVIATIONS[level], picture.shape)
        return np.clip(np.rint(picture + noise), 0, 255).astype(np.uint8)
    return picture


def _outcome(random: np.random.Generator, edit: Edit, kind: str, split: Split) -> Scene:
    if kind == "unchanged":
        return edit.before
    if kind == "wrong":
        wrong = wrong_outcomes(random, edit, NUM_MIXED_OUTCOMES) if shows(edit) else [edit.before]
        return wrong[int(random.integers(len(wrong)))]
    if kind == "other object":
        return _with_other(random, edit.before, edit.index or 0)
    if kind == "something else changed":
        return _something_else_changed(random, edit)
    if kind == "other picture":
        return sample_scene(random, split)
    return edit.after


def _with_other(random: np.random.Generator, scene: Scene, index: int) -> Scene:
    thing = scene.objects[index]
    other = random_object(random, thing.position)
    while other.kind in {o.kind for o in scene.objects}:
        other = random_object(random, thing.position)
    other = replace(other, size=thing.size, dx=thing.dx, ground=thing.ground)
    return replace(scene, objects=(*scene.objects[:index], other, *scene.objects[index + 1 :]))


def _something_else_changed(random: np.random.Generator, edit: Edit) -> Scene:
    after, index = edit.after, edit.index or 0
    if random.random() < 0.4:
        background = after.background
        while background == after.background:
            background = random_background(random)
        return replace(after, background=background)
    if len(after.objects) > 1:
        return _with_other(random, after, 1 - index)
    places = [position for position in POSITIONS if position != after.objects[index].position]
    return after.with_object(index, position=places[int(random.integers(len(places)))])
