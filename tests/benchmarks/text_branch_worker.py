"""Makes triplets in one of two ways and prints how long it took and what memory it needed, as JSON.

python tests/benchmarks/text_branch_worker.py batched|singly NUM_RECORDS NUM_STEPS OUTPUT.npy
"""

from __future__ import annotations

import json
import resource
import sys
import time
from collections.abc import Callable
from dataclasses import replace
from functools import partial
from typing import Any

import numpy as np
import torch
from diffusers import StableDiffusionControlNetPipeline
from PIL import Image
from torch import Tensor

from editfoundry.data.canny_edges import canny_edges
from editfoundry.data.record import Caption, Quadruple
from editfoundry.diffusion.attention import attention_mask, collected_attention
from editfoundry.diffusion.keyword_tokens import keyword_token_weights
from editfoundry.diffusion.sampling import noise_for, record_generator
from editfoundry.errors import Rejection
from editfoundry.judging import EditPair
from editfoundry.judging.clip_similarity import direction_similarity
from editfoundry.lineage.params import Params
from editfoundry.pretrained.runtime import choose_runtime
from editfoundry.pretraining.ablation.arms import plan_arms
from editfoundry.profiles import load_profile
from editfoundry.synthesis.editworld_text.config import TextBranchConfig
from editfoundry.synthesis.editworld_text.models import TextBranch, load_branch
from editfoundry.synthesis.editworld_text.triplets import make_triplets
from editfoundry.tinyworld.quadruples import TinyworldWriter
from editfoundry.tinyworld.scene_sampling import random_stream, sample_scene

CONFIG = TextBranchConfig(
    num_input_candidates=2, num_output_candidates=4, num_refined_candidates=2, num_judged_candidates=2
)
Latents = Tensor
Scored = tuple[float, Latents, Image.Image, Tensor]
"""A candidate's score, latents, picture and CLIP embedding."""
Score = Callable[[Tensor, Tensor, Tensor, Tensor], float]
"""Of a picture's CLIP embedding, the input picture's, the output caption's and the input caption's."""


def quadruples(count: int) -> list[Quadruple]:
    """Return quadruples of distinct scenes."""
    made: list[Quadruple] = []
    for number in range(50 * count):
        try:
            made.append(TinyworldWriter()(Caption(caption=sample_scene(random_stream("bench", number)).caption)))
        except Rejection:
            continue
        if len(made) == count:
            break
    return made


class Singly:
    """The branch as one would write it with diffusers' pipelines: each candidate a call of its own."""

    def __init__(self, branch: TextBranch, config: TextBranchConfig) -> None:
        self.branch, self.config, self.painter = branch, config, branch.painter
        parts = {name: part for name, part in self.painter.components.items() if name != "image_encoder"}
        if branch.controlnet is not None:
            parts |= {"controlnet": branch.controlnet, "requires_safety_checker": False}
            self.refiner = StableDiffusionControlNetPipeline(**parts)
            self.refiner.set_progress_bar_config(disable=True)

    def triplet(self, quadruple: Quadruple) -> Image.Image:
        """Return a quadruple's output picture."""
        source, mask = self._paint(quadruple)
        inpaint = partial(self._inpaint, quadruple, source, mask)
        finished = self._ranked(quadruple, source, self.config.num_output_candidates, inpaint)
        if self.config.num_refined_candidates:
            refine = partial(self._refine, quadruple, source, finished[0])
            finished = self._ranked(quadruple, source, self.config.num_refined_candidates, refine)
        if self.branch.judge is not None:
            kept = finished[: self.config.num_judged_candidates]
            scores = [self._judged(quadruple, source, candidate) for candidate in kept]
            return kept[scores.index(max(scores))][2]
        return finished[0][2]

    def _paint(self, quadruple: Quadruple) -> tuple[Scored, Tensor]:
        weights = keyword_token_weights(self.painter.tokenizer, [quadruple.input_caption], [quadruple.keywords])
        found: list[tuple[Scored, Tensor]] = []
        for number in range(self.config.num_input_candidates):
            noise = self._noise(quadruple, "input", number)
            with collected_attention(self.painter.unet, weights, self.config.attention_resolution) as attention:
                latents = self._call(self.painter, quadruple.input_caption, latents=noise)
            image, embeds = self._seen(latents)
            (text,) = self.branch.clip.encode_texts([quadruple.input_caption])
            found.append(((float(embeds @ text), latents, image, embeds), attention.maps()))
        best, maps = max(found, key=lambda pair: pair[0][0])
        maps = torch.nn.functional.interpolate(maps[:, None], best[1].shape[-2:], mode="bilinear")
        return best, attention_mask(maps[:, 0], self.config.tau)[:, None]

    def _inpaint(self, quadruple: Quadruple, source: Scored, mask: Tensor, number: int) -> tuple[Latents, Score]:
        noise = self._noise(quadruple, "output", number)

        def blend(pipeline: Any, step: int, timestep: Tensor, tensors: dict[str, Tensor]) -> dict[str, Tensor]:
            timesteps, kept = pipeline.scheduler.timesteps, source[1]
            if step + 1 < len(timesteps):
                kept = pipeline.scheduler.add_noise(kept, noise, timesteps[step + 1].reshape(1))
            return {"latents": torch.where(mask, tensors["latents"], kept)}

        latents = self._call(self.painter, quadruple.output_caption, latents=noise, callback_on_step_end=blend)

        def score(embeds: Tensor, before: Tensor, text: Tensor, text_before: Tensor) -> float:
            direction = direction_similarity(before[None], embeds[None], text_before[None], text[None])
            return float(embeds @ text + direction[0])

        return latents, score

    def _refine(self, quadruple: Quadruple, source: Scored, output: Scored, number: int) -> tuple[Latents, Score]:
        config, adapter = self.config, self.branch.ip_adapter
        assert adapter is not None
        edges = canny_edges(output[2], config.canny_low_threshold, config.canny_high_threshold)
        present, absent = adapter.encode_images([source[2]])
        with adapter.applied(config.ip_adapter_scale):
            latents = self._call(
                self.refiner,
                quadruple.output_caption,
                image=Image.fromarray(edges).convert("RGB"),
                latents=self._noise(quadruple, "refined", number),
                ip_adapter_image_embeds=[torch.cat([absent, present])],
                controlnet_conditioning_scale=config.controlnet_conditioning_scale,
            )
        return latents, lambda embeds, before, text, _: float(embeds @ before + 4 * (embeds @ text))

    def _ranked(
        self, quadruple: Quadruple, source: Scored, count: int, make: Callable[[int], tuple[Latents, Score]]
    ) -> list[Scored]:
        found: list[Scored] = []
        for number in range(count):
            latents, score = make(number)
            image, embeds = self._seen(latents)
            text, text_before = self.branch.clip.encode_texts([quadruple.output_caption, quadruple.input_caption])
            found.append((score(embeds, source[3], text, text_before), latents, image, embeds))
        return sorted(found, key=lambda candidate: -candidate[0])

    def _judged(self, quadruple: Quadruple, source: Scored, candidate: Scored) -> float:
        assert self.branch.judge is not None
        (judgement,) = self.branch.judge(
            [
                EditPair(
                    input_image=source[2],
                    output_image=candidate[2],
                    instruction=quadruple.instruction,
                    input_caption=quadruple.input_caption,
                    output_caption=quadruple.output_caption,
                )
            ]
        )
        return judgement.score

    def _call(self, pipeline: Any, prompt: str, **options: Any) -> Latents:
        steps, scale = self.config.num_inference_steps, self.config.guidance_scale
        return pipeline(prompt, num_inference_steps=steps, guidance_scale=scale, output_type="latent", **options).images

    def _seen(self, latents: Latents) -> tuple[Image.Image, Tensor]:
        with torch.inference_mode():
            pixels = self.painter.vae.decode(latents / self.painter.vae.config.scaling_factor, return_dict=False)[0]
        (image,) = self.painter.image_processor.postprocess(pixels, output_type="pil")
        return image, self.branch.clip.encode_images([image])[0]

    def _noise(self, quadruple: Quadruple, step: str, number: int) -> Tensor:
        return noise_for(self.painter, [record_generator(self.config.seed, quadruple.id, step, number)]).latents


def main(way: str, num_records: int, num_steps: int, output: str) -> None:
    """Load everything, make one triplet to warm up, and time the others."""
    profile = load_profile("embedded")
    arms, _ = plan_arms(Params(editworld_text=replace(CONFIG, num_inference_steps=num_steps)), profile)
    config = arms[0].config
    branch = load_branch(profile, choose_runtime("cpu"), config)
    records = quadruples(num_records + 1)
    singly = Singly(branch, config)

    def make(chosen: list[Quadruple]) -> list[Image.Image]:
        if way == "singly":
            return [singly.triplet(quadruple) for quadruple in chosen]
        return [triplet.output_image for triplet in make_triplets(branch, chosen, config, [])]

    make(records[:1])
    started = time.perf_counter()
    images = make(records[1:])
    seconds = time.perf_counter() - started
    np.save(output, np.stack([np.asarray(image) for image in images]))
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    facts = {"seconds": seconds, "peak_mib": peak, "refined": config.num_refined_candidates, "judge": config.judge}
    print(json.dumps(facts))


if __name__ == "__main__":
    main(sys.argv[1], int(sys.argv[2]), int(sys.argv[3]), sys.argv[4])
