"""The training loop: Accelerate, gradient accumulation, clipping, running average, exact resumption."""

from __future__ import annotations

import logging
import math
import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

import torch
from accelerate import Accelerator, InitProcessGroupKwargs
from diffusers.training_utils import EMAModel
from torch import Tensor, nn

from editfoundry.data.output_folder import check_claim, claim_output
from editfoundry.errors import BadInputError
from editfoundry.training.batches import Draws, draw_step, make_batch
from editfoundry.training.conditions import PromptEmbeds, prompt_embeds_from
from editfoundry.training.config import TrainingConfig
from editfoundry.training.failures import TrainingError, TrainingInterrupted
from editfoundry.training.fingerprint import run_hash
from editfoundry.training.finished import STAGE, is_trained
from editfoundry.training.history import History
from editfoundry.training.loss import denoising_loss
from editfoundry.training.metrics_log import metrics_log
from editfoundry.training.progress import progress
from editfoundry.training.resume import load_resumable, save_resumable, saved_steps
from editfoundry.training.save import save_checkpoint
from editfoundry.training.schedule import learning_rate
from editfoundry.training.setup import Materials, prepare_materials
from editfoundry.training.stopping import stop_requests

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
        TrainingError: the loss is no longer a number.
    """
    if is_trained(config):
        log.info("%s is trained already, with the same settings and data", config.output)
        return
    check_claim(config.output, STAGE)
    accelerator = _accelerator(config)
    materials = prepare_materials(config, accelerator)
    if accelerator.is_main_process:
        claim_output(config.output, STAGE)
    if accelerator.is_main_process:
        num_triplets, num_processes = len(materials.latents), accelerator.num_processes
        log.info("training on %d triplets, processes: %d, on %s", num_triplets, num_processes, accelerator.device)
    run = _Run.start(config, accelerator, materials)
    with stop_requests() as signalled:
        run.fit(should_stop or signalled)
    run.finish()


@dataclass
class _Run:
    config: TrainingConfig
    accelerator: Accelerator
    materials: Materials
    unet: nn.Module
    trained: list[nn.Module]
    optimizer: Any
    average: EMAModel | None
    prompt_embeds: PromptEmbeds
    history: History

    @classmethod
    def start(cls, config: TrainingConfig, accelerator: Accelerator, materials: Materials) -> _Run:
        pipeline, device = materials.pipeline, accelerator.device
        text_encoder = pipeline.text_encoder.to(device)
        trained = [pipeline.unet, text_encoder.train()] if config.train_text_encoder else [pipeline.unet]
        average = EMAModel(pipeline.unet.parameters(), decay=config.ema_decay, foreach=True) if config.use_ema else None
        parameters = [p for model in trained for p in model.parameters()]
        optimizer = torch.optim.AdamW(parameters, lr=config.learning_rate, weight_decay=config.weight_decay, fused=True)
        *trained, optimizer = accelerator.prepare(*trained, optimizer)
        if average is not None:
            accelerator.register_for_checkpointing(average)
        history = load_resumable(accelerator, config.output, run_hash(config))
        if average is not None:
            average.to(device)
        encoder = trained[1] if config.train_text_encoder else text_encoder
        prompt_embeds = prompt_embeds_from(materials.texts, encoder, device, config.train_text_encoder)
        return cls(
            config, accelerator, materials, trained[0], trained, optimizer, average, prompt_embeds, history
        )  # fmt: skip

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
                show(history, rate)
                log_step(history, rate)
                stop = stop and history.step < config.num_steps
                if stop or history.step % config.checkpoint_every == 0:
                    save_resumable(self.accelerator, config.output, history)
                if stop:
                    raise TrainingInterrupted(
                        f"stopped after step {history.step} of {config.num_steps}; the same command resumes there"
                    )

    def finish(self) -> None:
        pipeline = self.materials.pipeline
        if self.average is not None:
            self.average.copy_to(pipeline.unet.parameters())
        if self.accelerator.is_main_process:
            save_checkpoint(pipeline.to("cpu"), self.config, self.history, len(self.materials.latents))
            log.info("saved %s after %.0f s of training", self.config.output, self.history.seconds)
        self.accelerator.wait_for_everyone()
        self.accelerator.end_training()

    def _step(self, rate: float, should_stop: Stop) -> tuple[float, bool]:
        for group in self.optimizer.param_groups:
            group["lr"] = rate
        draws = draw_step(
            self.config, self.history.step,
            num_triplets=len(self.materials.latents),
            num_timesteps=self.materials.scheduler.config.num_train_timesteps,
            latent_shape=self.materials.latent_shape,
        )  # fmt: skip
        parts = _parts(self.config, self.accelerator)
        outcomes = [self._accumulate(draws.part(part), should_stop) for part in parts]
        if self.average is not None:
            self.average.step(self.materials.pipeline.unet.parameters())
        return sum(loss for loss, _ in outcomes) / len(outcomes), any(stop for _, stop in outcomes)

    def _accumulate(self, draws: Draws, should_stop: Stop) -> tuple[float, bool]:
        with self.accelerator.accumulate(*self.trained):
            loss = self._loss(draws)
            value, stop = self._agree(loss.detach(), should_stop())
            self._check(value)
            self.accelerator.backward(loss)
            if self.accelerator.sync_gradients:
                parameters = (p for model in self.trained for p in model.parameters())
                self.accelerator.clip_grad_norm_(parameters, self.config.max_grad_norm)
            self.optimizer.step()
            self.optimizer.zero_grad(set_to_none=True)
        return value, stop

    def _loss(self, draws: Draws) -> Tensor:
        materials, device = self.materials, self.accelerator.device
        scaling_factor = materials.pipeline.vae.config.scaling_factor
        batch = make_batch(draws, materials.latents, materials.texts, scaling_factor)
        with self.accelerator.autocast():
            return denoising_loss(
                self.unet,
                materials.scheduler,
                latents=batch.latents.to(device),
                image_latents=batch.image_latents.to(device),
                noise=batch.noise.to(device),
                timesteps=batch.timesteps.to(device),
                prompt_embeds=self.prompt_embeds(batch.text_rows),
            )

    def _check(self, value: float) -> None:
        if math.isfinite(value):
            return
        saved = saved_steps(self.config.output)
        kept = f"the last good state is kept in {saved[-1]}" if saved else "no state was saved yet"
        raise TrainingError(
            f"the loss is {value} at step {self.history.step + 1}: lower learning_rate ({self.config.learning_rate:g}) "
            f"or set mixed_precision to no or bf16, and look for broken images in {self.config.dataset}; {kept}"
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
    return accelerator


def _parts(config: TrainingConfig, accelerator: Accelerator) -> list[slice]:
    size = config.batch_size // (accelerator.num_processes * config.gradient_accumulation_steps)
    first = accelerator.process_index * config.gradient_accumulation_steps
    return [slice(i * size, (i + 1) * size) for i in range(first, first + config.gradient_accumulation_steps)]
