"""Runs one of two training loops in a process of its own and prints its speed and peak memory as JSON.

``python training_loops.py KIND BASE DATASET FOLDER STEPS BATCH_SIZE [PRECISION]``; kinds: see test_training_speed.py.
"""

from __future__ import annotations

import json
import resource
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import psutil
import torch
from diffusers import StableDiffusionInstructPix2PixPipeline
from torch.utils.data import DataLoader, Dataset

from editfoundry.editors.families.instruct_pix2pix.training_config import InstructPix2PixTraining as Training
from editfoundry.editors.train import train_editor
from editfoundry.editors.triplet_training.denoising_loss import noise_scheduler
from editfoundry.editors.triplet_training.triplet_pixels import TripletPixels
from editfoundry.editors.working_size import native_size

WARM_UP = 3
"""Steps that are not timed."""
LEARNING_RATE, WEIGHT_DECAY, MAX_GRAD_NORM, DROPOUT = 1e-4, 0.01, 1.0, 0.05


class Pairs(Dataset[dict[str, torch.Tensor]]):
    """Decoded pairs and token ids, as the script's own preprocessing gives them."""

    def __init__(self, dataset: Path, pipeline: Any) -> None:
        self.pixels = TripletPixels(dataset, native_size(pipeline))
        texts = self.pixels.instructions()
        length = pipeline.tokenizer.model_max_length
        self.ids = pipeline.tokenizer(
            texts, padding="max_length", max_length=length, truncation=True, return_tensors="pt"
        ).input_ids

    def __len__(self) -> int:
        return len(self.pixels)

    def __getitem__(self, index: int) -> dict[str, torch.Tensor]:
        original, edited = self.pixels[index]
        return {"original": original, "edited": edited, "input_ids": self.ids[index]}


def script_steps(base: str, dataset: Path, batch_size: int, precision: str = "no") -> Iterator[None]:
    """What diffusers' train_instruct_pix2pix.py does in each step, with its defaults (no EMA, AdamW).

    With mixed precision the frozen models are cast, and the UNet runs under autocast, as there.

    In its order: the edited image's latents are sampled from the VAE's posterior and scaled; noise and timesteps are
    drawn; the instructions go through the text encoder; the original image's mode goes through the VAE; one uniform
    draw a sample decides the dropout, for which the null prompt is encoded too; the UNet predicts; AdamW steps.
    """
    pipeline: Any = StableDiffusionInstructPix2PixPipeline.from_pretrained(
        base, safety_checker=None, torch_dtype=torch.float32
    )
    device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
    vae, unet, text_encoder = (part.to(device) for part in (pipeline.vae, pipeline.unet, pipeline.text_encoder))
    vae.requires_grad_(False)
    text_encoder.requires_grad_(False)
    unet.train()
    weight_dtype = torch.bfloat16 if precision == "bf16" else torch.float32
    vae.to(weight_dtype)
    text_encoder.to(weight_dtype)
    mixed = torch.autocast(device.type, torch.bfloat16, enabled=precision == "bf16")
    scheduler = noise_scheduler(pipeline.scheduler)
    optimizer = torch.optim.AdamW(unet.parameters(), lr=LEARNING_RATE, weight_decay=WEIGHT_DECAY)
    null_ids = pipeline.tokenizer(
        [""], padding="max_length", max_length=pipeline.tokenizer.model_max_length, return_tensors="pt"
    ).input_ids.to(device)
    loader = DataLoader(Pairs(dataset, pipeline), batch_size, shuffle=True, drop_last=True)
    while True:
        for batch in loader:
            batch = {name: value.to(device) for name, value in batch.items()}
            latents = vae.encode(batch["edited"].to(weight_dtype)).latent_dist.sample() * vae.config.scaling_factor
            noise = torch.randn_like(latents)
            timesteps = torch.randint(0, scheduler.config.num_train_timesteps, (len(latents),), device=device)
            noisy = scheduler.add_noise(latents, noise, timesteps)
            states = text_encoder(batch["input_ids"])[0]
            image_latents = vae.encode(batch["original"].to(weight_dtype)).latent_dist.mode()
            draws = torch.rand(len(latents), device=device)
            null = text_encoder(null_ids)[0]
            states = torch.where((draws < 2 * DROPOUT).view(-1, 1, 1), null, states)
            kept = 1 - ((draws >= DROPOUT) & (draws < 3 * DROPOUT)).to(image_latents.dtype)
            image_latents = image_latents * kept.view(-1, 1, 1, 1)
            target = noise
            if scheduler.config.prediction_type == "v_prediction":
                target = scheduler.get_velocity(latents, noise, timesteps)
            with mixed:
                predicted = unet(torch.cat([noisy, image_latents], dim=1), timesteps, states, return_dict=False)[0]
            loss = torch.nn.functional.mse_loss(predicted.float(), target.float(), reduction="mean")
            loss.item()
            loss.backward()
            torch.nn.utils.clip_grad_norm_(unet.parameters(), MAX_GRAD_NORM)
            optimizer.step()
            optimizer.zero_grad()
            yield


def run_script(
    base: str, dataset: Path, num_steps: int, batch_size: int, memory: PeakMemory, precision: str = "no"
) -> float:
    """Return the seconds of a step."""
    steps = script_steps(base, dataset, batch_size, precision)
    for _ in range(WARM_UP):
        next(steps)
    memory.start()
    started = time.perf_counter()
    for _ in range(num_steps):
        next(steps)
    return (time.perf_counter() - started) / num_steps


def our_config(kind: str, base: str, dataset: Path, folder: Path, num_steps: int, batch_size: int) -> Training:
    """Return the script's settings in our words."""
    return Training(
        editor=base,
        dataset=dataset,
        output=folder / kind,
        work_dir=folder / "work",
        batch_size=batch_size,
        num_steps=num_steps + WARM_UP,
        learning_rate=LEARNING_RATE,
        weight_decay=WEIGHT_DECAY,
        use_ema=False,
        max_grad_norm=MAX_GRAD_NORM,
        conditioning_dropout=DROPOUT,
        lr_schedule="constant",
        checkpoint_every=1_000_000,
        gradient_checkpointing=kind == "ours-checkpointing",
        compile_unet=kind == "ours-compiled",
        gradient_accumulation_steps=4 if kind == "ours-in-parts" else 1,
        mixed_precision=sys.argv[7] if len(sys.argv) > 7 else "no",
    )


def run_ours(config: Training, num_steps: int, memory: PeakMemory) -> float:
    """Return the seconds of a step, between two calls of the function that is asked whether to stop."""
    moments: list[float] = []

    # Asked once for each part of a step.
    parts = config.gradient_accumulation_steps
    first = WARM_UP * parts

    def should_stop() -> bool:
        if len(moments) == first:
            memory.start()
        moments.append(time.perf_counter())
        return False

    train_editor(config, should_stop)
    steps = moments[first::parts]
    return float(np.diff(steps).mean())


class PeakMemory:
    """The most memory in use at once: of the GPU, or of this process beyond what it had when it was made."""

    def __init__(self) -> None:
        self._process = psutil.Process()
        self._base, self.peak = self._process.memory_info().rss, 0
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._watch, daemon=True)

    def start(self) -> None:
        """Watch from here on: not while data are prepared."""
        if torch.cuda.is_available():
            torch.cuda.reset_peak_memory_stats()
        else:
            self._thread.start()

    def stop(self) -> int:
        """Return the bytes."""
        if torch.cuda.is_available():
            return torch.cuda.max_memory_allocated()
        self._stop.set()
        self._thread.join()
        return self.peak

    def _watch(self) -> None:
        while not self._stop.wait(0.005):
            self.peak = max(self.peak, self._process.memory_info().rss - self._base)


def main() -> None:
    """Run what the command line names."""
    kind, base, dataset, folder = sys.argv[1], sys.argv[2], Path(sys.argv[3]), Path(sys.argv[4])
    num_steps, batch_size = int(sys.argv[5]), int(sys.argv[6])
    memory = PeakMemory()
    if kind == "script":
        precision = sys.argv[7] if len(sys.argv) > 7 else "no"
        seconds = run_script(base, dataset, num_steps, batch_size, memory, precision)
    else:
        config = our_config(kind, base, dataset, folder, num_steps, batch_size)
        seconds = run_ours(config, num_steps, memory)
    peak = memory.stop()
    whole = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024
    print(json.dumps({"samples_per_second": batch_size / seconds, "peak_bytes": peak, "process_bytes": whole}))


if __name__ == "__main__":
    main()
