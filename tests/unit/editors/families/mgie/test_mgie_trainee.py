import json
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
from accelerate import Accelerator
from accelerate.state import AcceleratorState
from diffusers.models.autoencoders.vae import DiagonalGaussianDistribution
from safetensors.torch import load_file
from tiny_emu_edit import save_editor
from tiny_mgie import tiny_mgie_training
from tiny_models import tiny_image, tiny_pipeline

from editfoundry.editors.families.mgie.model import Imagined, MgieModel, load_mgie
from editfoundry.editors.families.mgie.picture_tokens import picture_token_ids
from editfoundry.editors.families.mgie.trainee import MgieTrainee
from editfoundry.editors.families.mgie.training_config import MgieTraining
from editfoundry.editors.open_editor import open_editor
from editfoundry.editors.train import train_editor
from editfoundry.errors import BadInputError
from editfoundry.pretrained.runtime import choose_runtime
from editfoundry.synthesis.expressive.question import question
from editfoundry.training.failures import TrainingInterrupted
from editfoundry.training.optimizer import make_optimizer
from editfoundry.training.trainee import Modules
from editfoundry.training.validation import evaluating

CPU = choose_runtime("cpu")


@pytest.fixture(scope="module")
def config(tmp_path_factory: pytest.TempPathFactory) -> MgieTraining:
    return tiny_mgie_training(tmp_path_factory.mktemp("mgie"))


@pytest.fixture(scope="module")
def trained(config: MgieTraining) -> MgieTraining:
    train_editor(config)
    return config


def stop_after(num_steps: int) -> Callable[[], bool]:
    calls = iter(range(1, 1000))
    return lambda: next(calls) >= num_steps


def weights(folder: Path) -> dict[str, torch.Tensor]:
    found = {}
    for part in ("unet", "vae", "edit_head", "mllm"):
        for path in (folder / part).glob("*.safetensors"):
            found.update({f"{part}/{name}": value for name, value in load_file(path).items()})
    return found


def loaded_trainee(config: MgieTraining) -> tuple[MgieTrainee, Modules]:
    torch.manual_seed(config.seed)
    trainee = MgieTrainee.load(config, Accelerator(cpu=True))
    return trainee, [part.module for part in trainee.parts]


def test_the_loss_is_the_answers_cross_entropy_and_half_the_denoising_error(config: MgieTraining) -> None:
    trainee, modules = loaded_trainee(replace(config, conditioning_dropout=0.0))
    batch, llava = trainee.batch(0, slice(0, 4)), trainee.model.mllm
    # Each chat as transformers' own forward pass reads it, from pixels, unpadded.
    total, count, states = torch.zeros(()), 0, []
    order = trainee.data.groups[0].order.indices(0, 4).tolist()
    ids = list(picture_token_ids(llava.processor.tokenizer))
    for number in order:
        instruction = ("melt it", "add a cat", "break the egg")[number % 3]
        chat = llava.processor.apply_chat_template(
            [{"role": "user", "content": [{"type": "image"}, {"type": "text", "text": question(instruction)}]}],
            add_generation_prompt=True,
            tokenize=False,
        )
        said = f" a {number % 3} thing"
        inputs = llava.processor(text=[chat + said], images=[[tiny_image(2 * number)]], return_tensors="pt")
        inputs["input_ids"] = torch.cat([inputs["input_ids"], torch.tensor([[*ids, 1]])], dim=1)
        inputs["attention_mask"] = torch.ones_like(inputs["input_ids"])
        labels = inputs["input_ids"].clone()
        num_said = len(said) + 9
        labels[:, :-num_said] = -100
        with torch.no_grad():
            found = llava.model(**inputs, labels=labels, output_hidden_states=True)
        total, count = total + found.loss * num_said, count + num_said
        states.append(found.hidden_states[-1][0, -10:-2])
    embeds = llava.model.get_input_embeddings().weight[ids]
    with torch.no_grad():
        told = trainee.model.edit_head(torch.stack(states), embeds)
        posterior = DiagonalGaussianDistribution(batch.pictures[2])
        latents = trainee.model.pipeline.vae.config.scaling_factor * (
            posterior.mean + posterior.std * batch.posterior_noise
        )
        noisy = trainee.scheduler.add_noise(latents, batch.noise, batch.timesteps)
        prediction = trainee.model.pipeline.unet(torch.cat([noisy, batch.pictures[1]], 1), batch.timesteps, told)[0]
        expected = total / count + 0.5 * (prediction - batch.noise).square().mean()
        torch.testing.assert_close(trainee.loss(modules, batch), expected, atol=1e-4, rtol=1e-4)


def test_a_dropped_instruction_is_replaced_by_the_head_of_nothing_and_a_dropped_picture_by_zeros(
    config: MgieTraining,
) -> None:
    trainee, modules = loaded_trainee(replace(config, conditioning_dropout=1 / 3))
    batch, seen = trainee.batch(0, slice(0, 4)), []
    hook = modules[0].register_forward_pre_hook(
        lambda _, args, kwargs: seen.append((args[0], kwargs["encoder_hidden_states"])), with_kwargs=True
    )
    trainee.loss(modules, batch)
    hook.remove()
    [(sample, attended)] = seen
    ids = list(picture_token_ids(trainee.model.mllm.processor.tokenizer))
    null = trainee.model.edit_head.null(trainee.model.mllm.model.get_input_embeddings().weight[ids])[0]
    is_null = torch.tensor([torch.allclose(row, null, atol=1e-5) for row in attended])
    is_blank = sample[:, 4:].abs().amax((1, 2, 3)) == 0
    assert torch.equal(is_null, batch.drop_text) and torch.equal(is_blank, batch.drop_image)
    assert 0 < int(is_null.sum()) < 4


def test_embeddings_head_edit_head_and_unet_train_and_nothing_else(trained: MgieTraining) -> None:
    before = MgieTrainee.load(replace(trained, output=trained.output / "x"), Accelerator(cpu=True)).model
    mllm = {f"mllm/{name}": value for name, value in before.mllm.model.state_dict().items()}
    start = {**mllm, **{f"vae/{name}": value for name, value in before.pipeline.vae.state_dict().items()}}
    start.update({f"unet/{name}": value for name, value in before.pipeline.unet.state_dict().items()})
    after = load_mgie(trained.output, CPU)
    changed = {
        f"{part}/{name}"
        for part, module in (("mllm", after.mllm.model), ("vae", after.pipeline.vae), ("unet", after.pipeline.unet))
        for name, value in module.state_dict().items()
        if not torch.equal(value, start[f"{part}/{name}"])
    }
    assert {name for name in changed if name.startswith("mllm")} == {
        "mllm/model.language_model.embed_tokens.weight",
        "mllm/lm_head.weight",
    }
    assert not any(name.startswith("vae") for name in changed)
    assert sum(name.startswith("unet") for name in changed) == sum(name.startswith("unet") for name in start)
    assert not torch.equal(after.edit_head.queries, before.edit_head.queries)


@pytest.mark.parametrize("reaches", [True, False])
def test_the_denoising_loss_reaches_the_language_model_unless_it_is_kept_from_it(
    config: MgieTraining, reaches: bool
) -> None:
    gradients = []
    for weight in (0.5, 5.0):
        trainee, modules = loaded_trainee(replace(config, edit_loss_weight=weight, edit_loss_reaches_mllm=reaches))
        trainee.loss(modules, trainee.batch(0, slice(0, 4))).backward()
        gradients.append(trainee.trained_mllm.embeddings.weight.grad)
        assert modules[1].queries.grad.abs().max() > 0
    assert torch.equal(*gradients) == (not reaches)


def taught(config: MgieTraining, **settings: object) -> MgieTraining:
    """A head that learns from the text encoder, and gives as many tokens."""
    return replace(config, text_loss_weight=2.0, num_queries=tiny_pipeline().tokenizer.model_max_length, **settings)


def test_the_edit_head_learns_what_the_text_encoder_says_of_the_same_words(config: MgieTraining) -> None:
    chosen = taught(config, conditioning_dropout=1 / 3, edit_loss_weight=0.0, trains_unet=False)
    trainee, modules = loaded_trainee(chosen)
    batch = trainee.batch(0, slice(0, 4))
    order = trainee.data.groups[0].order.indices(0, 4).tolist()
    encoder = tiny_pipeline()
    texts = ["" if drop else f"a {n % 3} thing" for n, drop in zip(order, batch.drop_text, strict=True)]
    assert 0 < texts.count("") < 4
    ids = encoder.tokenizer(texts, padding="max_length", truncation=True, return_tensors="pt").input_ids
    told = trainee.trained_mllm(batch.texts[:, 0], batch.texts[:, 1], batch.pictures[0])
    head = trainee.model.edit_head
    given = torch.where(batch.drop_text[:, None, None], head.null(told.token_embeds), head(*told[1:]))
    with torch.no_grad():
        expected = told.loss + 2 * (given - encoder.text_encoder(ids)[0]).square().mean()
    trainee.model.pipeline.unet.forward = None  # type: ignore[method-assign, assignment]  # it is not asked
    torch.testing.assert_close(trainee.loss(modules, batch), expected, atol=1e-5, rtol=1e-5)


def test_with_the_denoising_loss_beside_it_the_three_are_added(config: MgieTraining) -> None:
    losses = []
    for weights in ({"edit_loss_weight": 0.0, "trains_unet": False}, {}, {"text_loss_weight": 0.0}):
        trainee, modules = loaded_trainee(replace(taught(config), **weights))
        batch = trainee.batch(0, slice(0, 4))
        told = trainee.trained_mllm(batch.texts[:, 0], batch.texts[:, 1], batch.pictures[0]).loss
        losses.append(trainee.loss(modules, batch) - told)
    torch.testing.assert_close(losses[0] + losses[2], losses[1], atol=1e-5, rtol=1e-5)


def test_what_is_left_as_it_is_stays_to_the_last_bit_and_blocks_train_where_they_are_told_to(
    config: MgieTraining,
) -> None:
    chosen = replace(config, trains_unet=False, trains_mllm_blocks=True, output=config.output.with_name("blocks"))
    trainee, modules = loaded_trainee(chosen)
    start = {
        **{f"unet/{name}": value.clone() for name, value in trainee.model.pipeline.unet.state_dict().items()},
        **{f"mllm/{name}": value.clone() for name, value in trainee.model.mllm.model.state_dict().items()},
    }
    assert len(modules) == 2
    train_editor(chosen)
    after = load_mgie(chosen.output, CPU)
    found = {
        **{f"unet/{name}": value for name, value in after.pipeline.unet.state_dict().items()},
        **{f"mllm/{name}": value for name, value in after.mllm.model.state_dict().items()},
    }
    changed = {name for name, value in found.items() if not torch.equal(value, start[name])}
    of_blocks = {name for name in start if ".language_model." in name or "lm_head" in name}
    assert changed == of_blocks and any(".layers." in name for name in of_blocks)


def test_a_head_that_cannot_learn_from_the_text_encoder_is_refused(config: MgieTraining, trained: MgieTraining) -> None:
    with pytest.raises(BadInputError, match=r"num_queries is 5, but must be \d+ where text_loss_weight is on"):
        loaded_trainee(replace(config, text_loss_weight=1.0))
    own = replace(config, editor=str(trained.output), mllm="", text_loss_weight=1.0)
    with pytest.raises(BadInputError, match="has no text encoder: name the editor that has it as text_loss_editor"):
        loaded_trainee(own)
    with pytest.raises(BadInputError, match=r"num_queries is 5, .* encoder of .*base gives"):
        loaded_trainee(replace(own, text_loss_editor=config.editor))
    with pytest.raises(BadInputError, match="text_loss_editor is .*, but must be empty where text_loss_weight is 0"):
        replace(config, text_loss_editor=config.editor)
    with pytest.raises(BadInputError, match="no loss is left"):
        replace(config, edit_loss_weight=0.0)
    with pytest.raises(BadInputError, match="nothing else teaches the UNet"):
        replace(config, edit_loss_weight=0.0, text_loss_weight=1.0)
    with pytest.raises(BadInputError, match="trains_mllm_blocks is True, but must be false where trains_mllm is off"):
        replace(config, trains_mllm=False, trains_mllm_blocks=True)


def test_a_trained_editor_edits_in_words(trained: MgieTraining) -> None:
    from function_editors import request

    editor = open_editor(str(trained.output), CPU, num_inference_steps=2)
    [edit] = editor.edit([request(tiny_image(1))])
    assert edit.image is not None and edit.words is not None
    summary = json.loads((trained.output / "training.json").read_text())
    assert summary["num_triplets"] == 8 and {"dataset_hash", "editor_hash", "mllm_hash"} <= set(summary)


def test_a_stopped_run_goes_on_exactly(trained: MgieTraining) -> None:
    config = replace(trained, output=trained.output.with_name("stopped"))
    with pytest.raises(TrainingInterrupted):
        train_editor(config, stop_after(2))
    states = list((config.output / ".resume").glob("step-*/model_2.safetensors"))
    held = {name for path in states for name in load_file(path)}
    assert held == {"embeddings.weight", "own_head.weight"}
    train_editor(config)
    straight, resumed = weights(trained.output), weights(config.output)
    assert straight.keys() == resumed.keys()
    assert all(torch.equal(straight[name], resumed[name]) for name in straight)


def test_each_part_learns_at_its_own_rate(config: MgieTraining) -> None:
    trainee, _ = loaded_trainee(config)
    assert config.learning_rate == 1e-4 and config.mllm_learning_rate == 5e-4
    assert [part.learning_rate_scale for part in trainee.parts] == [1.0, 1.0, pytest.approx(5.0)]
    assert len(make_optimizer(config, trainee.parts).param_groups) == 2


@pytest.mark.parametrize(
    "settings",
    [{"sees_picture": False}, {"trains_mllm": False}, {"gradient_checkpointing": True}, {"cache_latents": False}],
    ids=str,
)
def test_variants_train(config: MgieTraining, settings: dict[str, bool]) -> None:
    variant = replace(config, **settings, output=config.output.with_name(str(settings)), num_steps=2)
    train_editor(variant)
    model = load_mgie(variant.output, CPU)
    assert model.sees_picture == settings.get("sees_picture", True)
    start = MgieTrainee.load(variant, Accelerator(cpu=True)).model.mllm.model.get_input_embeddings().weight
    is_same = torch.equal(model.mllm.model.get_input_embeddings().weight, start)
    assert is_same == (not settings.get("trains_mllm", True))


def test_an_emu_edit_editor_becomes_one_of_words_and_all_that_trains_learns(
    config: MgieTraining, tmp_path: Path
) -> None:
    """Where several processes train, each waits for the gradient of everything that trains."""
    trainee, modules = loaded_trainee(replace(config, editor=str(save_editor(tmp_path / "emu"))))
    trainee.loss(modules, trainee.batch(0, slice(0, 4))).backward()
    assert trainee.model.pipeline.unet.time_embedding.cond_proj is not None
    for module in modules:
        assert not [name for name, own in module.named_parameters() if own.requires_grad and own.grad is None]


def test_checkpointed_and_encoded_anew_the_loss_is_the_same(config: MgieTraining) -> None:
    plain, modules = loaded_trainee(config)
    loss = plain.loss(modules, plain.batch(0, slice(0, 4)))
    for settings in ({"gradient_checkpointing": True}, {"cache_latents": False}):
        other, others = loaded_trainee(replace(config, **settings))
        torch.testing.assert_close(other.loss(others, other.batch(0, slice(0, 4))), loss, atol=1e-5, rtol=1e-5)


def test_checkpointed_a_grid_of_samples_is_the_same(
    config: MgieTraining, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    imagine, told = MgieModel.imagine, []

    def recorded(*given: Any) -> Imagined:
        told.append(imagine(*given))
        return told[-1]

    monkeypatch.setattr(MgieModel, "imagine", recorded)
    grids = []
    for is_on in (False, True):
        trainee, modules = loaded_trainee(replace(config, gradient_checkpointing=is_on))
        with evaluating(modules):
            trainee.write_samples(tmp_path / "grid.png")
        grids.append((tmp_path / "grid.png").read_bytes())
        assert trainee.model.mllm.model.training == is_on
    assert told[0].words == told[1].words and torch.equal(told[0].prompt_embeds, told[1].prompt_embeds)
    assert grids[0] == grids[1]


def test_half_the_flips_show_the_language_model_the_mirrored_picture(config: MgieTraining) -> None:
    trainee, _ = loaded_trainee(replace(config, horizontal_flip=True))
    latents = trainee.data.groups[0].latents
    crops = torch.tensor([[(1.0, 0.5, 0.5)] * 2])
    plain, mirrored = (latents.read(torch.tensor([0]), torch.tensor([[flip, flip]]), crops)[0] for flip in (0, 1))
    from editfoundry.editors.families.mgie.expressive_mllm import features_of

    mllm, image = trainee.model.mllm, tiny_image(0)
    flipped = image.transpose(0)  # type: ignore[arg-type]
    torch.testing.assert_close(plain, features_of(mllm.model, mllm.processor, [image]))
    torch.testing.assert_close(mirrored, features_of(mllm.model, mllm.processor, [flipped]))


def test_training_goes_on_from_a_finished_editor(trained: MgieTraining) -> None:
    further = replace(trained, editor=str(trained.output), mllm="", output=trained.output.with_name("further"))
    trainee, _ = loaded_trainee(further)
    assert torch.equal(trainee.model.edit_head.queries, load_mgie(trained.output, CPU).edit_head.queries)
    train_editor(replace(further, num_steps=1))
    with pytest.raises(BadInputError, match="is an MGIE editor with its own"):
        loaded_trainee(replace(further, mllm=trained.mllm))
    with pytest.raises(BadInputError, match="mllm names no language model"):
        loaded_trainee(replace(trained, mllm=""))


def test_the_validation_loss_is_written(config: MgieTraining) -> None:
    validated = replace(
        config, validation_dataset=config.dataset, validate_every=1, sample_every=2, num_samples=2, num_steps=2,
        output=config.output.with_name("validated"),
    )  # fmt: skip
    summary = train_editor(validated)
    assert len(summary["validation_losses"]) == 2
    assert len(list((validated.output / "samples").glob("*.png"))) == 1


@pytest.fixture
def another_precision() -> Iterator[None]:
    """Accelerate settles it once a process."""
    AcceleratorState._reset_state(reset_partial_state=True)
    yield
    AcceleratorState._reset_state(reset_partial_state=True)


def test_a_language_model_in_half_precision_trains_nearly_as_a_whole_one(
    config: MgieTraining, tmp_path: Path, another_precision: None
) -> None:
    losses = []
    for precision in ("float32", "bfloat16"):
        chosen = replace(config, mixed_precision="bf16", mllm_precision=precision, output=tmp_path / precision)
        losses.append(train_editor(replace(chosen, sample_every=4, num_samples=1))["final_loss"])
    assert losses[0] != losses[1] and losses[1] == pytest.approx(losses[0], rel=0.02)
    opened = load_mgie(tmp_path / "bfloat16", CPU).mllm.model
    table = load_file(tmp_path / "bfloat16" / "mllm" / "model.safetensors")
    kept = {name: value.dtype for name, value in table.items()}
    assert {kept.pop(name) for name in list(kept) if "embed_tokens" in name or "lm_head" in name} == {torch.float32}
    assert set(kept.values()) == {torch.bfloat16} and opened.dtype == torch.float32
    with pytest.raises(BadInputError, match=r"^mllm_precision is 'bfloat16', but must be float32 where mixed_prec"):
        replace(config, mllm_precision="bfloat16")
