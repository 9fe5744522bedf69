"""The tinyworld benchmarks: the world's own ground truth comes with each item."""

from __future__ import annotations

from dataclasses import replace
from functools import partial

from PIL import Image

from editfoundry.errors import BadInputError
from editfoundry.evaluation.benchmarks.definition import BenchmarkDefinition
from editfoundry.evaluation.benchmarks.item import Benchmark, BenchmarkItem
from editfoundry.tinyworld.edit_case import EditCase


def item_of_case(case: EditCase) -> BenchmarkItem:
    """Return a case as an item."""
    return BenchmarkItem(
        id=case.id,
        category=case.category,
        instruction=case.instruction,
        input_image=Image.fromarray(case.input_image),
        input_caption=case.input_caption,
        output_caption=case.output_caption,
        task=case.task or None,
        truth=Image.fromarray(case.true_output),
        case=case,
    )


def _draw_turns(num_items: int | None, seed: int, side: int | None = None) -> Benchmark:
    from editfoundry.tinyworld.scene import IMAGE_SIZE
    from editfoundry.tinyworld.turns import NUM_TURNS, turn_cases

    if side not in (None, IMAGE_SIZE):
        raise BadInputError(f"{TURNS.name}: is drawn at {IMAGE_SIZE} pixels alone, not {side}")
    count = _NUM_TURN_ITEMS if num_items is None else num_items
    if count < 1:
        raise BadInputError(f"{TURNS.name}: {count} items; ask for at least one")
    items = tuple(replace(item_of_case(one.case), group=one.session, turn=one.turn) for one in turn_cases(count, seed))
    facts: dict[str, object] = {"seed": seed, "turns": NUM_TURNS}
    return Benchmark(name=TURNS.name, title=TURNS.title, items=items, facts=facts)


def _draw(name: str, default: int, num_items: int | None, seed: int, side: int | None = None) -> Benchmark:
    from editfoundry.tinyworld.ambiguous import ambiguous_rules, text_only_bound
    from editfoundry.tinyworld.benchmark import ambiguous_cases, plain_cases, world_cases
    from editfoundry.tinyworld.scene import IMAGE_SIZE
    from editfoundry.tinyworld.tasks.task_benchmark import task_cases

    count = default if num_items is None else num_items
    if count < 1:
        raise BadInputError(f"{name}: {count} items; ask for at least one")
    size = side or IMAGE_SIZE
    facts: dict[str, object] = {"seed": seed} if size == IMAGE_SIZE else {"seed": seed, "side": size}
    if name == PLAIN.name:
        cases = plain_cases(count, seed, side=size)
    elif name == AMBIGUOUS.name:
        cases, rules = ambiguous_cases(count, seed, side=size), ambiguous_rules()
        asked = [rules[number % len(rules)] for number in range(count)]
        facts["text_only_bound"] = round(text_only_bound(asked), 3)
    elif name == TASKS.name:
        cases = task_cases(count, seed, side=size)
    else:
        cases = world_cases("test" if name == WORLD.name else "test-new-rules", count, seed, side=size)
    title = next(known.title for known in TINYWORLD if known.name == name)
    return Benchmark(name=name, title=title, items=tuple(map(item_of_case, cases)), facts=facts)


def _definition(name: str, title: str, num_items: int) -> BenchmarkDefinition:
    return BenchmarkDefinition(name=name, title=title, knows_truth=True, draw=partial(_draw, name, num_items))


WORLD = _definition(
    "tinyworld-world", "tinyworld: world instructions, trained rules in unseen combinations and wordings", 196
)
NEW_RULES = _definition("tinyworld-new-rules", "tinyworld: rules that no training data shows", 50)
PLAIN = _definition("tinyworld-plain", "tinyworld: plain add, change and remove edits", 60)
AMBIGUOUS = _definition("tinyworld-ambiguous", "tinyworld: instructions that only the picture makes clear", 129)
TASKS = _definition("tinyworld-tasks", "tinyworld: Emu Edit's tasks in unseen combinations and wordings", 150)
_NUM_TURN_ITEMS = 120
TURNS = BenchmarkDefinition(
    name="tinyworld-turns",
    title="tinyworld: sessions of four plain edits, each of what the one before it left",
    knows_truth=True,
    draw=_draw_turns,
)
TINYWORLD = (WORLD, NEW_RULES, PLAIN, AMBIGUOUS, TASKS, TURNS)
