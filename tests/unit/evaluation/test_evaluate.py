import json
import math
from collections.abc import Sequence

import numpy as np
import pytest
import torch
from function_editors import editor_of
from PIL import Image
from worlds import CATEGORIES, ColourEncoder, make_cases, return_the_input, return_the_truth

from editfoundry.editors.editor import EditRequest
from editfoundry.errors import BadInputError
from editfoundry.evaluation.cases import case_seed, order_categories, sample_cases
from editfoundry.evaluation.evaluate import evaluate_editors

CASES = make_cases(16)
CLIP = ColourEncoder()


def test_returning_the_truth_is_always_right() -> None:
    results = evaluate_editors({"truth": return_the_truth(CASES)}, CASES, CLIP).results["truth"]
    assert all(r.correct for r in results)


def test_returning_the_input_is_never_right_and_preserves_infinitely_well() -> None:
    results = evaluate_editors({"input": return_the_input}, CASES, CLIP).results["input"]
    assert {r.outcome for r in results} == {"input"}
    assert {r.preservation_psnr for r in results} == {math.inf}


def test_an_editor_that_knows_half_of_the_answers_is_right_on_exactly_those() -> None:
    known = [c.id for c in CASES[::2]]
    results = evaluate_editors({"half": return_the_truth(CASES, only=known)}, CASES, CLIP).results["half"]
    assert [r.id for r in results if r.correct] == known


def test_an_infinite_psnr_is_valid_json() -> None:
    result = evaluate_editors({"input": return_the_input}, CASES[:1], CLIP).results["input"][0]
    row = json.loads(json.dumps(result.to_row(), allow_nan=False))
    assert row["preservation_psnr"] == "inf"
    assert float(row["preservation_psnr"]) == math.inf


def test_the_clip_score_is_the_cosine_of_image_and_output_caption() -> None:
    evaluation = evaluate_editors({"truth": return_the_truth(CASES)}, CASES, CLIP, batch_size=5)
    images = CLIP.encode_images([Image.fromarray(c.true_output) for c in CASES])
    texts = CLIP.encode_texts([c.output_caption for c in CASES])
    expected = torch.nn.functional.cosine_similarity(images, texts)
    assert [r.clip_score for r in evaluation.results["truth"]] == pytest.approx(expected.tolist(), abs=1e-6)
    assert evaluation.clip_references["truth"] == pytest.approx(float(expected.mean()), abs=1e-6)


def test_results_do_not_depend_on_the_batch_size() -> None:
    one, many = (evaluate_editors({"x": return_the_input}, CASES, CLIP, batch_size=b) for b in (1, 7))
    assert one.results == many.results


def test_every_editor_gets_the_same_seed_for_a_case() -> None:
    received: dict[str, list[int]] = {"a": [], "b": []}

    def recorder(name: str):  # type: ignore[no-untyped-def]
        def edit(requests: Sequence[EditRequest]) -> list[Image.Image]:
            received[name] += [request.seed for request in requests]
            return [request.image for request in requests]

        return editor_of(edit)

    evaluate_editors({"a": recorder("a"), "b": recorder("b")}, CASES, CLIP, seed=9, batch_size=3)
    assert received["a"] == received["b"] == [case_seed(c, 9) for c in CASES]
    assert len(set(received["a"])) == len(CASES)


def test_each_way_to_fail_is_recorded_for_its_item_and_the_others_are_scored() -> None:
    nan = Image.fromarray(np.full((64, 64), np.nan, dtype=np.float32))
    strange = {0: "raise", 1: Image.new("RGB", (32, 64)), 2: nan, 3: np.zeros((64, 64, 3))}
    by_instruction = {(CASES[i].instruction, CASES[i].input_image.tobytes()): v for i, v in strange.items()}

    def edit(requests: Sequence[EditRequest]) -> list[Image.Image]:
        outputs = [by_instruction.get((r.instruction, r.image.tobytes()), r.image) for r in requests]
        if any(isinstance(o, str) for o in outputs):
            raise RuntimeError("out of paint")
        return outputs  # type: ignore[return-value]

    evaluation = evaluate_editors({"frail": editor_of(edit)}, CASES, CLIP, batch_size=8)
    results = evaluation.results["frail"]
    assert [r.failure for r in results[:5]] == ["crashed", "wrong-size", "not-finite", "wrong-type", None]
    assert results[0].detail == "RuntimeError: out of paint"
    assert all(not r.correct and r.clip_score is None and r.preservation_mse is None for r in results[:4])
    assert all(r.failure is None and r.clip_score is not None for r in results[4:])
    assert evaluation.failures("frail") == {"crashed": 1, "not-finite": 1, "wrong-size": 1, "wrong-type": 1}


def test_an_editor_that_returns_too_few_images_fails_on_each() -> None:
    evaluation = evaluate_editors({"lazy": editor_of(lambda requests: [])}, CASES[:3], CLIP)
    assert evaluation.failures("lazy") == {"wrong-count": 3}


def test_cases_to_show_are_drawn_by_seed_for_each_category() -> None:
    shown = evaluate_editors({"x": return_the_input}, CASES, CLIP, num_shown_per_category=2, seed=1).shown
    assert [s.case.category for s in shown] == [c for c in order_categories(CATEGORIES) for _ in range(2)]
    assert [s.case.id for s in shown] == [c.id for c in sample_cases(CASES[::-1], 2, seed=1)]
    assert [c.id for c in sample_cases(CASES, 2, seed=1)] != [c.id for c in sample_cases(CASES, 2, seed=2)]


def test_a_benchmark_that_cannot_be_scored_is_refused_before_any_edit() -> None:
    with pytest.raises(BadInputError, match="no cases"):
        evaluate_editors({"x": return_the_input}, [], CLIP)
    with pytest.raises(BadInputError, match="no editor"):
        evaluate_editors({}, CASES, CLIP)
    with pytest.raises(BadInputError, match="more than once.*case-0-000"):
        evaluate_editors({"x": return_the_input}, [CASES[0], CASES[0]], CLIP)
