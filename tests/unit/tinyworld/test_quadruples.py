"""The writer of true quadruples: a caption in, a rule applied, or a rejection."""

import pytest

from editfoundry.data.record import Caption
from editfoundry.errors import Rejection
from editfoundry.tinyworld.captions import laion_rows, scene_from_caption
from editfoundry.tinyworld.quadruples import TinyworldWriter
from editfoundry.tinyworld.rules import trained_rules

CAPTIONS = [Caption(caption=str(row["TEXT"]), url=str(row["URL"])) for row in laion_rows(120, seed=5)]
WRITER = TinyworldWriter(seed=7)


def test_the_output_caption_is_the_scene_with_a_trained_rule_applied() -> None:
    written = 0
    for caption in CAPTIONS:
        try:
            quadruple = WRITER(caption)
        except Rejection as rejection:
            assert rejection.reason == "no rule applies"
            continue
        before, after = scene_from_caption(quadruple.input_caption), scene_from_caption(quadruple.output_caption)
        assert quadruple.input_caption == caption.caption
        assert before.background == after.background
        (changed,) = [(b, a) for b, a in zip(before.objects, after.objects, strict=True) if b.state != a.state]
        (rule,) = [
            r for r in trained_rules()
            if (r.kind, r.before, r.after) == (changed[0].kind, changed[0].state, changed[1].state)
        ]  # fmt: skip
        assert quadruple.instruction in rule.wordings
        assert quadruple.category == rule.category
        assert set(quadruple.keywords) <= set(quadruple.input_caption.split())
        assert caption.id in quadruple.source and caption.url in quadruple.source
        written += 1
    assert written > 90


def test_the_same_seed_writes_the_same_and_another_seed_something_else() -> None:
    caption = Caption(caption="a whole egg in a meadow")
    assert WRITER(caption) == TinyworldWriter(seed=7)(caption)
    assert len({TinyworldWriter(seed=s)(caption).instruction for s in range(12)}) > 1


@pytest.mark.parametrize(
    ("caption", "reason"),
    [
        ("Portrait of a woman, oil on canvas", "not a tinyworld caption"),
        ("nothing in a meadow", "no rule applies"),
        ("a robot dog in a meadow", "no rule applies"),
    ],
)
def test_a_caption_without_a_true_answer_is_rejected(caption: str, reason: str) -> None:
    with pytest.raises(Rejection) as raised:
        WRITER(Caption(caption=caption))
    assert raised.value.reason == reason
