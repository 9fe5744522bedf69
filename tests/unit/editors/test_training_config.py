from pathlib import Path

import pytest

from editfoundry.editors.train import launch_training, read_training_config
from editfoundry.errors import BadInputError
from editfoundry.training.loop_config import LoopConfig

MINIMAL = "editor: base\ndataset: data\noutput: out\nnum_steps: 3\n"


def read(folder: Path, text: str) -> LoopConfig:
    path = folder / "train.yaml"
    path.write_text(text)
    return read_training_config(path)


def test_a_yaml_file_gives_the_fields_their_types(tmp_path: Path) -> None:
    config = read(tmp_path, MINIMAL + "learning_rate: 1e-4\nuse_ema: false\nresolution: null\nmixed_precision: no\n")
    assert (config.dataset, config.learning_rate, config.use_ema) == (Path("data"), 1e-4, False)
    assert (config.resolution, config.mixed_precision) == (None, "no")


def test_a_json_file_is_read_as_well(tmp_path: Path) -> None:
    config = read(tmp_path, '{"editor": "base", "dataset": "data", "output": "out", "num_steps": 3}')
    assert config.num_steps == 3


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ("learning_rate: -1", "learning_rate is -1.0, but must be more than 0"),
        ("batch_size: 2.5", "batch_size is 2.5, which is not of type int"),
        ("token_dropout: 1", "token_dropout is 1"),
        ("token_dropout: 0.1", "token_dropout is 0.1, but must be 0 where cache_text_embeddings is on"),
        ("conditioning_dropout: 0.4", "conditioning_dropout is 0.4"),
        ("lr_schedule: step", "one of cosine, linear, constant"),
        ("optimizer: lion", "one of adamw, adamw_8bit"),
        ("prediction_type: sample", "one of epsilon, v_prediction"),
        ("zero_terminal_snr: true\nprediction_type: epsilon", "v_prediction where zero_terminal_snr is on"),
        ("random_crop: true", "false where cache_latents is on"),
        ("snr_gamma: 0", "snr_gamma is 0.0, but must be more than 0"),
        ("checkpoint_uri: /tmp", "an address s3://BUCKET/PREFIX"),
        ("change_weight: 0.5", "change_weight is 0.5, but must be at least 1"),
        ("num_checkpoints: 0", "num_checkpoints is 0, but must be at least 1"),
        ("use_ema: 1", "use_ema is 1, which is not of type bool"),
        ("steps: 3", "unknown setting 'steps'"),
        ("batch_size: 6\ngradient_accumulation_steps: 4", "multiple of gradient_accumulation_steps"),
        ("learning_rate: .nan", "learning_rate is nan"),
    ],
)
def test_a_wrong_setting_is_named_with_its_file(tmp_path: Path, line: str, message: str) -> None:
    with pytest.raises(BadInputError, match="train.yaml: ") as raised:
        read(tmp_path, MINIMAL + line)
    assert message in str(raised.value) and "\n" not in str(raised.value)


@pytest.mark.parametrize("output", ["base", "base/out", ".", "link"])
@pytest.mark.parametrize(
    "text",
    [
        "editor: base",
        "family: emu_edit\neditor: base",
        "family: inpainting\neditor: base",
        "family: imagen_editor\neditor: other\nsuper_resolution: [base]",
        "family: mgie\neditor: other\nmllm: base",
        "family: mgie\neditor: other\nmllm: mllm\ntext_loss_weight: 1\ntext_loss_editor: base",
    ],
)
def test_what_training_starts_from_is_no_output(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, text: str, output: str
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "base").mkdir()
    (tmp_path / "link").symlink_to("base")
    wanted = f"{text}\noutput: {output}\ndataset: data\nnum_steps: 1\n"
    with pytest.raises(BadInputError, match=f"output is '{output}', but must be apart from base") as raised:
        read(tmp_path, wanted).check_output()
    assert "\n" not in str(raised.value)
    with pytest.raises(BadInputError, match="but must be apart from base"):
        launch_training(tmp_path / "train.yaml")
    read(tmp_path, wanted.replace(f"output: {output}", "output: base-2")).check_output()


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("num_steps: 3", "'output', 'dataset', 'editor' are missing"),
        ("num_steps: 3\neditor: e\noutput: o", "'dataset' is missing"),
        ("family: dream_booth", "family is 'dream_booth', but must be one of .*instruct_pix2pix"),
        ("family: [inpainting]", r"family is \['inpainting'\], but must be one of"),
        ("family: {}", r"family is \{\}, but must be one of"),
        ("[1]", "mapping"),
        ("{", "cannot be read"),
    ],
)
def test_a_file_that_is_no_configuration_is_refused(tmp_path: Path, text: str, message: str) -> None:
    with pytest.raises(BadInputError, match=message):
        read(tmp_path, text)
