"""What a role's model needs beside its weights while it works, by arithmetic: its pass, traced on the meta device."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import torch

from editfoundry.pretrained.activation_checkpointing import checkpoint_activations
from editfoundry.pretrained.memory_trace import traced_peak
from editfoundry.pretrained.passes import VAE_PIXELS_AT_ONCE
from editfoundry.pretrained.segmenter import POINTS_AT_ONCE
from editfoundry.pretrained.skeletons import Skeleton
from editfoundry.profiles import BYTES_OF

NUM_GUIDED = {"text_to_image": 2, "editor_base": 3}
"""Rows of a UNet's batch for each picture that is painted with guidance."""
_PROMPT_TOKENS = 160
"""Tokens of a question beside its pictures."""
_CHAT_TOKENS = 2048
"""Tokens of a chat with its examples."""


def working_bytes(skeleton: Skeleton, count: int, dtype: str, **sizes: int) -> int:
    """Return the bytes that one pass of ``count`` pictures, prompts or clips takes beside the weights.

    Args:
        skeleton: the role's model.
        count: pictures of a painter, an editor or an encoder, prompts of a language model, clips of a video model.
        dtype: the precision it computes in.
        sizes: ``side`` in pixels of pictures that are painted or segmented, ``num_tokens`` of a prompt; by default what
            the model was made for.
    """
    work = _WORK.get(skeleton.role)
    return 0 if work is None else work(skeleton, count, getattr(torch, dtype), sizes)


def training_bytes(skeleton: Skeleton, count: int, dtype: str, side: int, **choices: bool) -> int:
    """Return the bytes that training an editor's UNet takes in all: weights, gradients, optimizer, average, a pass.

    Args:
        skeleton: of ``editor_base``.
        count: pairs that go through the UNet together.
        dtype: of the activations, as ``mixed_precision`` says.
        side: of the pictures, pixels.
        choices: ``use_ema``, ``eight_bit``, ``checkpointing``, ``frozen`` (LoRA, whose own few weights are left out).
    """
    unet: Any = skeleton.modules["unet"]
    num = sum(p.numel() for p in unet.parameters())
    others = skeleton.num_parameters - num
    per_weight = 4 if choices.get("frozen") else 4 + 4 + (2 if choices.get("eight_bit") else 8)
    per_weight += 4 if choices.get("use_ema") and not choices.get("frozen") else 0
    # Autocast keeps a copy of the weights in its own precision for the length of a step.
    copies = num * BYTES_OF[dtype] if dtype != "float32" else 0
    own_pass = unet_training_pass(unet, count, getattr(torch, dtype), side, choices)
    return num * per_weight + others * 4 + copies + own_pass


def unet_training_pass(unet: Any, count: int, dtype: torch.dtype, side: int, choices: Mapping[str, bool]) -> int:
    """Return the bytes that a UNet's pass forth and back keeps beside weights and gradients, of ``count`` samples.

    With the choice ``learns_from_it`` the UNet itself stays as it is, and the way back leads to its text alone.
    """
    if choices.get("checkpointing"):
        unet.enable_gradient_checkpointing()
    through = choices.get("learns_from_it", False)
    unet.to(dtype).train()
    if through:
        unet.requires_grad_(False)

    def run() -> None:
        with torch.device("meta"):
            latents = torch.empty(count, unet.config.in_channels, side // 8, side // 8, dtype=dtype)
            text = torch.empty(count, 77, unet.config.cross_attention_dim, dtype=dtype, requires_grad=through)
            out = unet(latents, torch.zeros(count), text, return_dict=False)[0]
            learns = [text] if through else [p for p in unet.parameters() if p.requires_grad]
            torch.autograd.grad(out.float().square().mean(), learns)

    grads = 0 if through else sum(p.numel() * p.element_size() for p in unet.parameters())
    return max(0, traced_peak(run, [unet]) - grads)


def language_training_pass(llava: Any, count: int, tokens: int, dtype: torch.dtype, checkpointing: bool) -> int:
    """Return the bytes that a pass through a LLaVA's blocks keeps on the way back to its embeddings.

    Args:
        llava: on the meta device; its blocks are frozen.
        count: chats.
        tokens: of a chat, those that its picture becomes included.
        dtype: of the activations.
        checkpointing: whether they are computed a second time in the place of being kept.
    """
    inner = llava.model.language_model.to(dtype).requires_grad_(False)
    if checkpointing:
        llava.train()
        checkpoint_activations(llava, use_reentrant=False)

    def run() -> None:
        with torch.device("meta"):
            embeds = torch.empty(count, tokens, inner.config.hidden_size, dtype=dtype, requires_grad=True)
            mask = torch.empty(count, 1, tokens, tokens, dtype=torch.bool)
            states = inner(inputs_embeds=embeds, attention_mask=mask, use_cache=False).last_hidden_state
            torch.autograd.grad(states.float().square().mean(), [embeds])

    return traced_peak(run, [inner])


def _paint(skeleton: Skeleton, count: int, dtype: torch.dtype, sizes: dict[str, int]) -> int:
    unet: Any = skeleton.modules["unet"].to(dtype)
    vae: Any = skeleton.modules["vae"].to(dtype)
    scale = 2 ** (len(vae.config.block_out_channels) - 1)
    side = sizes.get("side", unet.config.sample_size * scale)
    rows = count * NUM_GUIDED[skeleton.role]
    at_once = min(count, max(1, VAE_PIXELS_AT_ONCE // side**2))

    def denoise() -> None:
        latents = torch.empty(rows, unet.config.in_channels, side // scale, side // scale, dtype=dtype)
        text = torch.empty(rows, 77, unet.config.cross_attention_dim, dtype=dtype)
        unet(latents, torch.tensor(0), text, added_cond_kwargs=_added(unet, rows, dtype), return_dict=False)

    def decode() -> None:
        vae.decode(torch.empty(at_once, vae.config.latent_channels, side // scale, side // scale, dtype=dtype))

    def encode() -> None:
        vae.encode(torch.empty(at_once, 3, side, side, dtype=dtype))

    return max(_traced(run, unet, vae) for run in (denoise, decode, encode))


def _control(skeleton: Skeleton, count: int, dtype: torch.dtype, sizes: dict[str, int]) -> int:
    """Return what a ControlNet holds: its pass is over before the UNet's, its residuals stay."""
    net: Any = skeleton.modules["model"].to(dtype)
    rows, side = 2 * count, sizes.get("side", 1024)
    scale = 2 ** (len(net.config.conditioning_embedding_out_channels) - 1)

    def run() -> None:
        latents = torch.empty(rows, net.config.in_channels, side // scale, side // scale, dtype=dtype)
        text = torch.empty(rows, 77, net.config.cross_attention_dim, dtype=dtype)
        pictures = torch.empty(rows, 3, side, side, dtype=dtype)
        net(latents, torch.tensor(0), text, pictures, added_cond_kwargs=_added(net, rows, dtype), return_dict=False)

    return _traced(run, net)


def _added(model: Any, rows: int, dtype: torch.dtype) -> dict[str, Any] | None:
    if model.config.addition_embed_type != "text_time":
        return None
    pooled = model.config.projection_class_embeddings_input_dim - 6 * model.config.addition_time_embed_dim
    return {"text_embeds": torch.empty(rows, pooled, dtype=dtype), "time_ids": torch.empty(rows, 6, dtype=dtype)}


def _see(skeleton: Skeleton, count: int, dtype: torch.dtype, sizes: dict[str, int]) -> int:
    model: Any = skeleton.modules["model"].to(dtype)
    tower = model.vision_model if skeleton.role == "clip" else model
    side = (model.config.vision_config if skeleton.role == "clip" else model.config).image_size
    side = 224 if skeleton.role == "dino" else side
    return _traced(lambda: tower(pixel_values=torch.empty(count, 3, side, side, dtype=dtype)), model)


def _judge(skeleton: Skeleton, count: int, dtype: torch.dtype, sizes: dict[str, int]) -> int:
    """Return the larger of seeing and answering; a pair is two pictures, or one that shows both.

    What takes tiles of a picture that comes alone (OneVision) takes most of such a one, of 1024 px.
    """
    model: Any = skeleton.modules["model"].to(dtype)
    config, num_pictures = model.config, 1 if model.config.model_type == "llava" else 2
    vision = config.vision_config
    patches = num_pictures * (vision.image_size // vision.patch_size) ** 2
    if config.model_type == "llava_onevision":
        num_pictures, patches = _tiled(config, sizes.get("side", 1024))
    tokens = sizes.get("num_tokens", patches + _PROMPT_TOKENS)
    # While it answers, it holds the pictures' tiles and what they were embedded as.
    embedded = count * tokens * config.text_config.hidden_size + count * num_pictures * 3 * vision.image_size**2
    held = embedded * dtype.itemsize if config.model_type == "llava_onevision" else 0
    answering = _answer(model, count, tokens, dtype, keeps_cache=False) + held
    return max(_vision(model, count * num_pictures, dtype), answering)


def _tiled(config: Any, side: int) -> tuple[int, int]:
    """Return the tiles of a square picture, the whole of it included, and the tokens that they become."""
    from transformers.image_processing_utils import select_best_resolution

    tile, patches = config.vision_config.image_size, config.vision_config.image_size // config.vision_config.patch_size
    height, width = select_best_resolution((side, side), config.image_grid_pinpoints)
    rows = columns = patches * min(height, width) // tile
    most = int(str(config.vision_aspect_ratio).removeprefix("anyres_max_"))
    if (ratio := (rows * columns / (most * patches**2)) ** 0.5) > 1.1:
        rows, columns = int(rows // ratio), int(columns // ratio)
    # A row of tokens ends with one that says so.
    return 1 + (height // tile) * (width // tile), patches**2 + rows * (columns + 1)


def _watch(skeleton: Skeleton, count: int, dtype: torch.dtype, sizes: dict[str, int]) -> int:
    model: Any = skeleton.modules["model"].to(dtype)
    config = model.config
    if config.model_type == "video_llava":
        frames, video = max(2, config.video_seq_length // (config.image_seq_length + 1)), config.video_seq_length
    else:
        side = config.vision_config.image_size // config.vision_config.patch_size
        frames = 8
        video = frames * (side // config.spatial_pool_stride) ** 2
    tokens = sizes.get("num_tokens", video + _PROMPT_TOKENS)
    # While it answers, it holds the frames and what they were embedded as.
    numbers = count * frames * 3 * config.vision_config.image_size**2 + count * tokens * config.text_config.hidden_size
    answering = _answer(model, count, tokens, dtype, keeps_cache=True) + numbers * dtype.itemsize
    return max(_vision(model, count * frames, dtype), answering)


def _vision(model: Any, count: int, dtype: torch.dtype) -> int:
    side = model.config.vision_config.image_size
    tower = getattr(model.model, "video_tower", None) or model.model.vision_tower
    pixels = (count, 3, side, side)
    return _traced(lambda: tower(torch.empty(*pixels, dtype=dtype), output_hidden_states=True), model)


def _answer(model: Any, count: int, tokens: int, dtype: torch.dtype, keeps_cache: bool) -> int:
    inner, head = model.model.language_model, model.lm_head
    width = inner.config.hidden_size

    def run() -> None:
        embeds = torch.empty(count, tokens, width, dtype=dtype)
        # Prompts of different lengths are padded, so that there is a mask.
        mask = torch.empty(count, 1, tokens, tokens, dtype=torch.bool)
        states = inner(inputs_embeds=embeds, attention_mask=mask, use_cache=keeps_cache).last_hidden_state
        head(states[:, -1:]).float().softmax(-1)

    return _traced(run, model)


def _write(skeleton: Skeleton, count: int, dtype: torch.dtype, sizes: dict[str, int]) -> int:
    model: Any = skeleton.modules["model"].to(dtype)
    longest = getattr(model.config.get_text_config(), "max_position_embeddings", _CHAT_TOKENS)
    tokens = sizes.get("num_tokens", min(_CHAT_TOKENS, longest))

    def run() -> None:
        model(torch.zeros(count, tokens, dtype=torch.int64), use_cache=True, logits_to_keep=1)

    return _traced(run, model)


def _segment(skeleton: Skeleton, count: int, dtype: torch.dtype, sizes: dict[str, int]) -> int:
    """Return what SAM takes of one picture, always in float32: its encoder, or a pass of points with their masks."""
    model: Any = skeleton.modules["model"]
    encoder, side = model.image_encoder, sizes.get("side", model.image_encoder.img_size)

    def decode() -> None:
        width, grid = model.prompt_encoder.embed_dim, model.prompt_encoder.image_embedding_size
        masks, _ = model.mask_decoder(
            image_embeddings=torch.empty(1, width, *grid),
            image_pe=torch.empty(1, width, *grid),
            sparse_prompt_embeddings=torch.empty(POINTS_AT_ONCE, 2, width),
            dense_prompt_embeddings=torch.empty(1, width, 1, 1).expand(POINTS_AT_ONCE, -1, *grid),
            multimask_output=True,
        )
        whole = torch.nn.functional.interpolate(masks, (encoder.img_size, encoder.img_size))
        _ = torch.nn.functional.interpolate(whole, (side, side)) > 0

    def see() -> None:
        encoder(torch.empty(1, 3, encoder.img_size, encoder.img_size))

    return max(_traced(see, model), _traced(decode, model))


def _compare(skeleton: Skeleton, count: int, dtype: torch.dtype, sizes: dict[str, int]) -> int:
    features, side = skeleton.modules["model"].to(dtype), sizes.get("side", 512)
    return _traced(lambda: features(torch.empty(2 * count, 3, side, side, dtype=dtype)), features)


_WORK: dict[str, Callable[[Skeleton, int, torch.dtype, dict[str, int]], int]] = {
    "text_to_image": _paint,
    "editor_base": _paint,
    "controlnet_canny": _control,
    "ip_adapter": _see,
    "clip": _see,
    "dino": _see,
    "vision_language_model": _judge,
    "video_language_model": _watch,
    "language_model": _write,
    "segmenter": _segment,
    "lpips": _compare,
}


def _traced(run: Callable[[], object], *modules: torch.nn.Module) -> int:
    with torch.inference_mode(), torch.device("meta"):
        return traced_peak(run, modules)
