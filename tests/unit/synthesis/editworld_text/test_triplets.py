import hashlib
from dataclasses import asdict, replace

import numpy as np
import pytest
import torch
from tiny_painter import tiny_quadruples

from editfoundry.data.shards import write_triplets
from editfoundry.diffusion.decoding import decode
from editfoundry.diffusion.sampling import noise_for, record_generator
from editfoundry.errors import BadInputError
from editfoundry.synthesis.editworld_text.config import TextBranchConfig
from editfoundry.synthesis.editworld_text.steps import encode_batch, paint_inputs
from editfoundry.synthesis.editworld_text.triplets import make_triplets

CONFIG = TextBranchConfig(
    num_input_candidates=3, num_output_candidates=3, num_inference_steps=3, records_per_batch=2, attention_resolution=8
)


@pytest.fixture(scope="module")
def triplets(branch):
    return list(make_triplets(branch, tiny_quadruples(3), CONFIG, []))


def test_each_quadruple_becomes_a_triplet_in_order(triplets):
    assert [t.source for t in triplets] == ["test:0", "test:1", "test:2"]
    assert all(t.input_image.size == t.output_image.size == t.mask.size == (32, 32) for t in triplets)


def test_models_seed_and_all_settings_are_recorded(triplets, branch):
    for triplet in triplets:
        assert {**branch.provenance, **asdict(CONFIG)}.items() <= triplet.provenance.items()


def test_the_chosen_candidates_are_those_with_the_best_recorded_scores(triplets):
    for triplet in triplets:
        scores, provenance = triplet.scores, triplet.provenance
        assert len(provenance["input_candidates_clip"]) == len(provenance["output_candidates_score"]) == 3
        assert scores["clip_input"] == max(provenance["input_candidates_clip"])
        chosen = scores["clip_output"] + scores["clip_direction"]
        assert chosen == pytest.approx(max(provenance["output_candidates_score"]), abs=2e-4)


def test_candidates_are_different_pictures(branch):
    quadruple = tiny_quadruples(1)[0]
    generators = [record_generator(0, quadruple.id, "input", number) for number in range(3)]
    pictures = [image.tobytes() for image in decode(branch.painter, noise_for(branch.painter, generators).latents)]
    assert len(set(pictures)) == 3


def test_recorded_scores_are_those_of_the_pictures(triplets, branch):
    for triplet in triplets:
        first, last = branch.clip.encode_images([triplet.input_image, triplet.output_image])
        before, after = branch.clip.encode_texts([triplet.input_caption, triplet.output_caption])
        direction = torch.nn.functional.cosine_similarity(last - first, after - before, dim=0)
        found = [first @ before, last @ after, first @ last, direction]
        names = ["clip_input", "clip_output", "clip_image", "clip_direction"]
        assert [triplet.scores[name] for name in names] == pytest.approx([float(value) for value in found], abs=2e-3)


def test_the_mask_says_what_share_of_the_picture_may_change(triplets):
    for triplet in triplets:
        mask = np.asarray(triplet.mask)
        assert set(np.unique(mask)) <= {0, 255} and (mask > 0).any()
        assert triplet.scores["mask_share"] == pytest.approx((mask > 0).mean(), abs=1e-4)


def test_painted_latents_and_masks_have_the_latent_size(branch):
    painted, masks = paint_inputs(branch, encode_batch(branch, tiny_quadruples(2), CONFIG))
    assert painted.chosen().latents.shape == (2, 4, 16, 16) and masks.shape == (2, 1, 16, 16)


def test_quadruples_with_unusable_keywords_are_rejected_and_the_others_made(branch):
    good, none, absent, cut = tiny_quadruples(4)
    none = replace(none, keywords=())
    absent = replace(absent, keywords=("moon",))
    cut = replace(cut, input_caption="abc def ghi jkl mno pqr stu vwx egg")
    rejected = []
    made = list(make_triplets(branch, [none, good, absent, cut], CONFIG, rejected))
    assert [t.source for t in made] == [good.source]
    assert [r.reason for r in rejected] == ["no keywords", "keyword not in caption", "keyword not in caption"]
    assert [r.id for r in rejected] == [none.id, absent.id, cut.id]


def test_two_runs_write_the_same_bytes(branch, tmp_path):
    digests = set()
    for run in ("one", "two"):
        write_triplets(tmp_path / run / "00000.tar", make_triplets(branch, tiny_quadruples(2), CONFIG, []))
        files = sorted((tmp_path / run).iterdir())
        digests.add(tuple(hashlib.sha256(file.read_bytes()).hexdigest() for file in files))
    assert len(digests) == 1


@pytest.mark.parametrize(
    "setting", [{"num_input_candidates": 0}, {"records_per_batch": 0}, {"tau": 0.0}, {"guidance_scale": -1.0}]
)
def test_settings_out_of_range_are_named(setting):
    with pytest.raises(BadInputError, match=next(iter(setting))):
        TextBranchConfig(**setting)
