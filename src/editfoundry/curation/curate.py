"""Filters triplet shards into a data set of three splits."""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

from editfoundry.curation.curation_config import CurationConfig
from editfoundry.curation.duplicates import SeenTriplets
from editfoundry.curation.first_pass import FirstPass, read_first_pass
from editfoundry.curation.score_filters import check_clip
from editfoundry.curation.splits import SplitsTaken, given_splits
from editfoundry.data.atomic import atomic_folder
from editfoundry.data.index import index_path
from editfoundry.data.output_folder import check_claim
from editfoundry.data.record import Triplet
from editfoundry.data.rejections import RejectedRow, count_by_reason, write_rejections
from editfoundry.data.shards import input_hash, is_done, read_fields, read_triplet, shard_paths, write_triplets
from editfoundry.data.split_leaks import SPLITS
from editfoundry.data.stage_result import StageResult
from editfoundry.errors import BadInputError, Rejection
from editfoundry.execution.executors import Executor, in_process
from editfoundry.execution.output_lock import output_lock
from editfoundry.execution.progress import Progress
from editfoundry.execution.runner import run_stage
from editfoundry.judging.judge_thresholds import check_judge

STAGE = "dataset"
_SUMMARY = "curation.json"


Place = tuple[Path, dict[str, Any], str]
"""A shard, a row of its index, and the split the triplet goes into."""


def curate(
    triplets: Path | Sequence[Path],
    output: Path,
    config: CurationConfig,
    progress: Progress | None = None,
    executor: Executor = in_process,
) -> StageResult:
    """Keep what passes the thresholds of CLIP and judge and is no duplicate; write ``output/{train,validation,test}``.

    Of duplicates in several folders of ``triplets``, the first folder's is kept. Nothing is redone when the shards'
    indexes and the parameters are the ones the data set was made of; otherwise the data set is replaced as a whole.
    When this raises, ``output`` stays as it was.

    Args:
        triplets: folders of triplet shards.
        output: folder of the data set.
        config: what is kept, and how it is split.
        progress: called with triplets looked at and triplets in all.
        executor: who looks at the triplets of a shard; comparing them is done here.

    Raises:
        BadInputError: a folder of ``triplets`` holds no shard or a damaged one, nothing is left for training, or
            ``output`` holds something else.
    """
    folders = [triplets] if isinstance(triplets, Path) else list(triplets)
    shards = [shard for folder in folders for shard in _shards_of(folder)]
    digest = input_hash(*(index_path(shard) for shard in shards), config.digest_parts())
    check_claim(output, STAGE)
    done = _finished(output, digest)
    if done is not None:
        return done
    # Hidden beside the data set until that is complete, so that a stopped run goes on.
    first_pass = output.with_name(f".{output.name}.first-pass")
    check_claim(first_pass, FirstPass.name)
    with output_lock(output, STAGE), _removed_if_useless(first_pass):
        run_stage(FirstPass(tuple(shards), config, _read_usable), first_pass, executor=executor, progress=progress)
        rejected: list[RejectedRow] = []
        places = list(_decide(shards, first_pass, config, rejected))
        counts = count_by_reason(rejected)
        if not any(split == "train" for _, _, split in places):
            raise BadInputError(_nothing_left(folders, len(places), counts))
        result = StageResult(num_in=len(places) + len(rejected), num_out=len(places), rejected=counts)
        with atomic_folder(output, STAGE) as folder:
            write_rejections(folder / "00000.parquet", rejected)
            for split in SPLITS:
                _write_split(folder / split, [place for place in places if place[2] == split], config, digest)
            _write_summary(folder, digest, result)
        shutil.rmtree(first_pass)
    return result


def kept_ids(dataset: Path) -> set[str]:
    """Return the ids of a data set's triplets, of all splits.

    Raises:
        BadInputError: the folder holds no data set.
    """
    check_claim(dataset, STAGE)
    folders = [dataset / split for split in SPLITS if shard_paths(dataset / split)]
    if not folders:
        raise BadInputError(f"{dataset}: no data set here; run editfoundry curate first")
    return {row["id"] for folder in folders for row in read_fields(folder)}


def check_scores(row: Mapping[str, Any], config: CurationConfig) -> None:
    """Raise Rejection when a score of a triplet's ``scores`` is missing or below its recipe's threshold."""
    check_clip(row["scores"], config.thresholds_of(row["recipe"]), row)
    if config.judge is not None:
        check_judge(row["scores"], config.judge)


@contextmanager
def _removed_if_useless(first_pass: Path) -> Iterator[None]:
    """Remove the first pass where the block ends by bad input; a run that was stopped goes on from it."""
    try:
        yield
    except BadInputError:
        shutil.rmtree(first_pass, ignore_errors=True)
        raise


def _shards_of(triplets: Path) -> list[Path]:
    shards = shard_paths(triplets)
    if not shards:
        raise BadInputError(f"{triplets}: holds no triplet shard (*.tar); run editfoundry synthesize first")
    return shards


def _nothing_left(folders: Sequence[Path], num_kept: int, counts: dict[str, int]) -> str:
    triplets = ", ".join(map(str, folders))
    dropped = ", ".join(f"{reason} {count}" for reason, count in counts.items()) or "none"
    hints = ["give triplets their scores with editfoundry score first"] if "no score" in counts else []
    if counts.keys() != {"no score"}:
        hints.append("lower dataset.thresholds or make more triplets")
    return (
        f"{triplets}: no triplet is left for training (dropped: {dropped}; {num_kept} in validation and test); "
        f"{', and '.join(hints)}"
    )


def _decide(
    shards: Sequence[Path], first_pass: Path, config: CurationConfig, rejected: list[RejectedRow]
) -> Iterator[Place]:
    """Yield what is kept, in order; of what is alike the first one."""
    seen = SeenTriplets()
    taken = SplitsTaken(config.shares, config.seed, given_splits(row for s in shards for row in read_fields(s)))
    for number, shard in enumerate(shards):
        found = read_first_pass(first_pass, number)
        for row_number, row in enumerate(read_fields(shard)):
            try:
                one = found[row_number]
                if isinstance(one, Rejection):
                    raise one
                split = taken.split_for(row, one.picture)
                seen.add(shard, row, one.hashes)
            except Rejection as error:
                rejected.append(RejectedRow(row["id"], error.reason, error.detail, row))
                continue
            taken.take(row, one.picture, split)
            yield shard, row, split


def _read_usable(shard: Path, row: Mapping[str, Any], config: CurationConfig) -> Triplet:
    """Check what a triplet's row says, and then its pictures."""
    check_scores(row, config)
    triplet = read_triplet(shard, row)
    _check_sizes(triplet)
    return triplet


def _check_sizes(triplet: Triplet) -> None:
    sizes = {image.size for image in (triplet.input_image, triplet.output_image, triplet.mask) if image is not None}
    if len(sizes) > 1:
        raise Rejection("size mismatch", " and ".join(f"{width} x {height}" for width, height in sorted(sizes)))


def _write_split(folder: Path, places: list[Place], config: CurationConfig, digest: str) -> None:
    folder.mkdir()
    for number, start in enumerate(range(0, len(places), config.triplets_per_shard)):
        shard_places = places[start : start + config.triplets_per_shard]
        write_triplets(folder / f"{number:05d}.tar", _read(shard_places), input_hash=digest)


def _read(places: list[Place]) -> Iterator[Triplet]:
    for shard, row, split in places:
        yield replace(read_triplet(shard, row), split=split)


def _finished(output: Path, digest: str) -> StageResult | None:
    path = output / _SUMMARY
    if not path.is_file():
        return None
    stored = json.loads(path.read_text())
    shards = [shard for split in SPLITS for shard in shard_paths(output / split)]
    if stored["input_hash"] != digest or len(shards) != stored["num_files"]:
        return None
    if not all(is_done(shard, digest) for shard in shards):
        return None
    return StageResult(
        num_in=stored["num_in"], num_out=stored["num_out"], rejected=stored["rejected"], num_shards_reused=1
    )


def _write_summary(folder: Path, digest: str, result: StageResult) -> None:
    num_files = sum(len(shard_paths(folder / split)) for split in SPLITS)
    summary = {
        "input_hash": digest,
        "num_in": result.num_in,
        "num_out": result.num_out,
        "rejected": result.rejected,
        "num_files": num_files,
    }
    (folder / _SUMMARY).write_text(json.dumps(summary, indent=1))
