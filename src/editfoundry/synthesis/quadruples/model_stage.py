"""Quadruples written by the profile's language model: from caption shards, or freely."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from functools import lru_cache
from pathlib import Path

from editfoundry.data.hashing import input_hash
from editfoundry.data.output_folder import claim_output, remove_other_shards
from editfoundry.data.record import Caption, Quadruple
from editfoundry.data.stage import StageResult, add_up
from editfoundry.data.tables import read_rows, table_is_done
from editfoundry.errors import BadInputError
from editfoundry.pretrained.language_model import (
    ROLE,
    LanguageModel,
    language_model_identity,
    language_model_prices,
    load_language_model,
)
from editfoundry.profiles import Profile
from editfoundry.synthesis.quadruples.asking import Asker, LoadModel
from editfoundry.synthesis.quadruples.config import QuadrupleConfig
from editfoundry.synthesis.quadruples.free import write_freely
from editfoundry.synthesis.quadruples.from_captions import write_from_captions
from editfoundry.synthesis.quadruples.stage import (
    SHARD_SUFFIXES,
    STAGE,
    Written,
    reused,
    store,
    write_caption_shards,
)
from editfoundry.synthesis.quadruples.writing import Writing

Progress = Callable[[int, int], None]
_FREE_ONLY = ("quadruples_per_turn", "num_turns", "rows_per_shard")
_WITHOUT_EFFECT = ("writer", "requests_per_batch", "exemplars")
"""Parameters that change no answer, or that the hash holds in another way."""


@dataclasses.dataclass(frozen=True)
class _Run:
    """A writer, its model, and what identifies both."""

    writing: Writing
    load: LoadModel
    identity: list[str]

    def ask(self, shard: Path) -> Asker:
        return Asker(self.load, ":".join(self.identity), shard, self.writing.config.requests_per_batch)

    def parameters(self, *without: str) -> list[object]:
        """Return everything that shapes a shard but its input."""
        values = dataclasses.asdict(self.writing.config)
        for name in (*_WITHOUT_EFFECT, *without):
            values.pop(name)
        return [
            "language_model",
            values,
            self.identity,
            self.writing.prompts.exemplars.path.read_text(encoding="utf-8"),
        ]


def write_model_quadruples(
    captions: Path,
    output: Path,
    config: QuadrupleConfig,
    profile: Profile,
    device: str = "auto",
    progress: Progress | None = None,
    only: str | None = None,
) -> StageResult:
    """Turn caption shards into quadruple shards of the same names with the profile's ``language_model``.

    A run that was stopped goes on within its shard and asks nothing twice. The result's ``totals`` hold requests,
    tokens and, where prices are given, the cost of all shards, those that were there already included. ``only`` names
    a shard to work on alone.

    Raises:
        BadInputError: no captions, an output of something else, a malformed file of exemplars, or an unusable model.
        UnavailableError: the model did not answer for now.
    """
    run = _prepared(config, profile, device)

    def write(target: Path, rows: list[Caption]) -> Written:
        with run.ask(target) as asker:
            kept, rejected = write_from_captions(rows, run.writing, asker)
        return kept, rejected, asker.totals

    result = write_caption_shards(captions, output, write, run.parameters(*_FREE_ONLY), progress, only)
    return _with_cost(result, profile)


def write_free_quadruples(
    count: int,
    output: Path,
    config: QuadrupleConfig,
    profile: Profile,
    device: str = "auto",
    progress: Progress | None = None,
) -> StageResult:
    """Write about ``count`` quadruples from the exemplars alone, the same number of every category.

    Raises:
        BadInputError: ``count`` is below 1, or as for `write_model_quadruples`.
        UnavailableError: the model did not answer for now.
    """
    if count < 1:
        raise BadInputError(f"{count} quadruples were asked for; ask for at least 1")
    run = _prepared(config, profile, device)
    sizes = [min(config.rows_per_shard, count - start) for start in range(0, count, config.rows_per_shard)]
    targets = [output / f"{number:05d}.parquet" for number in range(len(sizes))]
    claim_output(output, STAGE)
    remove_other_shards(output, {target.stem for target in targets}, SHARD_SUFFIXES)
    results = []
    for number, (size, target) in enumerate(zip(sizes, targets, strict=True)):
        results.append(_free_shard(number, size, targets[:number], target, run))
        if progress is not None:
            progress(number + 1, len(targets))
    return _with_cost(add_up(results), profile)


def _free_shard(number: int, size: int, before: list[Path], target: Path, run: _Run) -> StageResult:
    # What earlier shards hold is not written again, so a shard depends on them.
    digest = input_hash("free", number, size, before, run.parameters("max_categories"))
    if table_is_done(target, digest):
        return reused(target)
    earlier = (quadruple for path in before for quadruple in read_rows(path, Quadruple))
    with run.ask(target) as asker:
        kept, rejected = write_freely(size, number, run.writing, asker, earlier)
    return store(target, digest, kept, rejected, asker.totals)


def _prepared(config: QuadrupleConfig, profile: Profile, device: str) -> _Run:
    exemplars = config.exemplars
    if exemplars == "auto":
        exemplars = "tinyworld" if profile.model(ROLE).source.startswith("package:") else "world"

    @lru_cache(maxsize=1)
    def load() -> LanguageModel:
        return load_language_model(profile, device)

    return _Run(Writing.of(config, exemplars), load, language_model_identity(profile))


def _with_cost(result: StageResult, profile: Profile) -> StageResult:
    prices = language_model_prices(profile)
    if prices is None:
        return result
    cost = prices.cost(result.totals.get("prompt_tokens", 0), result.totals.get("completion_tokens", 0))
    return dataclasses.replace(result, totals={**result.totals, "cost": round(cost, 6)})
