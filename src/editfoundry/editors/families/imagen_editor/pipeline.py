"""The cascade in diffusers' layout: a text encoder, a base model and one or two super-resolution models."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
from diffusers import DiffusionPipeline, UNet2DConditionModel
from torch import Tensor
from transformers import CLIPTextModel

from editfoundry.editors.families.imagen_editor.masked_picture import MaskedPictureEncoder
from editfoundry.editors.families.imagen_editor.stage import CascadeStage


class ImagenEditorPipeline(DiffusionPipeline):  # type: ignore[misc]
    """All parts of a cascade.

    Args:
        tokenizer: of the text encoder.
        text_encoder: a T5 encoder, or CLIP's text model; never trained here.
        scheduler: of every stage, and of the noise that super-resolution's input is given.
        unet: of the base model.
        mask_encoder: of the base model.
        unet_2: of the first super-resolution model.
        mask_encoder_2: of the first super-resolution model.
        unet_3: of the second one, where there is one.
        mask_encoder_3: of the second one, where there is one.
    """

    _optional_components = ["unet_3", "mask_encoder_3"]

    def __init__(
        self,
        tokenizer: Any,
        text_encoder: Any,
        scheduler: Any,
        unet: UNet2DConditionModel,
        mask_encoder: MaskedPictureEncoder,
        unet_2: UNet2DConditionModel,
        mask_encoder_2: MaskedPictureEncoder,
        unet_3: UNet2DConditionModel | None = None,
        mask_encoder_3: MaskedPictureEncoder | None = None,
    ) -> None:
        super().__init__()
        self.register_modules(
            tokenizer=tokenizer,
            text_encoder=text_encoder,
            scheduler=scheduler,
            unet=unet,
            mask_encoder=mask_encoder,
            unet_2=unet_2,
            mask_encoder_2=mask_encoder_2,
            unet_3=unet_3,
            mask_encoder_3=mask_encoder_3,
        )

    @property
    def stages(self) -> list[CascadeStage]:
        """The base model, then super-resolution, from the smallest pictures to the largest."""
        unets = (self.unet, self.unet_2, self.unet_3)
        encoders = (self.mask_encoder, self.mask_encoder_2, self.mask_encoder_3)
        parts = zip(unets, encoders, strict=True)
        return [CascadeStage(unet, encoder) for unet, encoder in parts if unet is not None]

    @property
    def side(self) -> int:
        """Side of the cascade's pictures in pixels."""
        return self.stages[-1].side

    @torch.no_grad()
    def embed(self, prompts: Sequence[str]) -> Tensor:
        """Return what the stages attend to of prompts, ``(B, L, D)``, on the text encoder's device."""
        length = self.tokenizer.model_max_length
        tokens = self.tokenizer(
            list(prompts), padding="max_length", max_length=length, truncation=True, return_tensors="pt"
        ).to(self.text_encoder.device)
        # CLIP's encoder was trained to attend to what pads a prompt, T5's was not.
        known = {} if isinstance(self.text_encoder, CLIPTextModel) else {"attention_mask": tokens.attention_mask}
        embeds: Tensor = self.text_encoder(tokens.input_ids, **known)[0]
        return embeds
