from __future__ import annotations

from types import SimpleNamespace

import pytest

from editfoundry.errors import BadInputError
from editfoundry.training.sharding import refuse_sharding


@pytest.mark.parametrize("kind", ["FSDP", "DEEPSPEED"])
def test_what_trains_several_models_is_not_sharded(kind: str) -> None:
    with pytest.raises(BadInputError, match="two models train, but FSDP and DeepSpeed train one model"):
        refuse_sharding(SimpleNamespace(distributed_type=SimpleNamespace(value=kind)), "two models train")


@pytest.mark.parametrize("kind", ["NO", "MULTI_GPU", "MULTI_CPU"])
def test_processes_that_have_all_weights_each_are_welcome(kind: str) -> None:
    refuse_sharding(SimpleNamespace(distributed_type=SimpleNamespace(value=kind)), "two models train")
