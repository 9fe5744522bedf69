"""The role ``ip_adapter``: carries what a picture shows into another one (IP-Adapter, decoupled cross-attention)."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import torch
from PIL import Image
from safetensors import SafetensorError
from torch import Tensor

from editfoundry.errors import BadInputError, one_line
from editfoundry.pretrained.opening import load_whole, opening
from editfoundry.pretrained.placement import place
from editfoundry.pretrained.quiet_libraries import quiet_libraries
from editfoundry.pretrained.runtime import Runtime
from editfoundry.profiles import ModelReference, Profile, missing_model

if TYPE_CHECKING:
    from editfoundry.pretrained.text_to_image import Painter


@dataclass(frozen=True)
class IpAdapter:
    """An adapter that is kept beside its UNet and put into it only while it is wanted."""

    unet: Any
    image_encoder: Any
    """A ``CLIPVisionModelWithProjection``."""
    feature_extractor: Any
    processors: dict[str, Any]
    """Attention processors of the UNet with the adapter in it, by their names in diffusers."""
    projection: Any
    """What turns image features into tokens beside the text's."""

    @property
    def modules(self) -> list[Any]:
        """What has weights of its own, beside the UNet's."""
        return [m for m in (self.image_encoder, self.projection, *self.processors.values()) if hasattr(m, "parameters")]

    @contextmanager
    def applied(self, scale: float) -> Iterator[None]:
        """Let the UNet attend to image features, weighted by ``scale``, inside the ``with`` block.

        Afterwards the UNet is what it was: its own processors, and no projection.
        """
        before = dict(self.unet.attn_processors)
        for processor in self.processors.values():
            if hasattr(processor, "to_k_ip"):
                processor.scale = [scale]
        install_adapter(self.unet, self.processors, self.projection, "ip_image_proj")
        try:
            yield
        finally:
            install_adapter(self.unet, before, None, None)

    @torch.inference_mode()
    def encode_images(self, images: Sequence[Image.Image]) -> tuple[Tensor, Tensor]:
        """Return the features of RGB images and of the null condition: ``(B, 1, D)`` or ``(B, 1, T, D)`` each."""
        pixels = self.feature_extractor(images=list(images), return_tensors="pt")["pixel_values"]
        pixels = pixels.to(self.image_encoder.device, self.image_encoder.dtype)
        if self._takes_pooled_embeds():
            embeds = self.image_encoder(pixel_values=pixels).image_embeds
            return embeds[:, None], torch.zeros_like(embeds)[:, None]
        both = torch.cat([pixels, torch.zeros_like(pixels)])
        states = self.image_encoder(pixel_values=both, output_hidden_states=True).hidden_states[-2]
        present, absent = states[:, None].chunk(2)
        return present, absent

    def _takes_pooled_embeds(self) -> bool:
        from diffusers.models.embeddings import ImageProjection

        return isinstance(self.projection.image_projection_layers[0], ImageProjection)


def load_ip_adapter(profile: Profile, runtime: Runtime, painter: Painter) -> IpAdapter:
    """Load the profile's IP-Adapter for the UNet of ``painter``, which is left as it was.

    The reference's ``subfolder`` and ``weight_name`` lead to the adapter, in the layout that IP-Adapter was published
    in. Its image encoder is the folder ``image_encoder`` beside it, or the model that ``image_encoder`` names.

    Raises:
        MissingModelError: the model is not on this machine and cannot be fetched.
        BadInputError: the profile names no safetensors file, or one for UNets of another size.
    """
    reference = profile.model("ip_adapter")
    if not reference.weight_name.endswith(".safetensors"):
        raise BadInputError(
            f"role 'ip_adapter': model {reference} needs a weight_name that ends in .safetensors; nothing is unpickled"
        )
    unet: Any = painter.unet
    before, extractor_before = dict(unet.attn_processors), painter.feature_extractor
    quiet_libraries()
    image_encoder, feature_extractor = load_image_encoder(reference.image_encoder_reference(), runtime)
    try:
        painter.load_ip_adapter(
            reference.location,
            subfolder=reference.subfolder,
            weight_name=reference.weight_name,
            image_encoder_folder=None,
            revision=reference.revision,
            local_files_only=reference.is_local,
        )
        processors, projection = dict(unet.attn_processors), unet.encoder_hid_proj
    except OSError as error:
        raise missing_model(reference, error) from error
    except (RuntimeError, LookupError, ValueError, TypeError, AttributeError, SafetensorError) as error:
        raise BadInputError(
            f"role 'ip_adapter': {reference.weight_name} of model {reference} does not fit the text_to_image model "
            f"({one_line(error, 160)})"
        ) from error
    finally:
        install_adapter(unet, before, None, None)
        painter.register_modules(feature_extractor=extractor_before)
    return IpAdapter(unet, image_encoder, feature_extractor, processors, projection)


def load_image_encoder(source: ModelReference, runtime: Runtime) -> tuple[Any, Any]:
    """Load a CLIP's vision tower, as ``CLIPVisionModelWithProjection``, and its preprocessing, by default CLIP's.

    Raises:
        MissingModelError: the model is not on this machine and cannot be fetched.
        BadInputError: its folder holds something that cannot be loaded.
    """
    from transformers import CLIPVisionModelWithProjection

    with opening(source, "an image encoder") as options:
        options["subfolder"] = source.subfolder
        encoder: Any = load_whole(
            CLIPVisionModelWithProjection, source, dtype=runtime.dtype, use_safetensors=True, **options
        )
        extractor = _feature_extractor(source, encoder.config.image_size, options)
    return place(encoder.eval(), runtime), extractor


def _feature_extractor(source: ModelReference, image_size: int, options: dict[str, Any]) -> Any:
    from transformers import CLIPImageProcessor

    try:
        return CLIPImageProcessor.from_pretrained(source.location, **options)
    except OSError:
        # IP-Adapter is published without one; diffusers takes CLIP's.
        return CLIPImageProcessor(size={"shortest_edge": image_size}, crop_size=image_size)


def install_adapter(unet: Any, processors: dict[str, Any], projection: Any, kind: str | None) -> None:
    """Give a UNet these attention processors and this projection of image features; None takes it out."""
    # A projection must not be there when processors are set: it may have some of its own.
    unet.encoder_hid_proj = None
    # A copy, which diffusers empties.
    unet.set_attn_processor(dict(processors))
    unet.encoder_hid_proj = projection
    unet.register_to_config(encoder_hid_dim_type=kind)
