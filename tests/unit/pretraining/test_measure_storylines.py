"""The video branch's triplets against the truth about their clips."""

from __future__ import annotations

from PIL import Image

from editfoundry.curation.curation_config import CurationConfig
from editfoundry.curation.score_filters import ClipThresholds
from editfoundry.data.record import Triplet
from editfoundry.data.shards import write_triplets
from editfoundry.pretraining.measure_storylines import score_storylines
from editfoundry.tinyworld.clips.truth import ActionTruth, ClipTruth

ACTION = ActionTruth(
    rule="egg: whole -> broken", category="Physical-Trans", wordings=("Drop the egg.",), input_caption="an egg",
    output_caption="a broken egg", start_window=(0.0, 1.0), end_window=(2.0, 3.0),
)  # fmt: skip
TRUTH = ClipTruth(video_id="v", start=0.5, end=4.0, kind="action", reason="", actions=(ACTION,), cuts=())


def triplet(number, **changes):
    fields = {
        "category": "Physical-Trans",
        "instruction": "Drop the egg.",
        "input_caption": "an egg",
        "output_caption": "a broken egg",
        "first_time": 0.7,
        "last_time": 2.5,
        **changes,
    }
    times = {name: fields.pop(name) for name in ("first_time", "last_time")}
    before, after = (Image.new("RGB", (8, 8), (number, 0, level)) for level in (0, 255))
    return Triplet(
        input_image=before,
        output_image=after,
        source=f"v {times['first_time']} {times['last_time']}",
        provenance={"clip_start": 0.5, **times},
        **fields,
    )


def test_what_is_right_is_told_from_what_is_not(tmp_path):
    made = [
        triplet(0),
        triplet(1, category="Story-Type"),
        triplet(2, instruction="Paint the egg."),
        triplet(3, first_time=1.5, output_caption="an egg"),
    ]
    write_triplets(tmp_path / "00000.tar", made)
    found = score_storylines([TRUTH], tmp_path)
    # The last one's pair shows no action, so nothing of it is right.
    assert found == {
        "num_triplets": 4,
        "category_right": 0.5,
        "instruction_true": 0.5,
        "input_caption_right": 0.75,
        "output_caption_right": 0.75,
        "rejected": {},
    }


def test_what_passes_the_thresholds_is_counted_apart(tmp_path):
    scores = dict.fromkeys(("clip_input", "clip_output", "clip_image", "clip_direction"), 0.8)
    made = [
        triplet(0, scores=scores),
        triplet(1, scores={**scores, "clip_output": 0.3}, instruction="Paint the egg."),
        triplet(2, instruction="Paint the egg."),
    ]
    write_triplets(tmp_path / "00000.tar", made)
    found = score_storylines([TRUTH], tmp_path, CurationConfig(thresholds=ClipThresholds(clip_output=0.7)))
    assert (found["num_triplets"], found["instruction_true"]) == (3, 0.3333)
    assert (found["num_kept"], found["instruction_true_of_kept"], found["category_right_of_kept"]) == (1, 1.0, 1.0)
