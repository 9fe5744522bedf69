"""All trainings in their order, each in a process of its own."""

import json
import sys
import time
from dataclasses import replace
from pathlib import Path

import pytest
import torch

from editfoundry.errors import BadInputError
from editfoundry.pretrained.runtime import Runtime
from editfoundry.pretraining.all_pretrainings import PRETRAININGS, VAE_FOLDER
from editfoundry.pretraining.card import CONTROLS, models_of
from editfoundry.pretraining.suite import Suite
from editfoundry.training.failures import TrainingError

FAILS = "fails"
NOT_IN_ALL = {*CONTROLS, "vae_decoder"}


def stub(suite: Suite, name: str, ends_at: float | None) -> list[str]:
    """Return a command that leaves what a training would, with the time it was told."""
    if (suite.work_dir / f"{name}.{FAILS}").exists():
        return [sys.executable, "-c", "raise SystemExit(1)"]
    models = [suite.out / model for model in models_of(name)]
    folders = [str(folder) for folder in models or [suite.work_dir / VAE_FOLDER]]
    code = f"""
import json, pathlib
for folder in {folders!r}:
    pathlib.Path(folder).mkdir(parents=True, exist_ok=True)
with open({str(suite.work_dir / "order.txt")!r}, "a") as file:
    print(json.dumps([{name!r}, {ends_at!r}]), file=file)
print("step 1/1")
"""
    return [sys.executable, "-c", code]


def order(suite: Suite) -> list[tuple[str, float | None]]:
    return [tuple(json.loads(line)) for line in (suite.work_dir / "order.txt").read_text().splitlines()]


def test_a_suite_that_continues_what_is_shipped_starts_autoencoder_and_denoiser_from_it(tmp_path: Path) -> None:
    suite = Suite(work_dir=tmp_path, out=tmp_path, device="cpu", continue_shipped=True)
    warm = {name for name in PRETRAININGS if "--continue-shipped" in suite.command(name, None)}
    assert warm == {"vae", "diffusion", "editworld", "emu_edit"}


def test_editors_that_are_continued_wait_for_the_autoencoder_alone(suite: Suite) -> None:
    chosen = ["vae", "diffusion", "editworld"]
    cold = replace(suite, only=chosen)
    warm = replace(cold, continue_shipped=True)
    assert (cold.after("editworld"), warm.after("editworld")) == (("diffusion",), ("vae",))
    assert warm.after("imagen_editor") == ()
    assert warm.after("controlnet_canny") == ("diffusion",)


@pytest.fixture
def suite(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Suite:
    monkeypatch.setattr(Suite, "command", stub)
    return Suite(work_dir=tmp_path / "work", out=tmp_path / "out", device="cpu")


def test_every_training_comes_after_those_whose_models_it_starts_from(suite: Suite) -> None:
    assert set(suite.run().values()) == {"trained"}
    names = [name for name, _ in order(suite)]
    assert sorted(names) == sorted({*PRETRAININGS} - NOT_IN_ALL)
    for name, recipe in PRETRAININGS.items():
        if recipe.is_only_named:
            continue
        assert all(names.index(other) < names.index(name) for other in recipe.after)
    assert (suite.work_dir / "logs" / "clip.log").read_text() == "step 1/1\n"


def test_what_is_done_is_not_done_again_but_where_its_model_is_gone(suite: Suite) -> None:
    suite.run()
    assert set(suite.run().values()) == {"was trained"}
    (suite.out / "segmenter").rmdir()
    again = suite.run()
    assert [name for name, became in again.items() if became == "trained"] == ["segmenter"]


def test_other_settings_train_a_model_anew_and_all_that_start_from_it(suite: Suite, monkeypatch) -> None:
    suite.run()
    other = {**PRETRAININGS, "vae": PRETRAININGS["language_model"]}
    monkeypatch.setattr("editfoundry.pretraining.suite.PRETRAININGS", other)
    again = {name for name, became in suite.run().items() if became == "trained"}
    starting = {"diffusion", "controlnet_canny", "ip_adapter", "editworld", "vision_language_model"}
    assert {"vae", *starting, "mgie", "emu_edit", "inpainter", "imagen_editor"} == again


def test_a_training_that_fails_holds_up_only_those_that_need_it(suite: Suite) -> None:
    suite.work_dir.mkdir()
    (suite.work_dir / f"clip.{FAILS}").touch()
    with pytest.raises(TrainingError, match=r"^clip failed: .*clip\.log says why; not begun: .*ip_adapter"):
        suite.run()
    done = {name for name, _ in order(suite)}
    assert done == {*PRETRAININGS} - {
        *("clip", "video_language_model", "vision_language_model", "ip_adapter", "mgie"),
        *NOT_IN_ALL,
    }


def test_what_shipped_models_are_compared_with_is_trained_only_where_it_is_named(suite: Suite) -> None:
    named = replace(suite, only=("mgie_lgie", "mgie_baseline"))
    assert named.run() == {"mgie_lgie": "trained", "mgie_baseline": "trained"}
    assert named.run() == {"mgie_lgie": "was trained", "mgie_baseline": "was trained"}


def test_every_training_of_a_timed_suite_is_over_by_its_share_of_the_time(suite: Suite) -> None:
    started = time.time()
    timed = Suite(work_dir=suite.work_dir, out=suite.out, device="cpu", minutes=10, only=["vae", "diffusion"])
    timed.run()
    ends = dict(order(timed))
    assert ends["vae"] < ends["diffusion"] < time.time() + 600
    assert ends["vae"] > started
    assert all(
        PRETRAININGS[other].over_by < recipe.over_by for recipe in PRETRAININGS.values() for other in recipe.after
    )


def test_on_a_gpu_pictures_of_trainings_that_wait_are_drawn_while_others_train(suite: Suite, monkeypatch) -> None:
    on_gpu = Runtime(torch.device("cuda"), torch.float32)
    monkeypatch.setattr("editfoundry.pretraining.suite.choose_runtime", lambda *_: on_gpu)
    monkeypatch.setattr(Suite, "drawing_command", drawing_stub)
    chosen = ["vae", "diffusion", "editworld"]
    Suite(work_dir=suite.work_dir, out=suite.out, device="cuda", only=chosen).run()
    names = [name for name, _ in order(suite)]
    assert sorted(names) == sorted([*chosen, "draw diffusion", "draw editworld"])
    assert names.index("draw diffusion") < names.index("diffusion")
    assert names.index("draw editworld") < names.index("editworld")


def drawing_stub(suite: Suite, name: str) -> list[str]:
    """Return a command that takes longer than a training, and tells that it is over."""
    line = json.dumps([f"draw {name}", None])
    code = f"""
import time
time.sleep(0.5)
with open({str(suite.work_dir / "order.txt")!r}, "a") as file:
    print({line!r}, file=file)
"""
    return [sys.executable, "-c", code]


def test_an_unknown_training_is_one_line_with_those_there_are(tmp_path: Path) -> None:
    with pytest.raises(BadInputError, match="no pretraining 'gan': they are vae, vae_decoder, clip"):
        Suite(work_dir=tmp_path, out=tmp_path, only=["gan"])


def test_a_better_decoder_is_trained_alone_when_all_models_are_there(tmp_path: Path) -> None:
    with pytest.raises(BadInputError, match="name it alone"):
        Suite(work_dir=tmp_path, out=tmp_path, only=["vae", "vae_decoder"])
