"""Refinement of the edited picture (EditWorld, text branch, step 4)."""

from __future__ import annotations

from typing import TYPE_CHECKING

from torch import Tensor

from editfoundry.diffusion.image_conditions import ImageConditions
from editfoundry.diffusion.prompt_embeds import PromptEmbeds
from editfoundry.diffusion.sampling import denoise
from editfoundry.diffusion.seeded_noise import SeededNoise
from editfoundry.pretrained.ip_adapter import IpAdapter

if TYPE_CHECKING:
    from diffusers import ControlNetModel

    from editfoundry.pretrained.text_to_image import Painter


def refine(
    pipeline: Painter,
    controlnet: ControlNetModel,
    ip_adapter: IpAdapter,
    prompts: PromptEmbeds,
    image_embeds: tuple[Tensor, Tensor],
    edges: Tensor,
    noise: SeededNoise,
    num_inference_steps: int,
    guidance_scale: float,
    ip_adapter_scale: float = 1.0,
    controlnet_conditioning_scale: float = 1.0,
    negative: PromptEmbeds | None = None,
) -> Tensor:
    """Paint the edited picture anew with ``eps_ip(z_t, t, y_tar, f_ori, F_ctrl(canny))``.

    Args:
        pipeline: the text-to-image model, whose UNet carries the adapter meanwhile.
        controlnet: keeps the structure of ``I_tar``.
        ip_adapter: carries the identity of ``I_ori``.
        prompts: the ``B`` output captions, ``y_tar``.
        image_embeds: ``f_ori`` and the null condition's, from `IpAdapter.encode_images`, ``B`` rows each.
        edges: ``(B, 3, H, W)`` float in [0, 1], canny of ``I_tar``.
        noise: see `denoise`.
        num_inference_steps: steps of the scheduler.
        guidance_scale: weight of the prompts and of the image features.
        ip_adapter_scale: weight of the image features' attention; 0 leaves them out.
        controlnet_conditioning_scale: weight of the ControlNet's residuals; 0 leaves them out.
        negative: the null condition, ``B = 1``; by default the empty prompt.

    Returns:
        ``(B, C, h, w)`` clean scaled latents.
    """
    conditions = ImageConditions(
        controlnet=controlnet,
        control_images=edges.to(noise.latents),
        controlnet_conditioning_scale=controlnet_conditioning_scale,
        image_embeds=image_embeds[0].to(noise.latents),
        negative_image_embeds=image_embeds[1].to(noise.latents),
    )
    with ip_adapter.applied(ip_adapter_scale):
        return denoise(
            pipeline, prompts, noise, num_inference_steps, guidance_scale, negative=negative, conditions=conditions
        )
