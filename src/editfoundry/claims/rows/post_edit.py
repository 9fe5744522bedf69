"""EditWorld, table 3: the post-edit preserves what the instruction is not about, and costs nothing."""

from __future__ import annotations

from editfoundry.claims.claim import Claim, Detail, Finding
from editfoundry.claims.scores import gain
from editfoundry.claims.verdicts import all_of, in_doubt, is_above
from editfoundry.claims.workbench import Workbench
from editfoundry.editors.post_edit.post_edit_config import PostEditConfig
from editfoundry.evaluation.benchmarks.reading import read_benchmark
from editfoundry.evaluation.bootstrap import paired_difference
from editfoundry.evaluation.reports.run_results import RIGHT

CLIP_MARGIN = 0.01
"""How much lower a CLIP score counts as equal; the paper's with and without post-edit differ by 0.001."""


def _preserves(bench: Workbench) -> Finding:
    chosen = bench.config
    # Named first: a profile without them is told so before anything is edited.
    for role in ("segmenter", "controlnet_canny", "ip_adapter"):
        bench.profile.model(role)
    benchmark = read_benchmark("tinyworld-world", num_items=chosen.num_post_edit_items, seed=chosen.seed)
    config = PostEditConfig.of_profile(bench.profile)
    editor = bench.editworld()
    plain = bench.scores(bench.contestant(editor, own_guidance=True), benchmark)
    edited = bench.scores(bench.contestant(editor, own_guidance=True, post_edit=config), benchmark)
    kept, clip, outcome = (
        gain(plain, edited, metric, chosen.seed) for metric in ("preservation_psnr", "clip_score", RIGHT)
    )
    nothing_kept, nothing_clip = (
        paired_difference(plain.of(metric), plain.of_picture("input", metric), seed=chosen.seed)
        for metric in ("preservation_psnr", "clip_score")
    )
    return Finding(
        effect=kept,
        verdict=all_of([is_above(kept), is_above(clip, -CLIP_MARGIN)]),
        controls=(
            Detail(label="Doing nothing at all, in the post-edit's place", interval=nothing_kept),
            Detail(label="CLIP score of doing nothing, gain", interval=nothing_clip),
        ),
        details=(
            Detail(label="CLIP score, gain", interval=clip),
            Detail(label="Outcome accuracy, gain", interval=outcome),
        ),
        note=in_doubt("CLIP score", clip, -CLIP_MARGIN),
    )


POST_EDIT_PRESERVES = Claim(
    name="editworld-post-edit-preserves",
    paper="EditWorld",
    sentence="The post-edit changes less outside the edit at an equal CLIP score.",
    arms=("EditWorld without post-edit", "EditWorld with post-edit"),
    metric=(
        "PSNR against the input, in dB and at most 60, over the pixels that do not truly change, which tinyworld "
        "knows; paired difference, higher is less change."
    ),
    rule=(
        f"Holds where the interval lies above 0 and that of the CLIP score's gain above -{CLIP_MARGIN:g}; fails where "
        "one lies at or below its bound."
    ),
    test=_preserves,
    limits="The paper measures LPIPS over the whole picture on 50 traditional edits.",
)
