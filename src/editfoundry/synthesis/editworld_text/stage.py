"""The stage ``editworld-text``: a triplet shard for each quadruple shard."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from editfoundry.data.hashing import input_hash
from editfoundry.data.one_shard import chosen_shards
from editfoundry.data.output_folder import claim_output, remove_other_shards
from editfoundry.data.record import Quadruple
from editfoundry.data.rejections import RejectedRow
from editfoundry.data.shards import is_done, reused_result, write_triplets
from editfoundry.data.stage import StageResult, add_up
from editfoundry.data.tables import read_rows, table_paths
from editfoundry.pretrained.identity import model_identity
from editfoundry.pretrained.runtime import choose_runtime
from editfoundry.profiles import Profile
from editfoundry.synthesis.editworld_text.config import TextBranchConfig
from editfoundry.synthesis.editworld_text.models import TextBranch, load_branch, roles_of
from editfoundry.synthesis.editworld_text.recipe import RECIPE
from editfoundry.synthesis.editworld_text.triplets import make_triplets


def synthesize(
    source: Path,
    output: Path,
    config: TextBranchConfig,
    profile: Profile,
    device: str = "auto",
    progress: Callable[[int, int], None] | None = None,
    only: str | None = None,
) -> StageResult:
    """Make what is missing of ``output``; models are loaded when the first shard is not there yet.

    A shard is there when it was made of the same quadruples, parameters and models.

    Args:
        source: folder of quadruple shards.
        output: folder of triplet shards.
        config: how triplets are made.
        profile: names the roles that the configuration's steps need.
        device: ``auto``, ``cpu``, ``cuda``.
        progress: called with shards done and shards in all.
        only: a shard to work on alone.

    Raises:
        BadInputError: ``source`` holds no shard, or ``output`` something else.
    """
    shards = chosen_shards(table_paths(source), only)
    identity = [model_identity(profile, role) for role in roles_of(config)]
    claim_output(output, RECIPE)
    if only is None:
        remove_other_shards(output, {path.stem for path in shards})
    branch: TextBranch | None = None
    results = []
    for number, shard in enumerate(shards, start=1):
        target = output / f"{shard.stem}.tar"
        digest = input_hash(shard, config, identity)
        if is_done(target, digest):
            results.append(reused_result(target))
        else:
            branch = branch or load_branch(profile, choose_runtime(device), config)
            rejected: list[RejectedRow] = []
            made = make_triplets(branch, list(read_rows(shard, Quadruple)), config, rejected)
            results.append(write_triplets(target, made, rejected, digest))
        if progress is not None:
            progress(number, len(shards))
    return add_up(results)
