"""The shipped EditWorld editor: the embedded base, fine-tuned by the trainer on tinyworld's training rules."""

from __future__ import annotations

from dataclasses import replace
from functools import partial
from pathlib import Path

import numpy as np
from diffusers import StableDiffusionInstructPix2PixPipeline

from editfoundry.editors.families.instruct_pix2pix.training_config import InstructPix2PixTraining
from editfoundry.editors.train import train_editor
from editfoundry.pretraining.drawn_triplets import DrawnTriplets
from editfoundry.pretraining.editor_training import open_trained, trainer_settings
from editfoundry.pretraining.model_trainee import PretrainingConfig, PretrainingResult
from editfoundry.pretraining.paraphrases import paraphrase
from editfoundry.pretraining.world_wordings import further_wordings
from editfoundry.tinyworld.edits import Edit, sample_plain_edit, sample_world_edit
from editfoundry.tinyworld.rule import Rule
from editfoundry.tinyworld.rules import trained_rules
from editfoundry.tinyworld.scene_sampling import is_held_out, random_stream
from editfoundry.tinyworld.wrong_outcomes import shows

NUM_TRIPLETS = 32_000
PLAIN_SHARE = 0.2
"""Share of plain add, change and remove edits, so that they are not unlearned."""
FURTHER_SHARE = 0.6
"""Share of the world edits that are asked for in the rule's further wordings, not in its own."""
PARAPHRASED_SHARE = 0.6
"""Share of the world edits whose instruction is a paraphrase of the wordings."""
ABSENT_SHARE = 0.1
"""Share of the world edits that are asked for of a thing that is not in the picture: nothing changes."""
OUTPUT = "editworld"
"""Folder of the trainer's checkpoint, in the work folder."""
CONFIG = PretrainingConfig(num_steps=12_000, batch_size=32, learning_rate=1.2e-3, ema_decay=0.999, num_warmup_steps=100)
ON_GPU = {"num_steps": 16_000, "batch_size": 384, "learning_rate": 1.5e-3, "mixed_precision": "bf16"}
EXAMPLES_ON_GPU = {"num_triplets": 100_000}


def train_editworld(
    work_dir: Path,
    start: Path,
    config: PretrainingConfig = CONFIG,
    num_triplets: int = NUM_TRIPLETS,
    data_seed: int = 0,
) -> tuple[StableDiffusionInstructPix2PixPipeline, PretrainingResult]:
    """Draw the triplets, which both branches of EditWorld's categories share, and fine-tune the editor ``start``.

    An interrupted run resumes; the trainer chooses the device. Another ``data_seed`` draws other triplets.
    """
    dataset = draw(work_dir, num_triplets, data_seed)
    training = InstructPix2PixTraining(
        editor=str(start), dataset=dataset, train_text_encoder=True, **trainer_settings(work_dir, OUTPUT, config)
    )
    summary = train_editor(training)
    return open_trained(work_dir / OUTPUT), PretrainingResult.of_summary(summary)


def draw(work_dir: Path, num_triplets: int = NUM_TRIPLETS, data_seed: int = 0) -> Path:
    """Draw the triplets, where that was not done, and return their folder."""
    dataset = work_dir / "data" / f"editworld-{num_triplets}-{data_seed}"
    write_world_triplets(dataset, num_triplets, data_seed)
    return dataset


def write_world_triplets(folder: Path, count: int, seed: int = 0) -> None:
    """Write shards of seeded edits with their true outcomes, on all cores; finished shards stay as they are."""
    settings = (PLAIN_SHARE, PARAPHRASED_SHARE, FURTHER_SHARE, ABSENT_SHARE)
    DrawnTriplets(name="editworld", seed=seed, settings=settings, draw=partial(_edit, seed=seed)).write(folder, count)


def _edit(number: int, seed: int) -> Edit:
    random, rules = random_stream("editworld", seed, number), trained_rules()
    is_plain = random.random() < PLAIN_SHARE
    while True:
        rule = rules[number % len(rules)]
        edit = sample_plain_edit(random, "train") if is_plain else sample_world_edit(random, "train", rule)
        if not is_plain:
            edit = replace(edit, instruction=_instruction(random, rule))
        # What the test shows is in no training picture, before or after.
        if shows(edit) and not is_held_out(edit.after):
            is_absent = not is_plain and random.random() < ABSENT_SHARE
            return _of_an_absent_thing(random, edit) if is_absent else edit


def _of_an_absent_thing(random: np.random.Generator, edit: Edit) -> Edit:
    """Return the scene of ``edit`` as it stays when something happens to a thing that it does not have."""
    present = {thing.kind for thing in edit.before.objects}
    rules = [rule for rule in trained_rules() if rule.kind not in present]
    wordings = _wordings(random, rules[int(random.integers(len(rules)))])
    # As it is written: a paraphrase may lack the word that says which thing is meant.
    instruction = wordings[int(random.integers(len(wordings)))]
    return replace(edit, after=edit.before, instruction=instruction, index=None)


def _instruction(random: np.random.Generator, rule: Rule) -> str:
    wordings = _wordings(random, rule)
    if random.random() < PARAPHRASED_SHARE:
        return paraphrase(random, wordings)
    return wordings[int(random.integers(len(wordings)))]


def _wordings(random: np.random.Generator, rule: Rule) -> tuple[str, ...]:
    return further_wordings(rule.name) if random.random() < FURTHER_SHARE else rule.wordings
