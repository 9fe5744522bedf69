"""Source shards: tables that arrived one by one, each worked on apart, up to its triplets.

The lineage's assets have no partitions, so that "Materialize all" is one click and one run, and each asset is one
stage of ``dvc.yaml``. New source data goes through a job of its own that has: a partition is a source shard, and its
run makes the shard of that name of captions, quadruples and triplets, byte for byte what the whole stages would make.
The assets then find it done. Partitions are registered by the sensor ``new_source_data`` or in the page of the job;
backfills over any of them run beside each other where the instance allows.
"""

import dagster as dg

from dagster_project.defs.partitions import SOURCE_SHARDS
from dagster_project.defs.resources import Foundry
from dagster_project.failures import failing_in_one_line
from dagster_project.metadata import OWNERS, counts
from dagster_project.progress import log_progress
from dagster_project.stage_asset import GPU_POOL

source_shards = dg.AssetSpec(
    "source_shards",
    group_name="sources",
    description="Captions, quadruples and triplets of each table that arrived; made by the job `source_shard`.",
    owners=OWNERS,
    kinds={"parquet", "webdataset"},
    partitions_def=SOURCE_SHARDS,
)


@dg.op(pool=GPU_POOL, out=dg.Out(dg.Nothing))
def work_on_source_shard(context: dg.OpExecutionContext, foundry: Foundry) -> None:
    """Make one source shard's captions, quadruples and triplets."""
    from editfoundry.retraining.source_shard import make_source_shard

    shard = context.partition_key
    with failing_in_one_line(context, foundry):
        results = make_source_shard(
            foundry.params, foundry.folder, shard, foundry.incoming_address or None, log_progress(context.log.info)
        )
    told = {f"{stage}_{name}": value for stage, result in results.items() for name, value in counts(result).items()}
    metadata = {name: value for name, value in told.items() if "dagster/" not in name}
    context.log_event(dg.AssetMaterialization(source_shards.key, partition=shard, metadata=metadata))


@dg.job(partitions_def=SOURCE_SHARDS, description="Captions, quadruples and triplets of one table that arrived.")
def source_shard() -> None:
    """Work on one source shard."""
    work_on_source_shard()
