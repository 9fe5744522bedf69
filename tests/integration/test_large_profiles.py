"""The whole lineage of the profiles of real models, from the profile alone, on narrow models of the real geometry."""

from __future__ import annotations

import json
import os
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import yaml
from chat_server import Reply, chat_server
from narrow_models import ANSWER, save_profile
from rich.console import Console
from tiny_videos import growing_disc, write_video

from editfoundry.data.shards import read_triplets, shard_paths
from editfoundry.lineage.demo import run_demo
from editfoundry.lineage.params import load_params
from editfoundry.lineage.stages import Paths, check_params

pytestmark = pytest.mark.slow
CAPTIONS = ("a whole egg on a kitchen table", "an egg beside a cup of coffee in the morning light")
EVERYTHING = dict.fromkeys(("clip_input", "clip_output", "clip_image", "clip_direction"), -1)
"""Thresholds that random models reach."""
FEW = {
    "quadruples": {"categories": ["Physical-Trans"]},
    "editworld_text": {
        "num_input_candidates": 1, "num_output_candidates": 1, "num_refined_candidates": 1, "num_inference_steps": 2,
    },
    "frame_pairs": {"min_clip_similarity": -1.0, "min_dino_similarity": -1.0},
    "editworld_video": {"max_description_tokens": 4},
    "dataset": {"thresholds": EVERYTHING, "recipe_thresholds": {"editworld-video": EVERYTHING}},
    "editworld": {
        "resolution": 256, "num_steps": 2, "batch_size": 2, "gradient_accumulation_steps": 2, "num_warmup_steps": 1,
    },
    "editworld_report": {
        "num_world_cases": 1, "num_new_rule_cases": 1, "num_plain_cases": 1, "num_inference_steps": 1,
    },
}  # fmt: skip
"""What a person changes of the profile's parameters here: few candidates and steps, no thresholds; the rest holds."""


def write_sources(root: Path) -> None:
    """Write a person's own captions in LAION's schema, and a folder of videos."""
    told = {"WIDTH": 1024, "HEIGHT": 768, "similarity": 0.31, "punsafe": 0.01, "pwatermark": 0.02}
    rows = [{"URL": f"https://example.org/{n}.jpg", "TEXT": text, **told} for n, text in enumerate(CAPTIONS)]
    pq.write_table(pa.Table.from_pylist(rows), root / "captions.parquet")
    for number in range(2):
        write_video(root / "videos" / f"{number}.mp4", growing_disc(number, width=192, height=128))


@pytest.mark.parametrize("name", ["paper", "modern"])
def test_every_stage_runs_from_the_profile_to_the_report(name, tmp_path, monkeypatch):
    profile, root = save_profile(name, tmp_path / "models"), tmp_path / "project"
    root.mkdir()
    write_sources(root)
    sources = {
        "captions": {"table": "captions.parquet"},
        "clips": {"videos": "videos"},
        "captioned_pictures": {"pictures": "tinyworld"},
    }
    values = {"profile": str(profile), "device": "cpu", **sources, **FEW}
    (root / "params.yaml").write_text(yaml.safe_dump(values))
    monkeypatch.chdir(root)
    with chat_server(lambda body, before: Reply(ANSWER)) as server:
        for variable, value in {"OPENAI_BASE_URL": server.url, "OPENAI_MODEL": "narrow"}.items():
            monkeypatch.setitem(os.environ, variable, value)
        params = load_params(root / "params.yaml")
        check_params(params, root)
        report = run_demo(params, root, Console(quiet=True))

    paths = Paths(root)
    made = {
        folder.name: [triplet for shard in shard_paths(folder) for triplet in read_triplets(shard)]
        for folder in (paths.editworld_text, paths.editworld_video)
    }
    text, video = made["editworld-text"], made["editworld-video"]
    assert len(text) == len(CAPTIONS) and {triplet.input_image.size for triplet in text} == {(512, 512)}
    assert all("judge" in json.dumps(triplet.provenance) for triplet in text)
    assert video and {triplet.instruction for triplet in video} == {json.loads(ANSWER)["instruction"]}
    summary = json.loads((report / "summary.json").read_text())
    assert "tinyworld-world" in json.dumps(summary) and (report / "report.html").stat().st_size > 10_000
