"""The arithmetic of memory against what the CPU's allocator counts while the real code runs, within 15 %."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from tiny_llava import saved_profile, tiny_onevision
from tiny_sdxl import save_branch, tiny_sdxl
from torch.profiler import ProfilerActivity, profile

from editfoundry.diffusion.decoding import decode
from editfoundry.diffusion.encoding import encode
from editfoundry.diffusion.prompt_embeds import encode_prompts, image_size
from editfoundry.diffusion.sampling import denoise, noise_for
from editfoundry.editors.families.instruct_pix2pix.sampling import edit_images
from editfoundry.pretrained.clip import load_clip
from editfoundry.pretrained.editor_base import load_editor_base
from editfoundry.pretrained.memory_trace import traced_peak
from editfoundry.pretrained.runtime import choose_runtime
from editfoundry.pretrained.segmenter import load_segmenter
from editfoundry.pretrained.skeletons import build_skeleton
from editfoundry.pretrained.text_to_image import load_text_to_image
from editfoundry.pretrained.video_language_model import load_video_language_model
from editfoundry.pretrained.vision_language_model import load_vision_language_model
from editfoundry.pretrained.working_memory import _tiled, training_bytes, working_bytes
from editfoundry.profiles import Profile, load_profile

CPU = choose_runtime("cpu")


@pytest.fixture(scope="module")
def embedded() -> Profile:
    return load_profile("embedded")


@pytest.fixture
def allocated(tmp_path: Path) -> Callable[[Callable[[], object]], int]:
    """Return what measures the bytes that a call has of the CPU's allocator at most."""

    def measured(run: Callable[[], object]) -> int:
        with profile(activities=[ProfilerActivity.CPU], profile_memory=True) as recorded:
            run()
        recorded.export_chrome_trace(str(tmp_path / "trace.json"))
        events = json.loads((tmp_path / "trace.json").read_text())["traceEvents"]
        memory = sorted((e for e in events if e.get("name") == "[memory]"), key=lambda e: float(e["ts"]))
        first = memory[0]["args"]
        before = first["Total Allocated"] - first["Bytes"]
        return int(max(e["args"]["Total Allocated"] for e in memory)) - int(before)

    return measured


def arithmetic(profile: Profile, role: str, count: int, **sizes: int) -> int:
    skeleton = build_skeleton(profile, role)
    assert skeleton is not None
    return working_bytes(skeleton, count, "float32", **sizes)


def pictures(count: int, side: int = 64) -> list[Image.Image]:
    random = np.random.default_rng(0)
    return [Image.fromarray(random.integers(0, 256, (side, side, 3), dtype=np.uint8)) for _ in range(count)]


@pytest.mark.parametrize("which", ["embedded", "sdxl"])
def test_painting(which, embedded, allocated, tmp_path):
    chosen = embedded if which == "embedded" else load_profile(save_branch(tmp_path, tiny_sdxl()))
    painter = load_text_to_image(chosen, CPU)
    prompts = encode_prompts(painter, ["a cat"] * 16)

    def paint() -> None:
        generators = [torch.Generator().manual_seed(seed) for seed in range(16)]
        decode(painter, denoise(painter, prompts, noise_for(painter, generators), 1, 4.0))
        encode(painter, pictures(16, image_size(painter)[0]))

    assert arithmetic(chosen, "text_to_image", 16) == pytest.approx(allocated(paint), rel=0.15)


def test_editing(embedded, allocated):
    editor = load_editor_base(embedded, CPU)

    def edit() -> None:
        edit_images(editor, pictures(16), ["melt it"] * 16, seeds=list(range(16)), num_inference_steps=1)

    assert arithmetic(embedded, "editor_base", 16) == pytest.approx(allocated(edit), rel=0.15)


def test_embedding(embedded, allocated):
    clip = load_clip(embedded, CPU)
    assert arithmetic(embedded, "clip", 64) == pytest.approx(
        allocated(lambda: clip.encode_images(pictures(64))), rel=0.15
    )


def test_judging(embedded, allocated):
    judge = load_vision_language_model(embedded, CPU)
    rows, prompts = [(picture, picture) for picture in pictures(16)], ["Is the picture sharp?"] * 16
    lengths = prompt_lengths(judge.model)
    measured = allocated(lambda: judge.answer_probabilities(rows, prompts, ("1", "2")))
    counted = arithmetic(embedded, "vision_language_model", 16, num_tokens=lengths[0])
    assert counted == pytest.approx(measured, rel=0.15)


def test_judging_by_tiles(allocated, tmp_path):
    """A picture that comes alone is cut into four tiles, and seen whole besides."""
    chosen = load_profile(saved_profile(tmp_path, tiny_onevision()))
    judge, shown = load_vision_language_model(chosen, CPU), pictures(16)
    lengths = prompt_lengths(judge.model)
    rows, prompts = [(picture,) for picture in shown], ["Is the picture sharp?"] * 16
    measured = allocated(lambda: judge.answer_probabilities(rows, prompts, ("1", "2")))
    prompt = lengths[0] - (16 + 8 * 9)
    assert 0 < prompt < 100
    counted = arithmetic(chosen, "vision_language_model", 16, side=64, num_tokens=lengths[0])
    assert counted == pytest.approx(measured, rel=0.15)


def test_the_tiles_of_the_published_onevision_are_ten_of_a_picture_of_1024():
    config = build_skeleton(load_profile("modern"), "vision_language_model").modules["model"].config  # type: ignore[union-attr]
    assert _tiled(config, 1024) == (10, 27**2 + 81 * 82) and _tiled(config, 384) == (2, 27**2 + 27 * 28)
    # Of more than nine tiles the tokens are thinned out.
    assert _tiled(config, 2304) == (37, 27**2 + 81 * 82)


def test_watching(embedded, allocated):
    watcher = load_video_language_model(embedded, CPU)
    clips, lengths = [pictures(watcher.num_frames)] * 8, prompt_lengths(watcher.model)
    measured = allocated(lambda: watcher.generate(clips, ["What happens?"] * 8, max_new_tokens=4))
    counted = arithmetic(embedded, "video_language_model", 8, num_tokens=lengths[0])
    assert counted == pytest.approx(measured, rel=0.15)


def test_segmenting(embedded, allocated):
    segmenter, [picture] = load_segmenter(embedded, CPU), pictures(1)
    points = [(float(x), float(y)) for x in range(0, 64, 8) for y in range(0, 64, 8)]
    measured = allocated(lambda: segmenter.masks_at(picture, points))
    assert arithmetic(embedded, "segmenter", 1, side=64) == pytest.approx(measured, rel=0.15)


def test_a_pass_of_128_rows_of_sdxl_takes_what_a_gpu_was_seen_to_take():
    """19.7 GiB for 16 records of 4 candidates with guidance."""
    unet = build_skeleton(load_profile("paper"), "text_to_image").modules["unet"].to(torch.bfloat16)  # type: ignore[union-attr]

    def run() -> None:
        with torch.inference_mode(), torch.device("meta"):
            parts = {"text_embeds": torch.empty(128, 1280), "time_ids": torch.empty(128, 6)}
            added = {name: part.to(torch.bfloat16) for name, part in parts.items()}
            latents, text = torch.empty(128, 4, 128, 128), torch.empty(128, 77, 2048)
            unet(latents.to(unet.dtype), torch.tensor(0), text.to(unet.dtype), added_cond_kwargs=added)

    assert traced_peak(run, [unet]) / 2**30 == pytest.approx(19.7, rel=0.05)


def test_training_takes_weights_gradients_moments_average_and_a_pass_that_checkpointing_makes_small():
    skeletons = [build_skeleton(load_profile("embedded"), "editor_base") for _ in range(2)]
    plain, small = (
        training_bytes(skeleton, 4, "float32", 64, use_ema=True, checkpointing=checkpointing)
        for skeleton, checkpointing in zip(skeletons, (False, True), strict=True)
    )
    weights = sum(p.numel() for p in skeletons[0].modules["unet"].parameters())
    assert plain > small > 20 * weights


def test_what_is_let_go_counts_no_longer():
    def run() -> None:
        first = torch.empty(1000, device="meta")
        second = first + 1
        del first
        _ = second + 1

    assert traced_peak(run) == 2 * 4000


def prompt_lengths(model: object) -> list[int]:
    """Return a list that gets the number of tokens of each batch that a model's language model is given."""
    seen: list[int] = []

    def note(_: object, args: object, given: dict[str, torch.Tensor]) -> None:
        seen.append(given["inputs_embeds"].shape[1])

    model.model.language_model.register_forward_pre_hook(note, with_kwargs=True)  # type: ignore[attr-defined]
    return seen
