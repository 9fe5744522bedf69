"""The role ``segmenter``: SAM, by the library segment-anything, from safetensors in transformers' layout."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import torch
from PIL import Image
from segment_anything import SamPredictor
from segment_anything.modeling import ImageEncoderViT, MaskDecoder, PromptEncoder, Sam, TwoWayTransformer

from editfoundry.errors import BadInputError
from editfoundry.pretrained.boxes import box_iou, mask_box
from editfoundry.pretrained.opening import opening
from editfoundry.pretrained.placement import place, with_model_at_work
from editfoundry.pretrained.runtime import Runtime
from editfoundry.pretrained.sam_names import SHARED_EMBEDDING, transformers_names
from editfoundry.profiles import ModelReference, Profile

POINTS_AT_ONCE = 64
_BOX_POINTS = (0.3, 0.5, 0.7)
"""Shares of a box's sides at which points ask what lies in it."""
_BOX_MARGIN = 0.1
"""Share of a box's sides by which an outline may stand out of it; a detector's boxes are not exact."""
_PIXEL_MEAN, _PIXEL_STD = [123.675, 116.28, 103.53], [58.395, 57.12, 57.375]
"""Of RGB values in [0, 255]; those SAM was trained with."""


@dataclass(frozen=True)
class Segmenter:
    """A SAM on its device."""

    name: str
    """Model @ revision, as provenance records it."""
    model: Sam
    runtime: Runtime

    @with_model_at_work
    @torch.inference_mode()
    def masks_at(self, image: Image.Image, points: Sequence[tuple[float, float]]) -> tuple[np.ndarray, np.ndarray]:
        """Segment what lies at each point; the image goes through the encoder once, whatever the number of points.

        Args:
            image: RGB, any size.
            points: ``(x, y)`` in pixels of the image.

        Returns:
            ``(N, 3, H, W)`` bool, for each point a part, a whole and what lies between; and how well SAM thinks that
            it met each, ``(N, 3)`` float32, an IoU.
        """
        if not points:
            return np.zeros((0, 3, image.height, image.width), dtype=bool), np.zeros((0, 3), dtype=np.float32)
        predictor = SamPredictor(self.model)
        pixels = _thick_enough(np.asarray(image.convert("RGB")), self.model.image_encoder.img_size)
        predictor.set_image(pixels)
        coordinates = torch.tensor(points, dtype=torch.float32, device=self.model.device)[:, None]
        coordinates = predictor.transform.apply_coords_torch(coordinates, pixels.shape[:2])
        found = []
        for part in coordinates.split(POINTS_AT_ONCE):
            labels = torch.ones(len(part), 1, dtype=torch.int64, device=part.device)
            masks, qualities, _ = predictor.predict_torch(part, labels, multimask_output=True)
            found.append((masks[..., : image.height, : image.width].cpu().numpy(), qualities.float().cpu().numpy()))
        masks, qualities = zip(*found, strict=True)
        return np.concatenate(masks), np.concatenate(qualities)

    def outlines_in(
        self, image: Image.Image, boxes: Sequence[tuple[float, float, float, float]]
    ) -> list[tuple[np.ndarray, float]]:
        """Outline the thing in each box; the image goes through the encoder once, whatever the number of boxes.

        Nine points of each box ask what lies there; of the answers the one whose own box is most like the given one is
        the thing. So a SAM that was never shown boxes does as well.

        Args:
            image: RGB, any size.
            boxes: ``(x0, y0, x1, y1)`` in pixels of the image.

        Returns:
            For each box a mask, ``(H, W)`` bool, within the box and a margin of a tenth, and the IoU of the mask's box
            with the given one, 0 where nothing lies there.
        """
        points = [
            (x0 + right * (x1 - x0), y0 + down * (y1 - y0))
            for x0, y0, x1, y1 in boxes
            for right in _BOX_POINTS
            for down in _BOX_POINTS
        ]
        masks, _ = self.masks_at(image, points)
        count = len(_BOX_POINTS) ** 2
        return [_most_alike(masks[count * n : count * (n + 1)], box) for n, box in enumerate(boxes)]


def _thick_enough(pixels: np.ndarray, side: int) -> np.ndarray:
    """Return ``(H, W, 3)`` pixels whose border goes on where they are so thin that at ``side`` nothing is left."""
    height, width = pixels.shape[:2]
    least = -(-max(height, width) // side)
    missing = ((0, max(0, least - height)), (0, max(0, least - width)), (0, 0))
    return np.pad(pixels, missing, mode="edge")


def _most_alike(masks: np.ndarray, box: tuple[float, float, float, float]) -> tuple[np.ndarray, float]:
    """Return the mask of ``(N, 3, H, W)`` whose box is most like ``box``, and their IoU."""
    found = masks.reshape(-1, *masks.shape[-2:]) & _within(box, (masks.shape[-2], masks.shape[-1]))
    fits = [box_iou(mask_box(mask), box) if mask.any() else 0.0 for mask in found]
    best = int(np.argmax(fits))
    return found[best], fits[best]


def _within(box: tuple[float, float, float, float], size: tuple[int, int]) -> np.ndarray:
    """Return where a box and its margin lie in a picture of ``size``, height and width."""
    x0, y0, x1, y1 = box
    right, down = _BOX_MARGIN * (x1 - x0), _BOX_MARGIN * (y1 - y0)
    rows, columns = np.ogrid[: size[0], : size[1]]
    inside: np.ndarray = (
        (rows + 1 > y0 - down) & (rows < y1 + down) & (columns + 1 > x0 - right) & (columns < x1 + right)
    )
    return inside


def load_segmenter(profile: Profile, runtime: Runtime) -> Segmenter:
    """Load the profile's SAM, in float32, which its prompts are computed in.

    Raises:
        MissingModelError: the model is not on this machine and cannot be fetched.
        BadInputError: its weights are not those of a SAM, or its folder cannot be loaded.
    """
    from safetensors.torch import load_file

    reference = profile.model("segmenter")
    with opening(reference, "a SAM"):
        config = _geometry(json.loads(_file(reference, "config.json").read_text()))
        tensors = load_file(_file(reference, "model.safetensors"))
        weights = _weights(config, tensors, reference)
        model = build_sam(config)
        model.load_state_dict(weights, strict=False)
    own = runtime.of(reference)
    return Segmenter(str(reference), place(model.eval(), own), own)


def build_sam(config: Any) -> Sam:
    """Build segment-anything's model with random weights; ``config`` is a ``transformers.SamConfig``."""
    vision, prompt, decoder = config.vision_config, config.prompt_encoder_config, config.mask_decoder_config
    side = vision.image_size // vision.patch_size
    norm = partial(torch.nn.LayerNorm, eps=vision.layer_norm_eps)
    encoder = ImageEncoderViT(
        depth=vision.num_hidden_layers,
        embed_dim=vision.hidden_size,
        img_size=vision.image_size,
        mlp_ratio=vision.mlp_dim / vision.hidden_size,
        norm_layer=norm,
        num_heads=vision.num_attention_heads,
        patch_size=vision.patch_size,
        qkv_bias=vision.qkv_bias,
        use_rel_pos=vision.use_rel_pos,
        use_abs_pos=vision.use_abs_pos,
        window_size=vision.window_size,
        global_attn_indexes=tuple(vision.global_attn_indexes),
        out_chans=vision.output_channels,
    )
    prompts = PromptEncoder(
        embed_dim=prompt.hidden_size,
        image_embedding_size=(side, side),
        input_image_size=(vision.image_size, vision.image_size),
        mask_in_chans=prompt.mask_input_channels,
    )
    transformer = TwoWayTransformer(
        depth=decoder.num_hidden_layers,
        embedding_dim=decoder.hidden_size,
        mlp_dim=decoder.mlp_dim,
        num_heads=decoder.num_attention_heads,
        attention_downsample_rate=decoder.attention_downsample_rate,
    )
    masks = MaskDecoder(
        num_multimask_outputs=decoder.num_multimask_outputs,
        transformer=transformer,
        transformer_dim=decoder.hidden_size,
        iou_head_depth=decoder.iou_head_depth,
        iou_head_hidden_dim=decoder.iou_head_hidden_dim,
    )
    return Sam(encoder, prompts, masks, _PIXEL_MEAN, _PIXEL_STD)


def save_sam(model: Sam, config: Any, folder: Path, dtype: torch.dtype = torch.float32) -> None:
    """Write the model so that `load_segmenter` and ``transformers.SamModel`` both open it."""
    from safetensors.torch import save_file

    weights = {name: value for name, value in model.state_dict().items() if name not in ("pixel_mean", "pixel_std")}
    names = transformers_names(weights, config.mask_decoder_config.iou_head_depth)
    config.save_pretrained(folder)
    tensors = {names[name]: value.to(dtype).cpu().contiguous() for name, value in weights.items()}
    tensors[SHARED_EMBEDDING] = tensors["prompt_encoder.shared_embedding.positional_embedding"].clone()
    save_file(tensors, folder / "model.safetensors", metadata={"format": "pt"})


def _geometry(values: dict[str, Any]) -> Any:
    from transformers import SamConfig

    return SamConfig(**{name: value for name, value in values.items() if name.endswith("_config")})


def _weights(config: Any, tensors: dict[str, torch.Tensor], reference: ModelReference) -> dict[str, torch.Tensor]:
    """Return SAM's weights by segment-anything's names; BadInputError where one is missing or has another size."""
    # On no device, so that a size which no memory holds takes none.
    with torch.device("meta"):
        model = build_sam(config)
    shapes = {n: list(v.shape) for n, v in model.state_dict().items() if n not in ("pixel_mean", "pixel_std")}
    names = transformers_names(shapes, model.mask_decoder.iou_prediction_head.num_layers)
    if SHARED_EMBEDDING in tensors:
        tensors = {"prompt_encoder.shared_embedding.positional_embedding": tensors[SHARED_EMBEDDING], **tensors}
    missing = [theirs for theirs in names.values() if theirs not in tensors]
    if missing:
        raise BadInputError(f"role 'segmenter': {reference} is no SAM: it has no weight {missing[0]}")
    for ours, theirs in names.items():
        found = list(tensors[theirs].shape)
        if found != shapes[ours]:
            raise BadInputError(
                f"role 'segmenter': the weights of {reference} do not fit its config.json: {theirs} is {found}, not "
                f"{shapes[ours]}"
            )
    return {ours: tensors[theirs].float() for ours, theirs in names.items()}


def _file(reference: ModelReference, name: str) -> Path:
    folder = Path(reference.location) / reference.subfolder
    if reference.is_local:
        return folder / name
    from huggingface_hub import hf_hub_download

    return Path(
        hf_hub_download(reference.source, name, subfolder=reference.subfolder or None, revision=reference.revision)
    )
