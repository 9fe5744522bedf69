import pytest

from editfoundry.curation.score_filters import ClipThresholds, check_clip
from editfoundry.errors import Rejection

GOOD = {"clip_input": 0.2, "clip_output": 0.2, "clip_image": 0.75, "clip_direction": 0.2}
CAPTIONS = {"input_caption": "a cat", "output_caption": "a wet cat"}


def test_the_thresholds_are_those_of_instruct_pix2pix_and_a_score_at_its_threshold_is_kept() -> None:
    assert vars(ClipThresholds()) == GOOD
    check_clip(GOOD, ClipThresholds())
    check_clip(GOOD, ClipThresholds(), CAPTIONS)


@pytest.mark.parametrize("name", list(GOOD))
@pytest.mark.parametrize("value", [0.1999, -1.0, float("nan")])
def test_a_score_below_its_threshold_or_no_number_is_rejected_by_its_name(name: str, value: float) -> None:
    with pytest.raises(Rejection, match=f"low {name}"):
        check_clip({**GOOD, name: value}, ClipThresholds())


@pytest.mark.parametrize(("value", "hint"), [(-0.25, True), (0.1, False), (0.0, False)])
def test_only_a_direction_against_the_captions_is_said_to_be_perhaps_swapped(value: float, hint: bool) -> None:
    with pytest.raises(Rejection) as low:
        check_clip({**GOOD, "clip_direction": value}, ClipThresholds())
    assert ("was it swapped?" in low.value.detail) is hint
    with pytest.raises(Rejection) as other:
        check_clip({**GOOD, "clip_image": -0.25}, ClipThresholds())
    assert "swapped" not in other.value.detail


def test_a_score_that_is_missing_is_rejected_unless_its_captions_are_missing_too() -> None:
    pictures_alone = {"clip_image": 0.9}
    check_clip(pictures_alone, ClipThresholds(), {"input_caption": "", "output_caption": ""})
    for captions in (None, CAPTIONS, {"input_caption": "a cat", "output_caption": ""}):
        with pytest.raises(Rejection, match="no score"):
            check_clip(pictures_alone, ClipThresholds(), captions)


def test_between_equal_captions_a_direction_counts_only_where_any_is_good_enough() -> None:
    same = {"input_caption": "A cat.", "output_caption": "a  cat"}
    with pytest.raises(Rejection, match="undefined clip_direction"):
        check_clip(GOOD, ClipThresholds(), same)
    with pytest.raises(Rejection, match="undefined clip_direction"):
        check_clip(GOOD, ClipThresholds(clip_direction=-0.999), same)
    check_clip(GOOD, ClipThresholds(clip_direction=-1.0), same)
