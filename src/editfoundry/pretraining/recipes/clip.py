"""The role ``clip``: a small CLIP, trained with hard negatives (the same scene, one object in another state)."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import torch
from torch import Tensor, nn
from transformers import CLIPConfig, CLIPImageProcessor, CLIPModel, CLIPProcessor, CLIPTokenizer, CLIPVisionConfig

from editfoundry.pretraining.drawn_pictures import as_pixels, rendered, to_pixels
from editfoundry.pretraining.model_trainee import PretrainingConfig, PretrainingResult, fit
from editfoundry.pretraining.text import HIDDEN_SIZE, build_tokenizer, text_config, token_ids
from editfoundry.tinyworld.objects import KINDS
from editfoundry.tinyworld.scene import IMAGE_SIZE, Scene
from editfoundry.tinyworld.scene_sampling import Split, random_stream, sample_scene

NUM_PAIRS = 16_384
CONFIG = PretrainingConfig(num_steps=1500, batch_size=160, learning_rate=1e-3, weight_decay=0.05, ema_decay=0.99)
ON_GPU = {"num_steps": 3000, "batch_size": 512, "mixed_precision": "bf16"}


def train_clip(
    work_dir: Path, device: torch.device, config: PretrainingConfig = CONFIG, num_pairs: int = NUM_PAIRS
) -> tuple[CLIPModel, CLIPProcessor, PretrainingResult]:
    """Train on captioned scenes; half of every batch are the hard negatives of the other half."""
    scenes = twin_scenes("train", num_pairs)
    pictures = rendered(work_dir / "data" / f"twins-{num_pairs}.npy", scenes)
    tokenizer = build_tokenizer(work_dir)
    images = torch.from_numpy(np.array(pictures)).to(device)
    captions = token_ids(tokenizer, [scene.caption for scene in scenes]).to(device)
    torch.manual_seed(config.seed)
    model = build_clip(tokenizer).to(device)

    def step_loss(clip: nn.Module, generator: torch.Generator) -> Tensor:
        pairs = torch.randint(num_pairs, (config.batch_size // 2,), generator=generator)
        chosen = torch.cat([2 * pairs, 2 * pairs + 1]).to(device)
        return contrastive_loss(clip, as_pixels(images[chosen]), captions[chosen])

    result = fit(model, step_loss, config, work_dir / "clip")
    return model, build_processor(tokenizer), result


def twin_scenes(split: Split, num_pairs: int) -> list[Scene]:
    """Return ``2 * num_pairs`` scenes; each odd one is its predecessor with one object in another state."""
    scenes: list[Scene] = []
    for number in range(num_pairs):
        random = random_stream("twins", split, number)
        scene = sample_scene(random, split)
        index = int(random.integers(len(scene.objects)))
        thing = scene.objects[index]
        others = [state for state in KINDS[thing.kind].states if state != thing.state]
        scenes += [scene, scene.with_object(index, state=others[int(random.integers(len(others)))])]
    return scenes


def contrastive_loss(clip: nn.Module, pixels: Tensor, input_ids: Tensor) -> Tensor:
    """CLIP's symmetric cross-entropy; captions that occur twice in the batch count as right for each other."""
    output = clip(pixel_values=pixels, input_ids=input_ids)
    same = (input_ids[:, None] == input_ids[None]).all(-1).float()
    target = same / same.sum(1, keepdim=True)
    by_image = nn.functional.cross_entropy(output.logits_per_image, target)
    return (by_image + nn.functional.cross_entropy(output.logits_per_text, target)) / 2


def build_clip(tokenizer: CLIPTokenizer) -> CLIPModel:
    """Return an untrained CLIP of the embedded size."""
    vision = CLIPVisionConfig(
        image_size=IMAGE_SIZE,
        patch_size=8,
        hidden_size=HIDDEN_SIZE,
        intermediate_size=384,
        projection_dim=HIDDEN_SIZE,
        num_hidden_layers=4,
        num_attention_heads=4,
    )
    text = text_config(tokenizer)
    return CLIPModel(CLIPConfig(text_config=text.to_dict(), vision_config=vision.to_dict(), projection_dim=HIDDEN_SIZE))


def build_processor(tokenizer: CLIPTokenizer) -> CLIPProcessor:
    """Return the processor: pictures as ``build_image_processor`` makes them, and the tokenizer."""
    return CLIPProcessor(image_processor=build_image_processor(), tokenizer=tokenizer)


def build_image_processor() -> CLIPImageProcessor:
    """Return what makes pictures 64 x 64 (bicubic), values in [-1, 1]."""
    return CLIPImageProcessor(
        size={"shortest_edge": IMAGE_SIZE}, crop_size=IMAGE_SIZE, image_mean=[0.5] * 3, image_std=[0.5] * 3
    )


@torch.no_grad()
def measure_clip(
    clip: CLIPModel, tokenizer: CLIPTokenizer, pictures: np.ndarray, scenes: list[Scene], device: torch.device
) -> dict[str, float]:
    """Measure on twin scenes: retrieval of the caption among 64 unlike ones, and against the twin's caption."""
    image_embeds, text_embeds = [], []
    for start in range(0, len(scenes), 128):
        part = slice(start, start + 128)
        output = clip(
            pixel_values=to_pixels(pictures[part]).to(device),
            input_ids=token_ids(tokenizer, [s.caption for s in scenes[part]]).to(device),
        )
        image_embeds.append(output.image_embeds)
        text_embeds.append(output.text_embeds)
    images, texts = torch.cat(image_embeds), torch.cat(text_embeds)
    pairs = (images * texts).sum(-1)
    twin = (images * texts[torch.arange(len(texts)) ^ 1]).sum(-1)
    hits = []
    for start in range(0, len(scenes) - 127, 128):
        group = torch.arange(start, start + 128, 2)
        hits.append((images[group] @ texts[group].T).argmax(1) == torch.arange(64, device=images.device))
    return {
        "retrieval_among_64": float(torch.cat(hits).float().mean()),
        "hard_negative_accuracy": float((pairs > twin).float().mean()),
    }
