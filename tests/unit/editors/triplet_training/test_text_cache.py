from pathlib import Path

import torch
from tiny_models import tiny_pipeline

from editfoundry.editors.families.instruct_pix2pix.instruction_embeds import embed_instructions, tokenize
from editfoundry.editors.triplet_training.text_cache import embedded, text_cache

TEXTS = ["melt it", "add a cat", "melt it"]


def test_distinct_instructions_are_embedded_once_and_row_zero_is_the_null_condition(tmp_path: Path) -> None:
    pipeline = tiny_pipeline()
    cache = text_cache(tmp_path / "texts", TEXTS, pipeline.tokenizer, pipeline.text_encoder, embed=True)
    assert cache.rows.tolist() == [1, 2, 1]
    assert cache.embeds is not None
    expected = embed_instructions(pipeline, ["", "melt it", "add a cat"], torch.device("cpu"))
    torch.testing.assert_close(torch.tensor(cache.embeds), expected)


def test_a_dropped_instruction_reads_row_zero(tmp_path: Path) -> None:
    pipeline = tiny_pipeline()
    cache = text_cache(tmp_path / "texts", TEXTS, pipeline.tokenizer, pipeline.text_encoder, embed=False)
    keep = torch.zeros(3, cache.num_tokens, dtype=torch.bool)
    read = cache.read(torch.tensor([0, 1, 2]), torch.tensor([False, False, True]), keep)
    assert cache.embeds is None and torch.equal(read, tokenize(pipeline.tokenizer, ["melt it", "add a cat", ""]))
    kept = text_cache(tmp_path / "embeds", TEXTS, pipeline.tokenizer, pipeline.text_encoder, embed=True)
    embeds = kept.read(torch.tensor([0, 1, 2]), torch.tensor([False, False, True]), keep)
    assert embeds.is_floating_point() and embedded(embeds, pipeline.text_encoder, trains=False) is embeds
    torch.testing.assert_close(embedded(read, pipeline.text_encoder, trains=False), embeds)


def test_gradients_reach_an_encoder_that_trains_and_no_other(tmp_path: Path) -> None:
    pipeline = tiny_pipeline()
    tokens = tokenize(pipeline.tokenizer, TEXTS)
    assert embedded(tokens, pipeline.text_encoder, trains=True).requires_grad
    assert not embedded(tokens, pipeline.text_encoder, trains=False).requires_grad


def test_tokens_are_left_out_of_rows_as_if_their_words_had_not_been_there(tmp_path: Path) -> None:
    pipeline = tiny_pipeline()
    cache = text_cache(tmp_path / "texts", TEXTS, pipeline.tokenizer, pipeline.text_encoder, embed=False)
    drop = torch.zeros(3, cache.num_tokens, dtype=torch.bool)
    tokens = tokenize(pipeline.tokenizer, ["add a cat", "a cat", ""])
    drop[1, 1 : 1 + len(pipeline.tokenizer("add", add_special_tokens=False).input_ids)] = True
    drop[2] = True
    assert torch.equal(cache.read(torch.tensor([1, 1, 1]), torch.zeros(3, dtype=torch.bool), drop), tokens)
