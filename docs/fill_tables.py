"""Fills the tables of README and docs from what the demo and the claims made; `make figures` runs it."""

from __future__ import annotations

import json
import os
import re
from pathlib import Path
from typing import Any

from outcome_rules import allowed_places, outcome_rules

from editfoundry.curation.curate import kept_ids
from editfoundry.data.index import read_fields
from editfoundry.evaluation.reports.cover import specific_gain
from editfoundry.lineage.params import load_params
from editfoundry.lineage.stages import Paths
from editfoundry.pretraining.card import training_parts
from editfoundry.pretraining.measure_storylines import score_storylines
from editfoundry.pretraining.triplet_truth import triplet_truth
from editfoundry.tinyworld.clips.truth import read_truths
from editfoundry.tinyworld.clips.writing import TRUTH

ROOT = Path(__file__).resolve().parents[1]
REPORT = ROOT / "reports" / "editworld"
LEDGER = ROOT / "reports" / "claims" / "ledger.md"
EMBEDDED = ROOT / "src" / "editfoundry" / "embedded"

HEADLINES = {
    "clip": "retrieval among 64: {retrieval_among_64:.2f} (chance 0.02)",
    "controlnet_canny": "edge agreement {edge_agreement:.2f}; without it {edge_agreement_without:.2f}",
    "depth": "pixels of objects within a factor of 1.25: {delta_1_25_on_objects:.2f}; without looking "
    "{delta_1_25_on_objects_without_looking:.2f}",
    "detector": "mAP at IoU 0.5 {map_50:.2f}; by another phrase {map_50_by_another_phrase:.2f}",
    "editor_base": "plain edits right {plain_right:.2f}, by another's instruction {plain_right_by_another:.2f}; world "
    "instructions {world_right:.2f}",
    "editworld": "world instructions right {world_right:.2f}, by another's instruction {world_right_by_another:.2f}; "
    "rules never trained {new_rules_right:.2f}; plain edits {plain_right:.2f}",
    "emu_edit": "right over fifteen tasks with the predicted task {right_with_predicted_task:.2f}, without one "
    "{right_with_no_task:.2f}, by another's instruction {right_by_another:.2f}",
    "inpainter": "all that is asked into holes of tinyworld's EditBench right {right:.2f}, object {right_object:.2f}, "
    "colour {right_colour:.2f}; all by another's prompt {right_by_another:.2f}",
    "imagen_editor": "in holes of tinyworld's EditBench right object {right_object:.2f}, colour {right_colour:.2f}; "
    "object by another's prompt {right_object_by_another:.2f}",
    "ip_adapter": "CLIP image similarity {clip_image_similarity:.2f}; without it {clip_image_similarity_without:.2f}",
    "language_model": "answers valid and true {answers_valid_and_true:.2f}",
    "mgie": "instructions that only the picture makes clear right {ambiguous_right:.2f}, by another's "
    "{ambiguous_right_by_another:.2f}; plain edits {plain_right:.2f}",
    "segmenter": "mIoU, best of three masks {miou_best_of_three:.2f}",
    "summarizer": "long descriptions made into their caption {exact_match:.2f}; into another's "
    "{exact_match_of_anothers:.2f}",
    "task_predictor": "accuracy in wordings never trained {accuracy_in_held_out_wordings:.3f}; the most frequent task "
    "{accuracy_of_the_most_frequent_task:.2f}",
    "text_to_image": "caption picked among 16 from the painting {caption_picked_among_16:.2f} (chance 0.06)",
    "video_language_model": "change told rightly {change_right:.2f}",
    "vision_language_model": "balanced accuracy {balanced_accuracy:.2f} (chance 0.50); its answers alone "
    "{balanced_accuracy_of_answers:.2f}",
}
"""Model -> its headline figure beside its control, from its card."""


def main() -> None:
    """Replace what stands between the markers."""
    machine = f"`make demo` on {os.cpu_count()} CPU cores, tinyworld's world instructions, 95 % bootstrap intervals:"
    table = (REPORT / "table.md").read_text().strip()
    demo = f"{machine}\n\n{table}\n\n{_specific()} {_elsewhere()}"
    _fill(ROOT / "README.md", {"demo-table": demo, "model-table": _models()})
    _fill(ROOT / "docs" / "dataset.md", {"dataset-table": _dataset(Paths(ROOT))})
    _fill(ROOT / "docs" / "evaluation.md", {"outcome-rules": f"{outcome_rules()}\n\n{allowed_places()}"})
    if LEDGER.is_file():
        _fill(ROOT / "docs" / "claims.md", {"ledger": _ledger()})


def _fill(page: Path, tables: dict[str, str]) -> None:
    text = page.read_text()
    for marker, content in tables.items():
        text = _between(text, marker, content)
    page.write_text(text)


def _between(text: str, marker: str, content: str) -> str:
    block = f"<!-- {marker} -->\n\n{content}\n\n<!-- /{marker} -->"
    pattern = rf"<!-- {marker} -->(.*?<!-- /{marker} -->)?"
    return re.sub(pattern, lambda _: block, text, count=1, flags=re.DOTALL)


def _specific() -> str:
    """Return the headline's gain that the instruction itself brought."""
    return specific_gain(json.loads((REPORT / "summary.json").read_text())["benchmarks"]["tinyworld-world"])


def _elsewhere() -> str:
    """Return what the same fine-tuning does to the other benchmarks: its loss beside its gain."""
    summaries = json.loads((REPORT / "summary.json").read_text())["benchmarks"]
    told = []
    for name, what in (("tinyworld-plain", "plain edits"), ("tinyworld-new-rules", "rules never trained")):
        before, after = (summaries[name][editor]["overall"]["right"] for editor in ("base", "fine_tuned"))
        told.append(f"{what} {before['value']:.2f} → {after['value']:.2f} (n = {after['n']})")
    return f"What it costs, and what it does not give, by right edits: {', '.join(told)}."


def _models() -> str:
    rows = ["| model | parameters | trained | measured on held-out scenes |", "|---|---:|---:|---|"]
    for folder in sorted(p for p in EMBEDDED.iterdir() if p.is_dir()):
        card = json.loads((folder / "card.json").read_text())
        parameters = sum(card["parameters"].values()) / 1e6
        link = f"[`{folder.name}`](src/editfoundry/embedded/{folder.name}/README.md)"
        headline = HEADLINES[folder.name].format(**card["measured"])
        rows.append(f"| {link} | {parameters:.1f} M | {_time(card)} | {headline} |")
    return "\n".join(rows)


def _time(card: dict[str, Any]) -> str:
    """Return how long a model was trained: on CPU cores, and on whichever GPUs."""
    minutes: dict[str, float] = {}
    for part in training_parts(card["training"]):
        machine = "" if "CPU" in part["machine"] else f" of an {part['machine']}"
        minutes[machine] = minutes.get(machine, 0) + part["minutes"]
    return ", ".join(f"{taken:.0f} min{machine}" for machine, taken in sorted(minutes.items()))


def _dataset(paths: Paths) -> str:
    facts = json.loads((paths.dataset / "curation.json").read_text())
    truth = triplet_truth(paths.editworld_text, kept_ids(paths.dataset)).to_dict()
    curation = load_params(ROOT / "params.yaml").dataset
    storylines = score_storylines(read_truths(paths.tinyworld_clips / TRUTH), paths.editworld_video, curation)
    categories: dict[str, int] = {}
    for split in ("train", "validation", "test"):
        for row in read_fields(paths.dataset / split):
            categories[row["category"]] = categories.get(row["category"], 0) + 1
    rows = [
        "| | triplets | true outcome (95 % interval) |",
        "|---|---:|---:|",
        f"| **kept** | **{facts['num_out']}** | **{_share(truth['right_share'])}**, of the text branch |",
        f"| **dropped** | **{sum(facts['rejected'].values())}** | **{_share(truth['right_share_of_dropped'])}** |",
        f"| made by the video branch | {storylines['num_triplets']} | {storylines['instruction_true']:.2f} with a true "
        "instruction |",
        f"| of them, good enough to keep | {storylines['num_kept']} | {storylines['instruction_true_of_kept']:.2f} "
        "with a true instruction |",
        *(f"| dropped: {reason} | {count} | |" for reason, count in sorted(facts["rejected"].items())),
        *(f"| kept: {category} | {count} | |" for category, count in sorted(categories.items())),
    ]
    return "\n".join(rows)


def _ledger() -> str:
    """Return the ledger without its title, its sections one level lower."""
    text = LEDGER.read_text().split("\n", 1)[1].strip()
    return re.sub(r"^##", "###", text, flags=re.MULTILINE)


def _share(interval: dict[str, Any]) -> str:
    return f"{interval['value']:.2f} ({interval['low']:.2f} to {interval['high']:.2f})"


if __name__ == "__main__":
    main()
