"""The steps of EditWorld's text-to-image branch, each over all candidates of a batch of records at once."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from editfoundry.data.record import Quadruple
from editfoundry.diffusion.attention import attention_mask, collected_attention
from editfoundry.diffusion.blended_inpainting import inpaint
from editfoundry.diffusion.canny import control_images
from editfoundry.diffusion.decoding import decode
from editfoundry.diffusion.img2img import img2img
from editfoundry.diffusion.keyword_tokens import keyword_token_weights
from editfoundry.diffusion.prompt_embeds import PromptEmbeds, encode_prompts, latent_size
from editfoundry.diffusion.refinement import refine
from editfoundry.diffusion.sampling import denoise, noise_for
from editfoundry.diffusion.seeded_noise import SeededNoise
from editfoundry.judging.clip_similarity import direction_similarity, similarity
from editfoundry.synthesis.editworld_text.candidates import Candidates, Pictures, candidate_generators
from editfoundry.synthesis.editworld_text.config import TextBranchConfig
from editfoundry.synthesis.editworld_text.models import TextBranch
from editfoundry.synthesis.editworld_text.structure import structure_similarity

CLIP_T_WEIGHT = 4.0
"""Refined candidates are ranked by CLIP-I + 4 CLIP-T, as EditWorld's released code does."""


@dataclass(frozen=True)
class QuadrupleBatch:
    """Quadruples that are worked on together, with their captions encoded once."""

    quadruples: Sequence[Quadruple]
    config: TextBranchConfig
    input_prompts: PromptEmbeds
    output_prompts: PromptEmbeds
    input_texts: Tensor
    """``(B, D)`` unit-norm CLIP embeddings of the input captions."""
    output_texts: Tensor
    """``(B, D)``, of the output captions."""


def encode_batch(branch: TextBranch, quadruples: Sequence[Quadruple], config: TextBranchConfig) -> QuadrupleBatch:
    """Encode a batch's captions for the painter and for CLIP."""
    inputs, outputs = [q.input_caption for q in quadruples], [q.output_caption for q in quadruples]
    return QuadrupleBatch(
        quadruples,
        config,
        encode_prompts(branch.painter, inputs),
        encode_prompts(branch.painter, outputs),
        branch.clip.encode_texts(inputs),
        branch.clip.encode_texts(outputs),
    )


def paint_inputs(branch: TextBranch, batch: QuadrupleBatch) -> tuple[Candidates, Tensor]:
    """Step 2: paint the input captions and, meanwhile, collect the keywords' attention.

    Returns:
        The candidates, by CLIP-T, and the best ones' masks, ``(B, 1, H, W)`` bool: where the picture may change.
    """
    config, count = batch.config, batch.config.num_input_candidates
    noise = _noise(branch, batch, "input", count)
    prompts = batch.input_prompts.repeated(count)
    settings = (config.num_inference_steps, config.guidance_scale)

    def paint(rows: slice) -> Tensor:
        return denoise(branch.painter, prompts[rows], noise[_places(rows)], *settings, negative=branch.empty_prompt)

    if not config.use_mask:
        latents = torch.cat(branch.passes.run(len(noise), paint))
        everywhere = torch.ones(len(batch.quadruples), 1, *latents.shape[-2:], dtype=torch.bool, device=latents.device)
        return _by_caption(branch, batch, "input", latents), everywhere
    weights = _keyword_weights(branch, batch.quadruples).repeat_interleave(count, 0)
    unet = branch.painter.unet

    def paint_and_look(rows: slice) -> tuple[Tensor, Tensor]:
        with collected_attention(unet, weights[rows], config.attention_resolution, latent_size(unet)) as attention:
            painted = paint(rows)
        return painted, attention.maps()

    latents, maps = (torch.cat(parts) for parts in zip(*branch.passes.run(len(noise), paint_and_look), strict=True))
    candidates = _by_caption(branch, batch, "input", latents)
    best = candidates.total.argmax(1) + torch.arange(len(batch.quadruples)) * count
    maps = maps[best][:, None]
    maps = torch.nn.functional.interpolate(maps, latents.shape[-2:], mode="bilinear")
    return candidates, attention_mask(maps[:, 0], config.tau)[:, None].to(latents.device)


def reinpaint_sources(branch: TextBranch, batch: QuadrupleBatch, painted: Pictures, masks: Tensor) -> Candidates:
    """Inpaint the input pictures' masks with their own captions, by CLIP-T, as EditWorld's released code does."""
    count = batch.config.num_source_candidates
    latents = _inpainted(branch, batch, "source", count, batch.input_prompts, painted, masks)
    return _by_caption(branch, batch, "source", latents)


def inpaint_outputs(branch: TextBranch, batch: QuadrupleBatch, sources: Pictures, masks: Tensor) -> Candidates:
    """Step 3: inpaint the input pictures with their output captions, by the configured ``output_score``."""
    count = batch.config.num_output_candidates
    latents = _inpainted(branch, batch, "output", count, batch.output_prompts, sources, masks)
    pictures = _pictures(branch, latents)
    before, texts = sources.repeated(count), batch.output_texts.repeat_interleave(count, 0)
    clip = similarity(pictures.clip_embeds, texts)
    if batch.config.output_score == "direction":
        input_texts = batch.input_texts.repeat_interleave(count, 0)
        direction = direction_similarity(before.clip_embeds, pictures.clip_embeds, input_texts, texts)
        return _candidates("output", pictures, count, {"clip": clip, "direction": direction}, clip + direction)
    clip_image = similarity(pictures.clip_embeds, before.clip_embeds)
    structure = structure_similarity(before.images, pictures.images)
    scores = {"clip": clip, "clip_image": clip_image, "structure": structure}
    return _candidates("output", pictures, count, scores, clip + clip_image + structure)


def refine_outputs(branch: TextBranch, batch: QuadrupleBatch, sources: Pictures, outputs: Pictures) -> Candidates:
    """Step 4: paint the output pictures anew with the identity of the sources and their own edges."""
    config, count = batch.config, batch.config.num_refined_candidates
    if branch.controlnet is None or branch.ip_adapter is None:
        raise ValueError("refinement needs the roles controlnet_canny and ip_adapter; load the branch with this config")
    edges = control_images(outputs.images, config.canny_low_threshold, config.canny_high_threshold)
    present, absent = branch.ip_adapter.encode_images(sources.images)
    prompts, noise = batch.output_prompts.repeated(count), _noise(branch, batch, "refined", count)
    present, absent, edges = (part.repeat_interleave(count, 0) for part in (present, absent, edges))
    controlnet, ip_adapter = branch.controlnet, branch.ip_adapter

    def paint(rows: slice) -> Tensor:
        return refine(
            branch.painter,
            controlnet,
            ip_adapter,
            prompts[rows],
            (present[rows], absent[rows]),
            edges[rows],
            noise[_places(rows)],
            config.num_inference_steps,
            config.guidance_scale,
            config.ip_adapter_scale,
            config.controlnet_conditioning_scale,
            branch.empty_prompt,
        )

    return _by_identity(branch, batch, "refined", torch.cat(branch.passes.run(len(noise), paint)), sources)


def img2img_outputs(branch: TextBranch, batch: QuadrupleBatch, sources: Pictures, outputs: Pictures) -> Candidates:
    """The last image-to-image pass over the output pictures."""
    config, count = batch.config, batch.config.num_img2img_candidates
    prompts, noise = batch.output_prompts.repeated(count), _noise(branch, batch, "img2img", count)
    originals = outputs.latents.repeat_interleave(count, 0)

    def paint(rows: slice) -> Tensor:
        return img2img(
            branch.painter,
            prompts[rows],
            originals[rows],
            noise[_places(rows)],
            config.num_inference_steps,
            config.guidance_scale,
            config.img2img_strength,
            branch.empty_prompt,
        )

    return _by_identity(branch, batch, "img2img", torch.cat(branch.passes.run(len(noise), paint)), sources)


def _inpainted(
    branch: TextBranch,
    batch: QuadrupleBatch,
    step: str,
    count: int,
    prompts: PromptEmbeds,
    originals: Pictures,
    masks: Tensor,
) -> Tensor:
    prompts, noise = prompts.repeated(count), _noise(branch, batch, step, count)
    kept, masks = (part.repeat_interleave(count, 0) for part in (originals.latents, masks))
    settings = (batch.config.num_inference_steps, batch.config.guidance_scale, branch.empty_prompt)

    def paint(rows: slice) -> Tensor:
        return inpaint(branch.painter, prompts[rows], kept[rows], masks[rows], noise[_places(rows)], *settings)

    return torch.cat(branch.passes.run(len(noise), paint))


def _places(rows: slice) -> range:
    return range(rows.start, rows.stop)


def _by_caption(branch: TextBranch, batch: QuadrupleBatch, step: str, latents: Tensor) -> Candidates:
    """Rank pictures of the input captions by CLIP-T."""
    pictures, count = _pictures(branch, latents), len(latents) // len(batch.quadruples)
    clip = similarity(pictures.clip_embeds, batch.input_texts.repeat_interleave(count, 0))
    total = clip.view(-1, count)
    return Candidates(step, pictures, {"clip": total}, total)


def _by_identity(
    branch: TextBranch, batch: QuadrupleBatch, step: str, latents: Tensor, sources: Pictures
) -> Candidates:
    """Rank pictures of the output captions by CLIP-I + 4 CLIP-T."""
    pictures, count = _pictures(branch, latents), len(latents) // len(batch.quadruples)
    clip = similarity(pictures.clip_embeds, batch.output_texts.repeat_interleave(count, 0))
    clip_image = similarity(pictures.clip_embeds, sources.clip_embeds.repeat_interleave(count, 0))
    scores = {"clip": clip, "clip_image": clip_image}
    return _candidates(step, pictures, count, scores, clip_image + CLIP_T_WEIGHT * clip)


def _candidates(step: str, pictures: Pictures, count: int, scores: Mapping[str, Tensor], total: Tensor) -> Candidates:
    table = {name: values.view(-1, count) for name, values in {**scores, "score": total}.items()}
    return Candidates(step, pictures, table, table["score"])


def _pictures(branch: TextBranch, latents: Tensor) -> Pictures:
    images = decode(branch.painter, latents)
    return Pictures(images, latents, branch.clip.encode_images(images))


def _noise(branch: TextBranch, batch: QuadrupleBatch, step: str, count: int) -> SeededNoise:
    return noise_for(branch.painter, candidate_generators(batch.quadruples, step, count, batch.config.seed))


def _keyword_weights(branch: TextBranch, quadruples: Sequence[Quadruple]) -> Tensor:
    captions = [q.input_caption for q in quadruples]
    return keyword_token_weights(branch.painter.tokenizer, captions, [q.keywords for q in quadruples])
