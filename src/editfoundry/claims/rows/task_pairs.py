"""Emu Edit, section 4: what three masks, attention control within a mask, and each filter are worth to its pairs."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np

from editfoundry.claims.claim import Claim, Detail, Finding, level
from editfoundry.claims.task_candidates import JudgedCandidate, attention_candidates, task_candidates
from editfoundry.claims.verdicts import all_of, in_doubt, is_above
from editfoundry.claims.workbench import Workbench
from editfoundry.evaluation.bootstrap import Interval, bootstrap_columns, group_difference, paired_difference
from editfoundry.synthesis.emu_edit.choosing import FILTERS
from editfoundry.synthesis.emu_edit.task_settings import MASK_KINDS

PRECISE = MASK_KINDS[0]
NUM_DRAWS = len(MASK_KINDS)
"""First pictures of the arm with one mask: as many candidates as one first picture has with three."""
RIGHT_MARGIN = 0.1
"""How much lower the share of right candidates may be where the picture is held outside of a mask."""


def kept_and_right(candidates: Sequence[JudgedCandidate]) -> float:
    """Return 1 where the best candidate that passes the filters is right; 0 where it is not, or none passes."""
    passed = [one for one in candidates if not one.against]
    return float(max(passed, key=lambda one: one.worth).right) if passed else 0.0


def _of_each(edits: Sequence[Sequence[JudgedCandidate]], takes: Callable[[JudgedCandidate], bool]) -> np.ndarray:
    return np.array([kept_and_right([one for one in edit if takes(one)]) for edit in edits])


def _three_masks(bench: Workbench) -> Finding:
    edits, seed = task_candidates(bench), bench.config.seed
    one = _of_each(edits, lambda c: c.mask == PRECISE and c.draw == 0)
    several = _of_each(edits, lambda c: c.mask == PRECISE and c.draw < NUM_DRAWS)
    masks = {kind: _of_each(edits, lambda c, kind=kind: c.mask == kind and c.draw == 0) for kind in MASK_KINDS}  # type: ignore[misc]
    three = _of_each(edits, lambda c: c.draw == 0)
    effect = paired_difference(several, three, seed=seed)
    return Finding(
        effect=effect,
        verdict=is_above(effect),
        controls=(
            Detail(
                label=f"{NUM_DRAWS} first pictures with one mask against one",
                interval=paired_difference(one, several, seed=seed),
            ),
        ),
        details=(
            Detail(
                label="Three masks against the precise one alone", interval=paired_difference(one, three, seed=seed)
            ),
            level("A right pair is kept, three masks of one first picture", three, seed),
            level(f"A right pair is kept, {NUM_DRAWS} first pictures with the precise mask", several, seed),
            *(level(f"A right pair is kept, the mask {kind} alone", found, seed) for kind, found in masks.items()),
            level("A right pair is kept, of all candidates", _of_each(edits, lambda c: True), seed),
        ),
        note=in_doubt("Effect", effect),
    )


def _held(bench: Workbench) -> Finding:
    held, unheld = (attention_candidates(bench, is_held) for is_held in (True, False))
    seed = bench.config.seed

    def means(edits: Sequence[Sequence[JudgedCandidate]], name: str, mask: str) -> np.ndarray:
        own = [[float(getattr(one, name)) for one in edit if one.mask == mask] for edit in edits]
        return np.array([np.mean(values) if values else np.nan for values in own])

    plain, masked, boxed = means(unheld, "psnr", PRECISE), means(held, "psnr", PRECISE), means(held, "psnr", "box")
    right = [means(edits, "right", PRECISE) for edits in (unheld, held)]
    effect, lost = paired_difference(plain, masked, seed=seed), paired_difference(*right, seed=seed)
    return Finding(
        effect=effect,
        verdict=all_of((is_above(effect), is_above(lost, -RIGHT_MARGIN))),
        controls=(
            Detail(
                label="The box around the thing held in the outline's place",
                interval=paired_difference(plain, boxed, seed=seed),
            ),
        ),
        details=(
            level("PSNR outside what changes, plain prompt-to-prompt", plain, seed),
            level("PSNR outside what changes, held outside the outline", masked, seed),
            level("Second picture right, plain prompt-to-prompt", right[0], seed),
            level("Second picture right, held outside the outline", right[1], seed),
            Detail(label="Second picture right, gain", interval=lost),
        ),
        note=in_doubt("PSNR", effect) or in_doubt("Right pictures", lost, -RIGHT_MARGIN),
    )


def _each_filter(bench: Workbench) -> Finding:
    edits, seed = task_candidates(bench), bench.config.seed
    flat = [(number, one) for number, edit in enumerate(edits) for one in edit]
    groups, right = np.array([n for n, _ in flat]), np.array([float(one.right) for _, one in flat])
    against = [frozenset(one.against) for _, one in flat]
    kept = np.array([not own for own in against])
    found = {name: _drops(right, groups, kept, np.array([own == {name} for own in against]), seed) for name in FILTERS}
    looked = {name: interval for name, interval in found.items() if any(name in own for own in against)}
    least = min(looked.values(), key=lambda i: np.inf if i.value is None else i.value, default=_NOTHING)
    anywhere = np.random.default_rng(seed).permutation(kept)
    shares = bootstrap_columns(np.stack([np.where(kept, right, np.nan), right], axis=1), groups, seed=seed)
    return Finding(
        effect=least,
        verdict=all_of(is_above(interval) for interval in looked.values()),
        controls=(
            Detail(
                label="As many kept at random, against the others",
                interval=group_difference(right, anywhere, groups, seed=seed),
            ),
        ),
        details=(
            *(Detail(label=f"Kept minus what {name} alone drops", interval=own) for name, own in looked.items()),
            Detail(label="Kept minus all that is dropped", interval=group_difference(right, kept, groups, seed=seed)),
            Detail(label="Right, of those kept", interval=shares[0], is_difference=False),
            Detail(label="Right, of all", interval=shares[1], is_difference=False),
        ),
        note=" ".join(filter(None, (in_doubt(name, interval) for name, interval in looked.items()))),
    )


_NOTHING = Interval(None, None, None, 0)


def _drops(right: np.ndarray, groups: np.ndarray, kept: np.ndarray, alone: np.ndarray, seed: int) -> Interval:
    """Return the share of right candidates among those kept minus that among those that one filter alone drops.

    Its n is the number of edits of which the filter drops a candidate.
    """
    rows = kept | alone
    interval = group_difference(right[rows], kept[rows], groups[rows], seed=seed)
    return Interval(interval.value, interval.low, interval.high, len(np.unique(groups[alone])))


_PAIRS = "True edits of tinyworld's captions, painted by the profile's painter."
THREE_MASKS = Claim(
    name="emu-three-masks",
    paper="Emu Edit",
    sentence="Three masks of a thing give better pairs than one mask.",
    arms=(f"{NUM_DRAWS} first pictures, the precise mask of each", "one first picture, three masks of it"),
    metric=(
        "Share of edits of which a right pair is kept: the best of the candidates that pass all filters; as many "
        "candidates in both arms; paired difference."
    ),
    rule="Holds where the interval lies above 0; fails where it lies at or below 0.",
    test=_three_masks,
    limits=f"{_PAIRS} The paper states its choice and compares it with no other.",
)
ATTENTION_WITHIN_MASKS = Claim(
    name="emu-mask-attention",
    paper="Emu Edit",
    sentence="Attention control within a mask keeps what lies outside better than plain prompt-to-prompt.",
    arms=("plain prompt-to-prompt", "the picture held outside the thing's outline"),
    metric=(
        "PSNR in dB between the two pictures of a candidate, outside what truly changes, mean of an edit's candidates; "
        "tasks local and texture; paired by edit; higher is better."
    ),
    rule=(
        f"Holds where the interval lies above 0 and that of the share of right pictures above -{RIGHT_MARGIN:g}; fails "
        "where one lies at or below its bound."
    ),
    test=_held,
    limits=f"{_PAIRS} Both arms share first pictures, guidance and attention.",
)
EACH_FILTER_HELPS = Claim(
    name="emu-filters",
    paper="Emu Edit",
    sentence="Each filter drops worse candidates than those that are kept.",
    arms=("candidates that one filter alone drops", "candidates that all filters keep"),
    metric=(
        "Share of right candidates among those kept, less that among those which one filter alone drops; the smallest "
        "of the filters is shown, n counts the edits of which it drops any alone; edits are drawn together."
    ),
    rule="Holds where all intervals lie above 0; fails where one lies at or below 0.",
    test=_each_filter,
    limits=f"{_PAIRS} The thresholds are the profile's. What a filter drops alone is what leaving it out would keep.",
)
