"""The measure of written instructions, with a model whose truth is known."""

from chat_server import Reply, chat_server

from editfoundry.pretraining.measure_instructions import held_out_captions, measure_instructions
from editfoundry.profiles import load_profile
from editfoundry.synthesis.instructions.config import InstructionConfig
from editfoundry.tinyworld.captions import scene_from_caption
from editfoundry.tinyworld.scene_sampling import is_held_out


def test_captions_are_all_different_and_of_held_out_scenes():
    texts = [caption.caption for caption in held_out_captions(60)]
    assert len(set(texts)) == 60
    # A scene that is held out for a colour which its caption leaves open cannot be told by that.
    assert sum(is_held_out(scene_from_caption(text)) for text in texts) > 40


def test_true_and_untrue_answers_are_counted(tmp_path):
    texts = [caption.caption for caption in held_out_captions(8)]

    def respond(body, before):
        caption = body["messages"][-1]["content"].removesuffix("\n##\n")
        place = texts.index(caption)
        if place == 0:
            return Reply("I will not.")
        scene = scene_from_caption(caption)
        elsewhere = "on a street" if scene.background.phrase != "on a street" else "in a forest"
        told = elsewhere if place > 3 else "at night"
        return Reply(f"Set the scene {told}.\n%%\n{caption.replace(scene.background.phrase, elsewhere)}")

    with chat_server(respond) as server:
        path = tmp_path / "mine.toml"
        path.write_text(
            f'[language_model]\nmodel = "endpoint:tiny"\noptions = {{ base_url = "{server.url}" }}\n'
            '[clip]\nmodel = "package:clip"\n'
        )
        measured = measure_instructions(load_profile(path), InstructionConfig(), 8)
    assert measured == {
        "answers_valid_and_true": 4 / 8,
        "answers_valid": 7 / 8,
        "written_true": 4 / 7,
        "captions_with_instruction": 7 / 8,
        "num_captions": 8,
        "true_by_kind": {"background": 4},
    }
