"""Prints what the embedded autoencoder costs: true outcomes of edits, encoded and decoded, judged as edits."""

from __future__ import annotations

import numpy as np
import torch

from editfoundry.pretrained.runtime import Runtime
from editfoundry.pretrained.text_to_image import load_text_to_image
from editfoundry.pretraining.drawn_pictures import to_images, to_pixels
from editfoundry.pretraining.recipes.vae import reconstruction_psnr
from editfoundry.profiles import load_profile
from editfoundry.tinyworld.outcome import judge_outcome
from editfoundry.tinyworld.tasks.task_benchmark import task_cases

NUM_EDITS = 300
SEED = 1
"""The cases of `tinyworld measure emu_edit`."""


@torch.no_grad()
def ceiling() -> str:
    """Return a Markdown table: a row for each task."""
    runtime = Runtime(torch.device("cpu"), torch.float32)
    vae = load_text_to_image(load_profile("embedded"), runtime).vae
    cases = task_cases(NUM_EDITS, seed=SEED)
    lines = ["| task | n | right | sharp | PSNR in dB |", "|---|---:|---:|---:|---:|"]
    for task in dict.fromkeys(case.task for case in cases):
        own = [case for case in cases if case.task == task]
        truths = np.stack([case.true_output for case in own])
        decoded = to_images(vae.decode(vae.encode(to_pixels(truths)).latent_dist.mode()).sample)
        verdicts = [judge_outcome(picture, case) for picture, case in zip(decoded, own, strict=True)]
        right, sharp = np.mean([(verdict.right, verdict.sharp) for verdict in verdicts], axis=0)
        psnr = reconstruction_psnr(vae, truths, runtime.device)
        lines.append(f"| {task} | {len(own)} | {right:.2f} | {sharp:.2f} | {psnr:.1f} |")
    return "\n".join(lines)


if __name__ == "__main__":
    print(ceiling())
