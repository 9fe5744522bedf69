"""A contact sheet of the whole of tinyworld: every rule on its way, every object in every state, every background."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from functools import lru_cache
from itertools import cycle
from pathlib import Path

from PIL import Image, ImageDraw, ImageFont

from editfoundry.data.atomic import atomic_file
from editfoundry.data.record import WORLD_CATEGORIES
from editfoundry.errors import BadInputError
from editfoundry.tinyworld.backgrounds import PLACES, Background, all_backgrounds
from editfoundry.tinyworld.colours import RGB
from editfoundry.tinyworld.kinds import Kind
from editfoundry.tinyworld.objects import KINDS, animals, drinks, food, household, nature, outdoors
from editfoundry.tinyworld.rule import Rule
from editfoundry.tinyworld.rules import all_rules, new_rules
from editfoundry.tinyworld.scene import Morph, Scene, SceneObject, render

WIDTH = 1328
"""Pixels of the whole sheet; twelve pictures side by side."""
PICTURE_SIZE = 96
"""Pixels of each square picture."""
PROGRESSES = (1 / 3, 2 / 3)
"""How far the in-between pictures of a rule have come, in (0, 1)."""

_MARGIN = 32
_GAP = 4
_CELL_GAP = 38
_PAPER: RGB = (252, 251, 248)
_INK: RGB = (34, 36, 44)
_FAINT: RGB = (112, 114, 124)
_ACCENT: RGB = (192, 60, 36)
_SETTINGS: tuple[tuple[tuple[Kind, ...], tuple[str, ...]], ...] = (
    (food.KINDS + drinks.KINDS, ("kitchen", "meadow")),
    (nature.KINDS, ("meadow", "forest")),
    (animals.KINDS, ("meadow", "beach")),
    (household.KINDS, ("living room", "kitchen")),
    (outdoors.KINDS, ("meadow", "street", "meadow", "beach", "living room")),
)
"""Places that become each group of kinds, in turns."""


def draw_gallery(out: Path) -> None:
    """Write the sheet as one PNG, in full or not at all; its folder is made where it is missing.

    Raises:
        BadInputError: ``out`` is not a ``.png`` path, or is a folder.
    """
    if out.suffix.lower() != ".png" or out.is_dir():
        raise BadInputError(f"{out}: the gallery is a PNG file; give a path that ends in .png")
    sheet = gallery()
    with atomic_file(out) as file:
        sheet.save(file, format="PNG", optimize=True)


def gallery() -> Image.Image:
    """Return the sheet, RGB, ``WIDTH`` pixels wide."""
    num_states = sum(len(kind.states) for kind in KINDS.values())
    counts = (
        f"{len(KINDS)} kinds of objects in {num_states} states, {len(all_backgrounds())} backgrounds, "
        f"{len(all_rules())} rules of seven categories; {len(new_rules())} rules are held out of training."
    )
    sections = [_heading("tinyworld", counts, size=40)]
    for category in WORLD_CATEGORIES:
        rules = [rule for rule in all_rules() if rule.category == category]
        sections += [_heading(category, f"{len(rules)} rules"), _flow(map(_rule_cell, rules))]
    sections += [_heading("Objects", f"{len(KINDS)} kinds, each in all its states"), _flow(_kind_cells())]
    sections += [_heading("Backgrounds", "every place, time of day and season"), _flow(_background_cells())]
    return _framed(_stack(sections))


def _rule_cell(rule: Rule) -> Image.Image:
    kind = KINDS[rule.kind]
    scene = _portrait(kind, rule.before, kind.colours[all_rules().index(rule) % len(kind.colours)])
    between = [_picture(scene, Morph(index=0, state=rule.after, progress=p)) for p in PROGRESSES]
    pictures = _row([_picture(scene), *between, _picture(scene.with_object(0, state=rule.after))])
    name = _text(rule.name, 14, _INK)
    wording = _text(f"“{rule.wordings[0]}”", 12, _FAINT)
    if rule.trained:
        return _stack([pictures, name, wording])
    return _stack([pictures, _row([name, _text("held out", 14, _ACCENT)], gap=10), wording])


def _kind_cells() -> Iterable[Image.Image]:
    for kind in KINDS.values():
        cells = []
        for state, colour in zip(kind.states, cycle(kind.colours), strict=False):
            phrase = kind.phrase(state, colour).split(" ", 1)[1]
            cells.append(_captioned(_portrait(kind, state, colour), phrase))
        yield _row(cells)


def _background_cells() -> Iterable[Image.Image]:
    # One cell a place: a row must not tear its seasons apart.
    for place in PLACES:
        scenes = [Scene(background=b) for b in all_backgrounds() if b.place == place]
        yield _row([_captioned(scene, scene.background.phrase.split(" ", 2)[2]) for scene in scenes])


def _portrait(kind: Kind, state: str, colour: str) -> Scene:
    kinds, places = next(setting for setting in _SETTINGS if kind in setting[0])
    place = places[kinds.index(kind) % len(places)]
    thing = SceneObject(kind=kind.name, state=state, colour=colour)
    return Scene(background=Background(place), objects=(thing,))


def _picture(scene: Scene, morph: Morph | None = None) -> Image.Image:
    return Image.fromarray(render(scene, size=PICTURE_SIZE, morph=morph))


def _captioned(scene: Scene, caption: str) -> Image.Image:
    """Put a caption under a picture, in lines no wider than the picture."""
    lines = _wrapped(caption, 12, PICTURE_SIZE - 6)
    return _stack([_picture(scene), *(_text(line, 12, _FAINT) for line in lines)])


def _heading(title: str, note: str, size: int = 24) -> Image.Image:
    text = _row([_text(title, size, _INK), _text(note, 14, _FAINT)], gap=16, align_bottom=True)
    heading = Image.new("RGB", (WIDTH - 2 * _MARGIN, text.height + 36), _PAPER)
    heading.paste(text, (0, 22))
    ImageDraw.Draw(heading).line((0, text.height + 26, heading.width, text.height + 26), fill=(214, 212, 206))
    return heading


def _flow(cells: Iterable[Image.Image]) -> Image.Image:
    """Lay cells out like words, in rows as wide as the sheet allows."""
    rows: list[list[Image.Image]] = [[]]
    for cell in cells:
        used = sum(c.width + _CELL_GAP for c in rows[-1])
        if used + cell.width > WIDTH - 2 * _MARGIN:
            rows.append([])
        rows[-1].append(cell)
    return _stack([_row(row, gap=_CELL_GAP) for row in rows], gap=14)


def _row(images: Sequence[Image.Image], gap: int = _GAP, align_bottom: bool = False) -> Image.Image:
    height = max(image.height for image in images)
    row = Image.new("RGB", (sum(i.width for i in images) + gap * (len(images) - 1), height), _PAPER)
    x = 0
    for image in images:
        row.paste(image, (x, height - image.height if align_bottom else 0))
        x += image.width + gap
    return row


def _stack(images: Sequence[Image.Image], gap: int = 2) -> Image.Image:
    stack = Image.new(
        "RGB", (max(i.width for i in images), sum(i.height for i in images) + gap * (len(images) - 1)), _PAPER
    )
    y = 0
    for image in images:
        stack.paste(image, (0, y))
        y += image.height + gap
    return stack


def _framed(image: Image.Image) -> Image.Image:
    sheet = Image.new("RGB", (WIDTH, image.height + 2 * _MARGIN), _PAPER)
    sheet.paste(image, (_MARGIN, _MARGIN))
    return sheet


def _text(text: str, size: int, fill: RGB) -> Image.Image:
    font = _font(size)
    ascent, descent = font.getmetrics()
    label = Image.new("RGB", (round(font.getlength(text)) + 1, ascent + descent), _PAPER)
    ImageDraw.Draw(label).text((0, 0), text, fill=fill, font=font)
    return label


def _wrapped(text: str, size: int, width: int) -> list[str]:
    lines = [""]
    for word in text.split():
        longer = f"{lines[-1]} {word}".strip()
        if _font(size).getlength(longer) <= width:
            lines[-1] = longer
        else:
            lines.append(word)
    return lines


@lru_cache(maxsize=8)
def _font(size: int) -> ImageFont.FreeTypeFont:
    font = ImageFont.load_default(size)
    assert isinstance(font, ImageFont.FreeTypeFont)
    return font
