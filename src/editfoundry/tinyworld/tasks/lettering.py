"""The task ``text``: a sign that hangs in the picture, and what is written on it."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace

import numpy as np

from editfoundry.data.edit_tasks import EditTask
from editfoundry.tinyworld.colours import COLOURS, shade
from editfoundry.tinyworld.scene import IMAGE_SIZE, POSITIONS, Scene
from editfoundry.tinyworld.scene_sampling import Split, sample_scene
from editfoundry.tinyworld.tasks.drawn_scenes import pick
from editfoundry.tinyworld.tasks.pixel_font import written
from editfoundry.tinyworld.tasks.task_edit import Drawing, TaskEdit, drawing_of
from editfoundry.tinyworld.tasks.wording import Wordings

WORDS = (
    "OPEN", "SHUT", "SALE", "CAFE", "STOP", "EXIT", "HELLO", "TAXI", "ZOO", "BUS", "MILK", "TEA", "HOTEL", "PARK",
    "SHOP", "BANK", "FOOD", "FREE", "NEW", "FISH", "LOVE", "WOW", "JAZZ", "QUIZ",
)  # fmt: skip
INKS = ("black", "red", "blue", "green", "purple")
BOARDS = ("white", "yellow")
_TOP = 2
_MARGIN = 3
"""Pixels of 64 between letters and the edge of their board."""

ADD = Wordings(
    (
        'Add a {board} sign {where} that says "{word}" in {ink}.',
        'Put a {board} sign with the {ink} word "{word}" {where}.',
        'Write "{word}" in {ink} on a {board} sign {where}.',
    ),
    (
        'Hang up a {board} sign {where} that reads "{word}" in {ink}.',
        'Let there be a {board} sign {where} saying "{word}" in {ink}.',
    ),
)
REMOVE = Wordings(
    ("Remove the sign.", 'Take away the sign that says "{word}".', 'Remove the "{word}" sign.'),
    ("Get rid of the sign.", 'Take the sign with "{word}" down.'),
)
ERASE = Wordings(
    ('Erase the word "{word}" from the sign.', "Remove the text from the sign.", "Leave the sign empty."),
    ("Wipe the sign clean.", 'Let the sign no longer say "{word}".'),
)
REPLACE = Wordings(
    ('Change "{word}" to "{other}".', 'Replace "{word}" with "{other}".', 'Make the sign say "{other}".'),
    ('The sign should read "{other}".', 'Write "{other}" in place of "{word}".'),
)
INK = Wordings(
    ("Make the text {ink}.", "Change the colour of the letters to {ink}.", 'Write "{word}" in {ink}.'),
    ("The letters should be {ink}.", "Let the word on the sign be {ink}."),
)


@dataclass(frozen=True, kw_only=True)
class Sign:
    """A board and what is written on it."""

    word: str
    """Capitals."""
    ink: str = "black"
    board: str = "white"
    position: str = "middle"
    is_empty: bool = False
    """Whether the word is wiped off; the board keeps its width."""

    @property
    def where(self) -> str:
        """The place in words."""
        return f"{'in' if self.position == 'middle' else 'on'} the {self.position}"

    @property
    def phrase(self) -> str:
        """How a caption says it."""
        what = "an empty" if self.is_empty else "a"
        says = "" if self.is_empty else f' that says "{self.word}" in {self.ink}'
        return f"{what} {self.board} sign {self.where}{says}"

    def fits_on(self, picture: np.ndarray) -> bool:
        """Whether the whole board has room in a ``(H, W, 3)`` picture."""
        left, width = self._left_and_width()
        return left >= 0 and (left + width) * _scale(picture) <= picture.shape[1]

    def drawn_on(self, picture: np.ndarray) -> np.ndarray:
        """Return a ``(H, W, 3)`` uint8 RGB picture, on which the sign fits, with the sign at its upper edge."""
        scale = _scale(picture)
        ink = np.pad(written(self.word), _MARGIN)
        board = np.empty((*ink.shape, 3), dtype=np.uint8)
        board[:] = COLOURS[self.board]
        board[[0, -1], :] = board[:, [0, -1]] = shade(COLOURS["brown"], 0.7)
        if not self.is_empty:
            board[ink] = COLOURS[self.ink]
        board = np.kron(board, np.ones((scale, scale, 1), dtype=np.uint8))
        left = self._left_and_width()[0] * scale
        with_sign = picture.copy()
        with_sign[_TOP * scale :, left:][: board.shape[0], : board.shape[1]] = board
        return with_sign

    def _left_and_width(self) -> tuple[int, int]:
        """Return where the board begins and how wide it is, in pixels of 64."""
        width = written(self.word).shape[1] + 2 * _MARGIN
        room = IMAGE_SIZE - width
        return {"left": 2, "middle": room // 2, "right": room - 2}[self.position], width


def _scale(picture: np.ndarray) -> int:
    """Return how many pixels of a picture one of 64 is."""
    return max(1, picture.shape[0] // IMAGE_SIZE)


def signed(scene: Scene, sign: Sign | None) -> Drawing:
    """Return what draws a scene with a sign, or with none."""
    drawing = drawing_of(scene)
    return drawing if sign is None else lambda side: sign.drawn_on(drawing(side))


def sample_text(random: np.random.Generator, split: Split, held_out_wording: bool) -> TaskEdit:
    """Draw a sign that comes, goes, is wiped, or says something else or in another colour."""
    return text_of(random, sample_scene(random, split), held_out_wording)


def text_of(random: np.random.Generator, scene: Scene, held_out_wording: bool = False) -> TaskEdit:
    """Draw what becomes of a sign in a scene."""
    before, after, wordings, said = pick(random, _CHANGES)(random, _random_sign(random))
    return TaskEdit(
        task=EditTask.TEXT,
        instruction=wordings.say(random, held_out_wording, **said),
        input_caption=_caption(scene, before),
        output_caption=_caption(scene, after),
        before=signed(scene, before),
        after=signed(scene, after),
        wrong=lambda drawn: (signed(scene, sign) for sign in _wrong(drawn, before, after)),
        changes="sign",
    )


_Changed = tuple[Sign | None, Sign | None, Wordings, dict[str, str]]


def _added(random: np.random.Generator, sign: Sign) -> _Changed:
    said = {"word": sign.word, "ink": sign.ink, "board": sign.board, "where": sign.where}
    return None, sign, ADD, said


def _removed(random: np.random.Generator, sign: Sign) -> _Changed:
    return sign, None, REMOVE, {"word": sign.word}


def _erased(random: np.random.Generator, sign: Sign) -> _Changed:
    return sign, replace(sign, is_empty=True), ERASE, {"word": sign.word}


def _replaced(random: np.random.Generator, sign: Sign) -> _Changed:
    other = pick(random, [word for word in WORDS if word != sign.word and len(word) == len(sign.word)])
    return sign, replace(sign, word=other), REPLACE, {"word": sign.word, "other": other}


def _inked(random: np.random.Generator, sign: Sign) -> _Changed:
    ink = pick(random, [ink for ink in INKS if ink != sign.ink])
    return sign, replace(sign, ink=ink), INK, {"word": sign.word, "ink": ink}


_CHANGES: tuple[Callable[[np.random.Generator, Sign], _Changed], ...] = (_added, _removed, _erased, _replaced, _inked)


def _random_sign(random: np.random.Generator) -> Sign:
    return Sign(
        word=pick(random, WORDS),
        ink=pick(random, INKS),
        board=pick(random, BOARDS),
        position=pick(random, list(POSITIONS)),
    )


def _caption(scene: Scene, sign: Sign | None) -> str:
    return scene.caption if sign is None else f"{scene.caption} with {sign.phrase}"


def _wrong(random: np.random.Generator, before: Sign | None, after: Sign | None) -> Iterator[Sign | None]:
    """Yield no sign, an empty one, other words, inks and boards; then any."""
    yield None
    for sign in (after, before):
        if sign is not None:
            yield replace(sign, is_empty=not sign.is_empty)
            words = [word for word in WORDS if len(word) == len(sign.word)]
            yield from (replace(sign, word=str(word), is_empty=False) for word in random.permutation(words)[:8])
            yield from (replace(sign, ink=ink) for ink in INKS)
            yield from (replace(sign, board=board) for board in BOARDS)
    while True:
        yield _random_sign(random)
