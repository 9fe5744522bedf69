"""Further ways to say each task's instructions, beside tinyworld's: what a large model knows of words, a small one must
be told.

The paper's predictor starts from a language model to which *get rid of* is no news. These wordings stand in its place;
no sentence that tinyworld keeps for tests is among them, but some of those sentences' words are.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from string import Formatter

import numpy as np

from editfoundry.data.edit_tasks import EditTask
from editfoundry.tinyworld.backgrounds import TIMES
from editfoundry.tinyworld.colours import COLOURS
from editfoundry.tinyworld.edits import the_phrase
from editfoundry.tinyworld.scene import POSITIONS
from editfoundry.tinyworld.scene_sampling import sample_scene
from editfoundry.tinyworld.tasks.colour_changes import CHANGES
from editfoundry.tinyworld.tasks.lettering import WORDS
from editfoundry.tinyworld.tasks.maps import MAPS
from editfoundry.tinyworld.tasks.styles import STYLES
from editfoundry.tinyworld.tasks.task_edit import TaskEdit
from editfoundry.tinyworld.tasks.textures import TEXTURES
from editfoundry.tinyworld.tasks.weather import CLEAR, WEATHERS
from editfoundry.tinyworld.tasks.wording import with_article

FURTHER_WORDINGS: Mapping[EditTask, tuple[str, ...]] = {
    EditTask.LOCAL: (
        "Substitute {phrase} for {the}.",
        "Exchange {the} with {phrase}.",
        "I want {phrase} instead of {the}.",
        "There should be {phrase} in place of {the}.",
        "Transform {the} so that it is {phrase}.",
        "{the} turns into {phrase}.",
        "{the} must now be {phrase}.",
        "Recolour {the} in {colour}.",
        "Turn the colour of {the} to {colour}.",
        "I would like {the} to be {colour}.",
        "{the} has to be {colour}.",
        "Dye {the} {colour}.",
    ),
    EditTask.REMOVE: (
        "Get {the} out of the picture.",
        "Rid the picture of {the}.",
        "The picture without {the}.",
        "{the} should be gone.",
        "Let {the} disappear.",
        "Cut out {the}.",
        "I do not want to see {the}.",
        "Drop {the}.",
        "Eliminate {the}, please.",
    ),
    EditTask.ADD: (
        "Insert {phrase} on the {position}.",
        "On the {position} there should be {phrase}.",
        "I want to see {phrase} on the {position} as well.",
        "Let {phrase} appear on the {position}.",
        "There is {phrase} too, on the {position}.",
        "Include {phrase} at the {position}.",
        "Draw {phrase} on the {position}.",
    ),
    EditTask.TEXTURE: (
        "Let {the} be {texture}.",
        "{the} should have {a_texture} surface.",
        "Apply {a_texture} pattern to {the}.",
        "{the} is covered with {a_texture} pattern.",
        "Make the material of {the} {texture}.",
        "Wrap {the} in {a_texture} texture.",
        "I want {the} to look {texture}.",
    ),
    EditTask.BACKGROUND: (
        "Put everything {background}.",
        "Put the same things {background}.",
        "Show it {background}.",
        "All of it should be {background}.",
        "Replace the background by one {background}.",
        "Let the scene take place {background}.",
        "What is behind should be {background}.",
    ),
    EditTask.GLOBAL: (
        "It should be {when} now.",
        "Turn it to {when}.",
        "Let {when} come.",
        "I want it to be {when}.",
        "Make the whole scene {when}.",
        "Now it is {when}.",
        "The time of day should be {time}.",
        "The weather is {weather}.",
        "It gets {weather}.",
    ),
    EditTask.STYLE: (
        "I want it as {a_style}.",
        "Let it look like {a_style}.",
        "Show this as {a_style}.",
        "The picture should look like {a_style}.",
        "Paint it in the style of {a_style}.",
        "Convert this into {a_style}.",
        "Render the picture like {a_style}.",
    ),
    EditTask.TEXT: (
        'Hang a sign that reads "{word}" on the {position}.',
        'There should be a sign saying "{word}".',
        'Let the sign read "{word}".',
        'The sign says "{word}" now.',
        'The text should be "{word}" instead of "{other}".',
        'Put "{word}" where it says "{other}".',
        'Write the word "{word}" in {colour}.',
        "Take the sign down.",
        "The sign should be gone.",
        "Rid the picture of the sign.",
        "Wipe the word off the sign.",
        "The sign should be clean, without letters.",
        "Let the letters be {colour}.",
        "The word on the sign should be {colour}.",
    ),
    EditTask.DETECT: (
        "Draw a {colour} frame around {the}.",
        "Frame {the} with a {colour} line.",
        "Mark {the} with a {colour} box.",
        "Put a {colour} rectangle around {the}.",
        "A {colour} rectangle should show where {the} is.",
        "Outline {the} by a {colour} box.",
        "Find {the} and draw a {colour} box.",
    ),
    EditTask.SEGMENT: (
        "Lay a {colour} mask over {the}.",
        "Fill {the} with a {colour} mask.",
        "Show where {the} is as a {colour} mask.",
        "Give the segmentation of {the} in {colour}.",
        "Mask {the} in {colour}.",
        "Colour the pixels of {the} {colour}.",
        "Draw the segmentation mask of {the} in {colour}.",
    ),
    EditTask.COLOR: (
        "I want the whole picture {how}.",
        "Let the picture be {how}.",
        "The image should look {how}.",
        "Everything should be {how}.",
        "Let it have a {colour} tint.",
        "The picture should have a {colour} tint.",
        "Give everything a {colour} hue.",
        "Lay a {colour} filter over the image.",
    ),
    **{
        task: (
            f"Give me the {one.name} of this picture.",
            f"What is the {one.name} of the picture?",
            f"Convert this image into a {one.name}.",
            f"The picture as a {one.name}.",
            f"Draw a {one.name} that looks like this picture.",
            f"The {one.name} tells what {{caption}} looks like.",
            f"Show me a picture of {{caption}} for the {one.name}.",
            f"Let a picture of {{caption}} come out of the {one.name}.",
            f"Paint a picture of {{caption}} as the {one.name} shows.",
        )
        for task, one in MAPS.items()
    },
}


_WHENS = {"time", "season", "weather"}


def further_instruction(random: np.random.Generator, task: EditTask) -> str:
    """Draw an instruction of a task in one of its further wordings, about things of the training split."""
    wordings = FURTHER_WORDINGS[task]
    text = wordings[int(random.integers(len(wordings)))].format(**_said(random))
    return text[0].upper() + text[1:]


def reworded(random: np.random.Generator, edit: TaskEdit) -> str:
    """Return an edit's instruction in one of its task's further wordings; as it is, where none of these fits."""
    said = dict(edit.said)
    for name in _WHENS & said.keys():
        said["when"] = said[name]
    told = _information(said.keys() - {"when"})
    fitting = [
        wording
        for wording in FURTHER_WORDINGS[edit.task]
        if (fields := _fields(wording)) <= said.keys()
        and (_information(fields) == told or ("when" in fields and len(told) == 1))
    ]
    if not said or not fitting:
        return edit.instruction
    text = fitting[int(random.integers(len(fitting)))].format(**said)
    return text[0].upper() + text[1:]


def _fields(wording: str) -> set[str]:
    return {name for _, name, _, _ in Formatter().parse(wording) if name}


def _information(names: Iterable[str]) -> set[str]:
    """Return what is told by slots: an article tells nothing, and which map it is, the further wordings say."""
    return {name.removeprefix("a_") for name in names} - {"map", "the_map"}


def _said(random: np.random.Generator) -> dict[str, str]:
    """Draw what each slot may hold."""

    def pick(names: list[str]) -> str:
        return names[int(random.integers(len(names)))]

    scene, other = sample_scene(random, "train"), sample_scene(random, "train")
    texture, style, time = pick(list(TEXTURES)), pick(list(STYLES)), pick(list(TIMES))
    weather = pick([CLEAR, *WEATHERS])
    season = other.background.season or time
    return {
        "the": the_phrase(scene.objects[0]),
        "phrase": other.objects[0].phrase,
        "caption": scene.caption,
        "background": other.background.phrase,
        "position": pick(list(POSITIONS)),
        "colour": pick(list(COLOURS)),
        "texture": texture,
        "a_texture": with_article(texture),
        "a_style": with_article(style),
        "time": time,
        "weather": weather,
        "when": pick([time, season, weather]),
        "how": pick([how for how in CHANGES if not how.startswith("tinted ")]),
        "word": pick(list(WORDS)),
        "other": pick(list(WORDS)),
    }
