"""The training loop: Accelerate, gradient accumulation, clipping, running average, exact resumption."""

from __future__ import annotations

import logging
import math
import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import timedelta
from typing import Any, NoReturn

import torch
from accelerate import Accelerator, InitProcessGroupKwargs
from accelerate.utils import set_seed
from diffusers.training_utils import EMAModel
from torch import Tensor, nn

from editfoundry.data.output_folder import check_claim, claim_output
from editfoundry.errors import BadInputError
from editfoundry.training.adapters import switch_on, trainable
from editfoundry.training.averaging import averaged_weights
from editfoundry.training.batches import Batch, Draws, draw_step, make_batch, parts_of
from editfoundry.training.conditions import PromptEmbeds, prompt_embeds_from
from editfoundry.training.config import TrainingConfig
from editfoundry.training.failures import TrainingError, TrainingInterrupted, is_lost_process
from editfoundry.training.finished import STAGE, is_trained
from editfoundry.training.history import History
from editfoundry.training.loss import denoising_loss
from editfoundry.training.metrics_log import metrics_log
from editfoundry.training.optimizer import make_optimizer
from editfoundry.training.progress import progress
from editfoundry.training.remote_checkpoints import RemoteCheckpoints
from editfoundry.training.resume import load_resumable, save_resumable
from editfoundry.training.resume_folder import last_good_state
from editfoundry.training.run_folder import writing
from editfoundry.training.samples import write_samples
from editfoundry.training.save import save_checkpoint, whole_unet
from editfoundry.training.schedule import learning_rate
from editfoundry.training.setup import Materials, prepare_materials
from editfoundry.training.stopping import stop_requests
from editfoundry.training.validation import evaluating, validate, validation_draws

log = logging.getLogger(__name__)

Stop = Callable[[], bool]


def train(config: TrainingConfig, should_stop: Stop | None = None) -> None:
    """Fine-tune an editor and leave the checkpoint in ``config.output``; nothing is done where it is there already.

    Under ``accelerate launch`` every process calls this. A run that was interrupted resumes.

    Args:
        config: what to train on what.
        should_stop: asked after every step; by default a SIGINT or SIGTERM stops the run.

    Raises:
        BadInputError: the configuration, the data set or the editor cannot be used.
        TrainingInterrupted: stopped; its state is saved.
        TrainingError: the loss is no longer a number, the disk is full, or another process has ended.
    """
    if is_trained(config):
        log.info("%s is trained already, with the same settings and data", config.output)
        return
    check_claim(config.output, STAGE)
    accelerator = _accelerator(config)
    # LoRA starts at random, the same on every process.
    set_seed(config.seed)
    materials = prepare_materials(config, accelerator)
    if accelerator.is_main_process:
        claim_output(config.output, STAGE)
    if accelerator.is_main_process:
        num_triplets, num_processes = len(materials.latents), accelerator.num_processes
        log.info("training on %d triplets, processes: %d, on %s", num_triplets, num_processes, accelerator.device)
    try:
        run = _Run.start(config, accelerator, materials)
        with stop_requests() as signalled:
            run.fit(should_stop or signalled)
        run.finish()
    except RuntimeError as error:
        if not is_lost_process(error):
            raise
        raise TrainingError(
            f"one of its processes was killed or failed ({' '.join(str(error).split())[:120]}); "
            f"{last_good_state(config.output)}, and the same command goes on from there"
        ) from error


@dataclass
class _Run:
    config: TrainingConfig
    accelerator: Accelerator
    materials: Materials
    unet: nn.Module
    trained: list[nn.Module]
    optimizer: Any
    average: EMAModel | None
    averaged: list[nn.Parameter]
    """Of the UNet."""
    prompt_embeds: PromptEmbeds
    validation: Callable[[], float] | None
    history: History

    @classmethod
    def start(cls, config: TrainingConfig, accelerator: Accelerator, materials: Materials) -> _Run:
        pipeline, device = materials.pipeline, accelerator.device
        text_encoder = pipeline.text_encoder.to(device)
        switch_on(pipeline, config, materials.was_widened)
        trained = [pipeline.unet, text_encoder.train()] if config.train_text_encoder else [pipeline.unet]
        optimizer = make_optimizer(config, [p for model in trained for p in trainable(model)])
        *trained, optimizer = accelerator.prepare(*trained, optimizer)
        # Only now: FSDP puts other parameters in the place of those that were there.
        averaged = trainable(trained[0])
        average = EMAModel(averaged, decay=config.ema_decay, foreach=True) if config.use_ema else None
        # For models with dropout, which should differ from process to process.
        set_seed(config.seed, device_specific=True)
        history = load_resumable(accelerator, config, average)
        encoder = trained[1] if config.train_text_encoder else text_encoder
        prompt_embeds = prompt_embeds_from(materials.texts, encoder, device, config.train_text_encoder)
        run = cls(
            config, accelerator, materials, trained[0], trained, optimizer, average, averaged, prompt_embeds, None,
            history,
        )  # fmt: skip
        run.validation = run._validation(encoder)
        return run

    def fit(self, should_stop: Stop) -> None:
        config, history = self.config, self.history
        visible = self.accelerator.is_main_process
        shown = progress(config.num_steps, history.step, config.batch_size, config.log_every, visible)
        with metrics_log(config, history.run_hash, visible) as log_step, shown as show:
            while history.step < config.num_steps:
                started = time.monotonic()
                rate = learning_rate(config, history.step)
                loss, stop = self._step(rate, should_stop)
                history.step += 1
                history.losses.append(loss)
                history.seconds += time.monotonic() - started
                self._look()
                show(history, rate)
                log_step(history, rate)
                stop = stop and history.step < config.num_steps
                if stop or history.step % config.checkpoint_every == 0:
                    save_resumable(self.accelerator, config, history, self.average)
                if stop:
                    raise TrainingInterrupted(
                        f"stopped after step {history.step} of {config.num_steps}; the same command resumes there"
                    )

    def finish(self) -> None:
        pipeline, config = self.materials.pipeline, self.config
        if self.average is not None:
            self.average.copy_to(self.averaged)
        pipeline.unet = whole_unet(self.accelerator, self.unet, pipeline.unet)
        if self.accelerator.is_main_process:
            with writing("the finished checkpoint", config.output, last_good_state(config.output)):
                save_checkpoint(
                    pipeline.to("cpu"), config, self.history, len(self.materials.latents), self.materials.was_widened
                )
            if config.checkpoint_uri is not None:
                RemoteCheckpoints.at(config.checkpoint_uri).clear()
            log.info("saved %s after %.0f s of training", config.output, self.history.seconds)
        self.accelerator.wait_for_everyone()
        self.accelerator.end_training()

    def _step(self, rate: float, should_stop: Stop) -> tuple[float, bool]:
        for group in self.optimizer.param_groups:
            group["lr"] = rate
        draws = draw_step(
            self.config, self.history.step,
            num_triplets=len(self.materials.latents),
            num_timesteps=self.materials.scheduler.config.num_train_timesteps,
            latent_shape=self.materials.latents.latent_shape,
            num_tokens=self.materials.texts.num_tokens,
        )  # fmt: skip
        parts = parts_of(self.config, self.accelerator.process_index, self.accelerator.num_processes)
        outcomes = [self._accumulate(draws.part(part), should_stop) for part in parts]
        if self.average is not None:
            self.average.step(self.averaged)
        return sum(loss for loss, _ in outcomes) / len(outcomes), any(stop for _, stop in outcomes)

    def _accumulate(self, draws: Draws, should_stop: Stop) -> tuple[float, bool]:
        with self.accelerator.accumulate(*self.trained):
            loss = self._loss(draws)
            value, stop = self._agree(loss.detach(), should_stop())
            self._check(value)
            self.accelerator.backward(loss)
            if self.accelerator.sync_gradients:
                parameters = [p for model in self.trained for p in trainable(model)]
                norm = self.accelerator.clip_grad_norm_(parameters, self.config.max_grad_norm)
                self._check_norm(norm)
            self.optimizer.step()
            self.optimizer.zero_grad(set_to_none=True)
        return value, stop

    def _loss(self, draws: Draws) -> Tensor:
        materials = self.materials
        scaling_factor = materials.pipeline.vae.config.scaling_factor
        batch = make_batch(draws, materials.latents, materials.texts, scaling_factor)
        return self._loss_of(batch, self.prompt_embeds)

    def _loss_of(self, batch: Batch, prompt_embeds: PromptEmbeds) -> Tensor:
        materials, device = self.materials, self.accelerator.device
        with self.accelerator.autocast():
            return denoising_loss(
                self.unet,
                materials.scheduler,
                latents=batch.latents.to(device),
                image_latents=batch.image_latents.to(device),
                noise=batch.noise.to(device),
                timesteps=batch.timesteps.to(device),
                prompt_embeds=prompt_embeds(batch.text_rows, batch.drop_tokens),
                snr_gamma=self.config.snr_gamma,
                weights=self._weights(batch.changed.to(device)),
            )

    def _weights(self, changed: Tensor) -> Tensor | None:
        extra = self.config.change_weight - 1
        return 1 + extra * changed if extra else None

    def _validation(self, encoder: nn.Module) -> Callable[[], float] | None:
        """Return what measures the validation loss, on samples that are drawn once."""
        config, materials, data = self.config, self.materials, self.materials.validation
        if data is None:
            return None
        draws = validation_draws(
            config, len(data.latents), materials.scheduler.config.num_train_timesteps, data.latents.latent_shape,
            data.texts.num_tokens,
        )  # fmt: skip
        embeds = prompt_embeds_from(data.texts, encoder, self.accelerator.device, config.train_text_encoder)
        part_size = max(1, config.batch_size // (self.accelerator.num_processes * config.gradient_accumulation_steps))
        scaling_factor = materials.pipeline.vae.config.scaling_factor
        return lambda: validate(data, draws, self._loss_of, embeds, self.accelerator, part_size, scaling_factor)

    def _look(self) -> None:
        """Validate and sample with the averaged weights, where it is time to."""
        config, step = self.config, self.history.step
        validates = self.validation is not None and (step % config.validate_every == 0 or step == config.num_steps)
        samples = config.sample_every and (step % config.sample_every == 0 or step == config.num_steps)
        if not validates and not samples:
            return
        with averaged_weights(self.average, self.averaged), evaluating(self.trained):
            if validates and self.validation is not None:
                self.history.validation_losses.append((step, self.validation()))
            # A sharded UNet can only sample where all processes do.
            if samples and self.accelerator.is_main_process and self.accelerator.distributed_type.value != "FSDP":
                with self.accelerator.autocast():
                    write_samples(self.materials.pipeline, config, self.materials.resolution, step)
        self.accelerator.wait_for_everyone()

    def _check(self, value: float) -> None:
        if math.isfinite(value):
            return
        self._diverged(f"the loss is {value}")

    def _check_norm(self, norm: Tensor | None) -> None:
        # With fp16, the gradient scaler passes over such a step by itself.
        if norm is not None and self.config.mixed_precision != "fp16" and not math.isfinite(norm):
            self._diverged(f"the gradient's norm is {float(norm)}")

    def _diverged(self, what: str) -> NoReturn:
        config = self.config
        raise TrainingError(
            f"{what} at step {self.history.step + 1}: lower learning_rate ({config.learning_rate:g}) or set "
            f"mixed_precision to no or bf16, and look for broken images in {config.dataset}; "
            f"{last_good_state(config.output)}"
        )

    def _agree(self, loss: Tensor, stop: bool) -> tuple[float, bool]:
        """Average over processes, and stop all if any was told to."""
        both = torch.stack([loss.float(), torch.tensor(float(stop), device=loss.device)])
        value, stopping = self.accelerator.reduce(both, "mean").tolist()
        return value, stopping > 0


def _accelerator(config: TrainingConfig) -> Accelerator:
    if config.mixed_precision == "fp16" and not torch.cuda.is_available():
        raise BadInputError("mixed_precision is 'fp16', which needs a GPU: use no or bf16 here")
    accelerator = Accelerator(
        mixed_precision=config.mixed_precision,
        gradient_accumulation_steps=config.gradient_accumulation_steps,
        kwargs_handlers=[InitProcessGroupKwargs(timeout=timedelta(hours=6))],
    )
    num_parts = accelerator.num_processes * config.gradient_accumulation_steps
    if config.batch_size % num_parts:
        raise BadInputError(
            f"batch_size is {config.batch_size}, but must be a multiple of {num_parts}: "
            f"{accelerator.num_processes} processes times {config.gradient_accumulation_steps} accumulation steps"
        )
    if config.train_text_encoder and accelerator.distributed_type.value in ("FSDP", "DEEPSPEED"):
        raise BadInputError("train_text_encoder is on, but FSDP and DeepSpeed train one model: turn it off there")
    if accelerator.distributed_type.value == "DEEPSPEED":
        # DeepSpeed would ask a data loader, which there is none of.
        settings = accelerator.state.deepspeed_plugin.deepspeed_config
        settings["train_micro_batch_size_per_gpu"] = config.batch_size // num_parts
        settings["gradient_accumulation_steps"] = config.gradient_accumulation_steps
        settings["gradient_clipping"] = config.max_grad_norm
    return accelerator
