import pytest
from instruct_pix2pix_runs import DEFAULTS
from tiny_models import tiny_pipeline, write_dataset

from editfoundry.editors.editing_defaults import write_editing_defaults
from editfoundry.editors.families.instruct_pix2pix.training_config import InstructPix2PixTraining as Training


@pytest.fixture(scope="module")
def config(tmp_path_factory: pytest.TempPathFactory) -> Training:
    folder = tmp_path_factory.mktemp("training")
    tiny_pipeline(prediction_type="v_prediction").save_pretrained(folder / "base")
    write_editing_defaults(folder / "base", DEFAULTS)
    return Training(
        editor=str(folder / "base"),
        dataset=write_dataset(folder / "data"),
        output=folder / "straight",
        num_steps=6,
        batch_size=4,
        learning_rate=1e-3,
        num_warmup_steps=2,
        log_every=1,
        conditioning_dropout=0.2,
        work_dir=folder / "work",
    )
