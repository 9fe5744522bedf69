import numpy as np
import pytest
from worlds import make_cases

from editfoundry.errors import BadInputError
from editfoundry.tinyworld.edit_case import EditCase
from editfoundry.tinyworld.outcome import changed_region, check_case, defect, judge_outcome


def plain_case(truth: int = 200, wrong: int = 100, before: int = 0) -> EditCase:
    """An even image whose left half becomes ``truth``; the wrong outcomes make it ``wrong``."""
    image = np.full((4, 4, 3), before, np.uint8)
    true_output, wrong_output = image.copy(), image.copy()
    true_output[:, :2], wrong_output[:, :2] = truth, wrong
    return EditCase(
        id="plain", category="change", rule="half", instruction="i", input_caption="a", output_caption="b",
        input_image=image, true_output=true_output, wrong_outputs=np.stack([wrong_output] * 3),
    )  # fmt: skip


def edited(value: int) -> np.ndarray:
    image = np.zeros((4, 4, 3), np.uint8)
    image[:, :2] = value
    return image


def test_a_pixel_changes_when_any_one_channel_differs_by_more_than_eight_steps() -> None:
    image = np.full((1, 4, 3), 100, np.uint8)
    other = image.copy()
    other[0, :, 1] = 100, 108, 109, 91
    assert changed_region(image, other).tolist() == [[False, False, True, True]]
    # Where uint8 differences would wrap around.
    assert changed_region(np.zeros((1, 1, 3), np.uint8), np.full((1, 1, 3), 255, np.uint8)).all()


@pytest.mark.parametrize(
    ("value", "outcome"), [(0, "input"), (49, "input"), (51, "wrong"), (149, "wrong"), (151, "truth"), (255, "truth")]
)
def test_an_edit_is_what_it_is_nearest_to(value: int, outcome: str) -> None:
    assert judge_outcome(edited(value), plain_case()).nearest == outcome


@pytest.mark.parametrize(
    ("blue", "right", "sharp"),
    [(100, True, True), (186, True, True), (187, True, False), (222, True, False), (223, False, False)],
)
def test_an_edit_is_right_below_half_of_the_inputs_error_and_sharp_below_a_quarter(
    blue: int, right: bool, sharp: bool
) -> None:
    image = edited(100)
    image[:, :2, 2] = blue
    verdict = judge_outcome(image, plain_case(truth=100, wrong=20))
    assert verdict.nearest == "truth"
    assert verdict.error == pytest.approx((blue - 100) ** 2 / (3 * 100**2))
    assert (verdict.right, verdict.sharp) == (right, sharp)


def test_the_error_of_doing_nothing_is_one_whatever_the_picture_was() -> None:
    case = plain_case(truth=200, wrong=100, before=80)
    errors = {value: judge_outcome(edited(value), case).error for value in (80, 140, 200, 230)}
    assert errors == pytest.approx({80: 1.0, 140: 0.25, 200: 0.0, 230: 0.0625})


def test_a_tie_with_the_truth_is_not_right() -> None:
    verdict = judge_outcome(edited(150), plain_case())
    assert verdict.nearest == "wrong" and not verdict.right


def test_what_happens_outside_the_region_does_not_count() -> None:
    image = edited(200)
    image[:, 2:] = 255
    assert judge_outcome(image, plain_case()).sharp


def test_a_blend_of_input_and_truth_is_right_only_past_the_middle() -> None:
    for case in make_cases(8):
        for share, right in ((0.3, False), (0.97, True)):
            mixed = case.input_image + share * (case.true_output.astype(float) - case.input_image)
            assert judge_outcome(mixed.round().astype(np.uint8), case).right is right


def test_a_case_in_which_nothing_changes_is_refused() -> None:
    with pytest.raises(BadInputError, match="case plain.*differ nowhere"):
        check_case(plain_case(truth=8))
    assert defect(plain_case(truth=9)) is None
    check_case(plain_case(truth=9))


def test_a_case_whose_wrong_outcome_is_the_true_one_is_refused() -> None:
    with pytest.raises(BadInputError, match="wrong outcome 1 equals the true outcome"):
        check_case(plain_case(truth=200, wrong=200))


def test_a_case_with_images_of_two_sizes_is_refused() -> None:
    with pytest.raises(ValueError, match="true_output"):
        EditCase(
            id="odd", category="change", rule="", instruction="", input_caption="", output_caption="",
            input_image=np.zeros((4, 4, 3), np.uint8), true_output=np.zeros((4, 5, 3), np.uint8),
            wrong_outputs=np.zeros((3, 4, 4, 3), np.uint8),
        )  # fmt: skip
