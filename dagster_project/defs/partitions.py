"""What work is shared out by: source shards, which register themselves when their tables arrive."""

import dagster as dg

SOURCE_SHARDS = dg.DynamicPartitionsDefinition(name="source_shard")
