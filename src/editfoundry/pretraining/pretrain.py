"""Trains the embedded models, ships them with their cards, and measures them."""

from __future__ import annotations

import logging
import shutil
from collections.abc import Mapping
from dataclasses import fields, replace
from pathlib import Path
from typing import Any

from editfoundry.errors import BadInputError
from editfoundry.pretrained.runtime import choose_runtime
from editfoundry.pretraining.all_pretrainings import PRETRAININGS, VAE_FOLDER
from editfoundry.pretraining.card import read_card, steps_of, training_facts, update_card
from editfoundry.pretraining.job import Job, Pretraining
from editfoundry.pretraining.kept_weights import keep_share, read_weights
from editfoundry.pretraining.measure import MEASURES
from editfoundry.pretraining.model_trainee import PretrainingConfig
from editfoundry.pretraining.shared_files import share_equal_files, unshare_files
from editfoundry.pretraining.shipping import give_autoencoder
from editfoundry.profiles import EMBEDDED_FOLDER, Profile, load_profile
from editfoundry.tracking.mlflow_client import default_tracking_uri

DRAWING_NICENESS = 10
"""Of processes that draw ahead, while trainings want the cores too."""


def pretrain(
    name: str,
    work_dir: Path,
    num_steps: int | None,
    device: str,
    continue_shipped: bool = False,
    out: Path = EMBEDDED_FOLDER,
    ends_at: float | None = None,
    is_tracked: bool = True,
    shares: bool = True,
    num_examples: int | None = None,
    settings: Mapping[str, Any] | None = None,
    kept_share: float = 0.0,
) -> dict[str, Any]:
    """Train one of `PRETRAININGS` from tinyworld, resuming what was interrupted.

    ``diffusion`` puts ``text_to_image`` and ``editor_base`` into ``out``, ``clip`` puts ``clip`` there; the autoencoder
    stays in ``work_dir`` and is shipped within the diffusion models. ``vae_decoder`` gives a better decoder to those in
    ``out`` that have the autoencoder. Equal files in ``out`` lie there once.

    Args:
        name: of the pretraining.
        work_dir: gets caches and checkpoints.
        num_steps: optimizer steps; by default those of the shipped model.
        device: ``auto``, ``cpu`` or ``cuda``.
        continue_shipped: train the model in ``out``, or else the package's, on, in a ``work_dir`` without its
            optimizer's state; the denoiser with the autoencoder in ``work_dir``, if there is one.
        out: folder of the embedded models; those that are missing there and are needed come from the package.
        ends_at: Unix time by which the training has to be over.
        is_tracked: whether MLflow's log is written, into ``work_dir``.
        num_examples: pictures, pairs or edits to learn from; by default each recipe's own number.
        shares: whether equal files in ``out`` are made links; not while others write there.
        settings: of the pretraining's configuration, in the place of its own, for example ``learning_rate``.
        kept_share: of the weights that ``continue_shipped`` starts from, in the average that is shipped; see
            `kept_weights`.

    Raises:
        BadInputError: there is no such pretraining, the autoencoder is not there yet, ``continue_shipped`` is asked of
            another model, or ``work_dir`` holds the state of a training with other settings.
    """
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(message)s")
    if name not in PRETRAININGS:
        raise BadInputError(f"no pretraining {name!r}: they are {', '.join(PRETRAININGS)}")
    if kept_share and (not continue_shipped or name == "vae"):
        raise BadInputError(
            f"{name}: a share of the earlier weights is kept with continue_shipped alone, and of no vae"
        )
    recipe, target = PRETRAININGS[name], choose_runtime(device, "float32").device
    uri = default_tracking_uri(work_dir) if is_tracked else None
    config = replace(recipe.config_on(target), mlflow_tracking_uri=uri, ends_at=ends_at)
    if num_steps is not None:
        config = replace(config, num_steps=num_steps)
    job = Job(
        work_dir=work_dir,
        device=target,
        config=config,
        models=models_in(out),
        num_examples=num_examples,
        examples=recipe.examples_on(target),
    )
    before: dict[str, Any] = {}
    if continue_shipped:
        job, before = _continued(name, job, out)
    job = replace(job, config=_with_settings(name, job.config, settings or {}))
    models, result = recipe.train(job)
    facts = training_facts(job.config, result, target)
    facts |= {"kept_share": kept_share} if kept_share else {}
    facts |= {"continued_from": before} if before else {}
    if shares:
        # Else a model that is replaced would take others, which have links to its files, with it.
        unshare_files(out)
    for role, save in models.items():
        folder = work_dir / VAE_FOLDER if role == "vae" else out / role
        earlier = read_weights(folder if folder.is_dir() else EMBEDDED_FOLDER / role) if kept_share else {}
        shutil.rmtree(folder, ignore_errors=True)
        parameters = save(folder)
        if kept_share:
            keep_share(folder, earlier, kept_share)
        if role != "vae":
            update_card(folder, role, parameters=parameters, training=facts)
    trained = [*models]
    if name == "vae_decoder":
        trained = give_autoencoder(out, work_dir / VAE_FOLDER)
    if shares:
        share_equal_files(out)
    return {**facts, "models": ", ".join(trained) or "none: no model there has this autoencoder"}


def _with_settings(name: str, config: PretrainingConfig, settings: Mapping[str, Any]) -> PretrainingConfig:
    """Return the configuration with some settings of its own.

    Raises:
        BadInputError: it has no such setting, or the setting cannot have that value.
    """
    unknown = sorted(settings.keys() - {field.name for field in fields(config)})
    if unknown:
        raise BadInputError(f"{name}: has no setting {unknown[0]!r}: leave it out")
    return replace(config, **settings)


def draw_pictures(
    name: str,
    work_dir: Path,
    device: str,
    num_examples: int | None = None,
    continue_shipped: bool = False,
    out: Path = EMBEDDED_FOLDER,
) -> None:
    """Draw what a training learns from, ahead of it; see `Pretraining.draw`. The arguments are those of `pretrain`.

    Raises:
        BadInputError: its pictures cannot be drawn before the models that it starts from are there.
    """
    recipe, target = PRETRAININGS[name], choose_runtime(device, "float32").device
    if recipe.draw is None:
        raise BadInputError(f"{name}: its pictures are drawn as it begins")
    numbers = recipe.examples_on(target)
    if num_examples is not None:
        numbers = dict.fromkeys(recipe.examples_on_gpu, num_examples)
    continues = continue_shipped and recipe.draws_on
    seeds = {"data_seed": steps_of(read_card(_shipped(recipe, out)))} if continues else {}
    recipe.draw(work_dir, **numbers, **seeds)


def models_in(folder: Path) -> Profile:
    """Return the embedded profile, with the models that are in ``folder`` in the place of the package's."""
    shipped = load_profile("embedded")

    def there(source: str) -> str:
        own = folder / source.removeprefix("package:")
        return str(own.resolve()) if folder != EMBEDDED_FOLDER and own.is_dir() else source

    models = {
        role: replace(
            model, source=there(model.source), image_encoder=model.image_encoder and there(model.image_encoder)
        )
        for role, model in shipped.models.items()
    }
    return replace(shipped, models=models)


def _continued(name: str, job: Job, out: Path) -> tuple[Job, dict[str, Any]]:
    """Return the job that trains on what is in ``out``, and what that one's card says of its training."""
    recipe = PRETRAININGS[name]
    if recipe.continued_role is None:
        known = ", ".join(name for name, other in PRETRAININGS.items() if other.continued_role)
        raise BadInputError(f"{name}: only {known} can be continued from what is shipped")
    shipped = _shipped(recipe, out)
    card = read_card(shipped)
    # What it has learned from is not drawn again.
    seed = job.config.seed + steps_of(card)
    config = replace(job.config, learning_rate=recipe.continued_rate * job.config.learning_rate, seed=seed)
    return replace(job, config=config, shipped=shipped), card.get("training", {})


def measure(role: str, device: str, profile: str = "embedded") -> dict[str, float]:
    """Measure a shipped model on held-out scenes and write the figures into its card.

    Raises:
        MissingModelError: the model, or the CLIP it is judged by, is not there.
    """
    if role not in MEASURES:
        raise BadInputError(f"no measure of {role!r}: roles are {', '.join(MEASURES)}")
    chosen = load_profile(profile)
    measured = MEASURES[role](chosen, choose_runtime(device, "float32"))
    # Finished editors play no role in other stages, so no profile names them.
    folder = Path(chosen.model(role).location) if role in chosen.models else EMBEDDED_FOLDER / role
    update_card(folder, role, measured=measured)
    return measured


def _shipped(recipe: Pretraining, out: Path) -> Path:
    return next(folder / str(recipe.continued_role) for folder in (out, EMBEDDED_FOLDER) if _is_there(folder, recipe))


def _is_there(folder: Path, recipe: Pretraining) -> bool:
    return folder == EMBEDDED_FOLDER or (folder / str(recipe.continued_role)).is_dir()
