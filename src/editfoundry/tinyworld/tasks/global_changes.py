"""The task ``global``: the same things in the same place, at another time of day, in another season or weather."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace

import numpy as np

from editfoundry.data.edit_tasks import EditTask
from editfoundry.tinyworld.backgrounds import TIMES, is_indoors, seasons_of
from editfoundry.tinyworld.scene import Scene
from editfoundry.tinyworld.scene_sampling import Split, sample_scene
from editfoundry.tinyworld.tasks.drawn_scenes import are_of_split, pick
from editfoundry.tinyworld.tasks.likenesses import like_scenes
from editfoundry.tinyworld.tasks.task_edit import Drawing, TaskEdit
from editfoundry.tinyworld.tasks.weather import CLEAR, WEATHERS, weathered
from editfoundry.tinyworld.tasks.wording import Wordings

TIME = Wordings(
    ("Make it {time}.", "Change the time of day to {time}.", "Let it become {time}."),
    ("Let it be {time} now.", "The time should be {time}."),
)
SEASON = Wordings(
    ("Make it {season}.", "Change the season to {season}.", "Turn the scene into {season}."),
    ("Let it be {season} now.", "The season should be {season}."),
)
WEATHER = Wordings(
    ("Make it {weather}.", "Change the weather to {weather}.", "Make the weather {weather}."),
    ("Let it be {weather} now.", "The weather should be {weather}."),
)
_WEATHER_SHARE = 0.45
_SEASON_SHARE = 0.25


@dataclass(frozen=True)
class WeatheredScene:
    """A scene and the weather over it."""

    scene: Scene
    weather: str = CLEAR

    def __call__(self, side: int) -> np.ndarray:
        """Draw it: ``(side, side, 3)`` uint8 RGB."""
        return weathered(self.scene, self.weather, side)

    @property
    def caption(self) -> str:
        """The scene's caption, and its weather."""
        return self.scene.caption + ("" if self.weather == CLEAR else f" in {self.weather} weather")


def sample_global(random: np.random.Generator, split: Split, held_out_wording: bool) -> TaskEdit:
    """Draw a scene whose time of day, season or weather changes."""
    while True:
        before = WeatheredScene(sample_scene(random, split))
        changed = _changed(random, before, held_out_wording)
        if changed is not None and are_of_split(split, before.scene, changed[1].scene):
            return _task_edit(*changed)


def global_of(random: np.random.Generator, scene: Scene, held_out_wording: bool = False) -> TaskEdit | None:
    """Draw a change of a scene's time of day, season or weather; None where its place knows no such change."""
    changed = _changed(random, WeatheredScene(scene), held_out_wording)
    return None if changed is None else _task_edit(*changed)


def _task_edit(before: WeatheredScene, after: WeatheredScene, text: str, said: dict[str, str]) -> TaskEdit:
    return TaskEdit(
        task=EditTask.GLOBAL,
        instruction=text,
        said=said,
        input_caption=before.caption,
        output_caption=after.caption,
        before=before,
        after=after,
        wrong=lambda drawn: _wrong(drawn, before, after),
        changes=_what_changes(before, after),
    )


def _changed(
    random: np.random.Generator, before: WeatheredScene, held_out: bool
) -> tuple[WeatheredScene, WeatheredScene, str, dict[str, str]] | None:
    """Return scenes before and after, the instruction and what fills it in; None where the place knows no change."""
    background, drawn = before.scene.background, random.random()
    if drawn < _WEATHER_SHARE:
        if is_indoors(background):
            return None
        first, second = random.permutation([CLEAR, CLEAR, *WEATHERS])[:2]
        if first == second:
            return None
        said = {"weather": str(second)}
        text = WEATHER.say(random, held_out, **said)
        return replace(before, weather=str(first)), replace(before, weather=str(second)), text, said
    if drawn < _WEATHER_SHARE + _SEASON_SHARE:
        seasons = [season for season in seasons_of(background.place) if season != background.season]
        if not seasons:
            return None
        season = pick(random, seasons)
        after = replace(before.scene, background=replace(background, season=season))
        said = {"season": season}
        return before, WeatheredScene(after), SEASON.say(random, held_out, **said), said
    time = pick(random, [time for time in TIMES if time != background.time])
    after = replace(before.scene, background=replace(background, time=time))
    said = {"time": time}
    return before, WeatheredScene(after), TIME.say(random, held_out, **said), said


def _what_changes(before: WeatheredScene, after: WeatheredScene) -> str:
    """Return what it becomes, in one word."""
    old, new = before.scene.background, after.scene.background
    return new.time if old.time != new.time else new.season if old.season != new.season else after.weather


def _wrong(random: np.random.Generator, before: WeatheredScene, after: WeatheredScene) -> Iterator[Drawing]:
    """Yield other weathers, times and seasons, then the asked one with other things."""
    background = after.scene.background
    if not is_indoors(background):
        for weather in (CLEAR, *WEATHERS):
            yield from (replace(one, weather=weather) for one in (after, before) if one.weather != weather)
    for time in TIMES:
        for season in seasons_of(background.place):
            changed = replace(background, time=time, season=season)
            if changed != background:
                yield replace(after, scene=replace(after.scene, background=changed))
    for scene in like_scenes(random, after.scene):
        yield replace(after, scene=scene)
