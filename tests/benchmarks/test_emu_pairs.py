"""Side by side: all candidates of Emu Edit's tasks together, against one edit, one draw and one pass at a time."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from PIL import Image

sys.path.insert(0, str(Path(__file__).parent))

from page import machine, write_section  # noqa: E402

from editfoundry.data.edit_tasks import EditTask  # noqa: E402
from editfoundry.data.record import Caption  # noqa: E402
from editfoundry.pretrained.clip import load_clip  # noqa: E402
from editfoundry.pretrained.detector import FoundBox  # noqa: E402
from editfoundry.pretrained.runtime import choose_runtime  # noqa: E402
from editfoundry.pretrained.segmenter import load_segmenter  # noqa: E402
from editfoundry.pretrained.text_to_image import load_text_to_image  # noqa: E402
from editfoundry.profiles import load_profile  # noqa: E402
from editfoundry.synthesis.emu_edit.captions_to_edits import TaskOfCaption, write_true_edits  # noqa: E402
from editfoundry.synthesis.emu_edit.choosing import choose_pairs  # noqa: E402
from editfoundry.synthesis.emu_edit.config import EmuPairConfig  # noqa: E402
from editfoundry.synthesis.emu_edit.first_pictures import draws_of  # noqa: E402
from editfoundry.synthesis.emu_edit.making import make_candidates, make_pairs  # noqa: E402
from editfoundry.synthesis.emu_edit.models import EmuModels  # noqa: E402
from editfoundry.synthesis.emu_edit.task_settings import MASK_KINDS, InpaintingSettings, RegionSettings  # noqa: E402
from editfoundry.tinyworld.captions import laion_rows  # noqa: E402

CONFIG = EmuPairConfig(
    writer="tinyworld",
    tasks=("local", "remove"),
    num_inference_steps=10,
    input_guidance_scale=3.0,
    region=RegionSettings(num_draws=3, guidance_scale=(2.0, 4.0)),
    inpainting=InpaintingSettings(num_draws=3, guidance_scale=(1.5, 3.5)),
    max_depth_difference=None,
    confirms=False,
)
NUM_EDITS = 4


class Middle:
    """Finds everything in the middle: what is timed is the same whatever is found."""

    def find(self, images: Sequence[Image.Image], phrases: Sequence[Sequence[str]], threshold: float) -> Any:
        """Return one box a phrase."""
        return [[[FoundBox((16, 16, 48, 56), 0.9)] for _ in said] for said in phrases]


def test_all_candidates_against_one_at_a_time() -> None:
    profile, runtime = load_profile("embedded"), choose_runtime("cpu")
    detector: Any = Middle()
    models = EmuModels(
        painter=load_text_to_image(profile, runtime),
        clip=load_clip(profile, runtime),
        detector=detector,
        segmenter=load_segmenter(profile, runtime),
    )
    captions = [Caption(caption=str(row["TEXT"]), url=str(row["URL"])) for row in laion_rows(20, 3)]
    asked = [TaskOfCaption(n, one, EditTask(CONFIG.tasks[n % 2])) for n, one in enumerate(captions)]
    edits = write_true_edits(asked, 0)[0][:NUM_EDITS]
    count = sum(len(made) for made in make_pairs(models, edits, CONFIG))

    def together() -> None:
        choose_pairs(models, make_pairs(models, edits, CONFIG), CONFIG)

    def one_by_one() -> None:
        for edit in edits:
            for draw in draws_of(edit, CONFIG):
                for kind in MASK_KINDS:
                    alone = replace(CONFIG, masks=replace(CONFIG.masks, kinds=(kind,)))
                    choose_pairs(models, [make_candidates(models, [draw], alone)], alone)

    rates = [count / _seconds(run) for run in (together, one_by_one)]
    write_section(
        "Pairs of Emu Edit's tasks",
        f"{NUM_EDITS} edits of {' and '.join(CONFIG.tasks)} with three draws of three masks each, "
        f"{CONFIG.num_inference_steps} steps, finding, outlining and CLIP's four similarities included; candidates a "
        "second. Alone, a candidate paints its own first picture and has its own thing found, as a script that loops "
        f"over candidates does. {machine()}\n\n"
        "| all together | one at a time | factor |\n|---|---|---|\n"
        f"| {rates[0]:.2f} | {rates[1]:.2f} | {rates[0] / rates[1]:.2f} |\n",
    )


def _seconds(run: Callable[[], None]) -> float:
    started = time.perf_counter()
    run()
    return time.perf_counter() - started
