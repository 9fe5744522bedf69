from pathlib import Path

import numpy as np
import torch
from tiny_models import tiny_pipeline

from editfoundry.editors.families.instruct_pix2pix.instruction_embeds import embed_instructions, tokenize
from editfoundry.editors.triplet_training.text_cache import text_cache

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
    rows = cache.rows_of(torch.tensor([0, 1, 2]), torch.tensor([False, False, True]))
    assert rows.tolist() == [1, 2, 0] and cache.embeds is None


def test_tokens_are_left_out_of_rows_as_if_their_words_had_not_been_there(tmp_path: Path) -> None:
    pipeline = tiny_pipeline()
    cache = text_cache(tmp_path / "texts", TEXTS, pipeline.tokenizer, pipeline.text_encoder, embed=False)
    drop = torch.zeros(3, cache.num_tokens, dtype=torch.bool)
    tokens = tokenize(pipeline.tokenizer, ["add a cat", "a cat", ""])
    drop[1, 1 : 1 + len(pipeline.tokenizer("add", add_special_tokens=False).input_ids)] = True
    drop[2] = True
    assert torch.equal(cache.tokens_of(np.array([2, 2, 2]), drop), tokens)
