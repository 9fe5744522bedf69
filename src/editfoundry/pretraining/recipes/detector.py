"""The role ``detector``: a small Grounding DINO, trained on the boxes of what phrases name in tinyworld's scenes."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn
from transformers import (
    BertConfig,
    BertTokenizer,
    ConvNextConfig,
    GroundingDinoConfig,
    GroundingDinoForObjectDetection,
    GroundingDinoImageProcessor,
    GroundingDinoProcessor,
)

from editfoundry.pretrained.detector import PHRASE_TOKENS, build_prompt, padded
from editfoundry.pretraining.detection_loss import BoxTargets, detection_loss
from editfoundry.pretraining.drawn_pictures import noisy_pixels
from editfoundry.pretraining.model_trainee import PretrainingConfig, PretrainingResult, fit, start_from
from editfoundry.pretraining.named_things import NamedThing, asked_phrases, every_word
from editfoundry.pretraining.recipes.segmenter import training_labels
from editfoundry.pretraining.recipes.vae import scene_pictures
from editfoundry.tinyworld.scene import IMAGE_SIZE, Scene
from editfoundry.tinyworld.scene_sampling import random_stream, sample_scene

NUM_PICTURES = 16_384
"""As many as the autoencoder's, whose cached pictures are used again."""
MIN_PIXELS = 16
"""Objects of which less is seen are not asked for."""
SPECIAL_TOKENS = {"[UNK]": 100, "[CLS]": 101, "[SEP]": 102, "[MASK]": 103, ".": 1012, "?": 1029}
"""Numbers that BERT gives them; Grounding DINO's code knows those of what ends a phrase."""
CONFIG = PretrainingConfig(num_steps=9000, batch_size=24, learning_rate=8e-4, max_grad_norm=1.0, ema_decay=0.998)
ON_GPU: dict[str, Any] = {"batch_size": 64}


def detector_config(vocabulary_size: int) -> GroundingDinoConfig:
    """Return the embedded Grounding DINO's size: 64 x 64 pixels, maps of 8 and 4 to a side, twelve queries."""
    return GroundingDinoConfig(
        backbone_config=ConvNextConfig(
            patch_size=4,
            hidden_sizes=[40, 80, 128],
            depths=[2, 2, 2],
            num_stages=3,
            image_size=IMAGE_SIZE,
            out_features=["stage2", "stage3"],
        ),
        text_config=BertConfig(
            vocab_size=vocabulary_size,
            hidden_size=64,
            num_hidden_layers=2,
            num_attention_heads=4,
            intermediate_size=128,
            max_position_embeddings=2 * PHRASE_TOKENS,
            hidden_dropout_prob=0.0,
            attention_probs_dropout_prob=0.0,
        ),
        num_queries=12,
        num_feature_levels=2,
        d_model=96,
        encoder_layers=2,
        encoder_ffn_dim=192,
        encoder_attention_heads=6,
        decoder_layers=3,
        decoder_ffn_dim=192,
        decoder_attention_heads=6,
        dropout=0.0,
        fusion_droppath=0.0,
    )


def train_detector(
    work_dir: Path,
    device: torch.device,
    config: PretrainingConfig = CONFIG,
    num_pictures: int = NUM_PICTURES,
    shipped: Path | None = None,
) -> tuple[GroundingDinoForObjectDetection, GroundingDinoProcessor, PretrainingResult]:
    """Train on scenes of the training split: phrases of their things, and others that name nothing in them.

    ``shipped`` is a detector to train on.
    """
    pictures = scene_pictures(work_dir / "data", "train", num_pictures)
    labels = training_labels(work_dir / "data", num_pictures)
    scenes = [sample_scene(random_stream("pictures", "train", index), "train") for index in range(num_pictures)]
    processor = build_processor(work_dir / "detector_tokenizer")
    torch.manual_seed(config.seed)
    model = GroundingDinoForObjectDetection(detector_config(len(processor.tokenizer)))
    if shipped is not None:
        start_from(model, shipped)
    model.to(device)

    def step_loss(dino: nn.Module, generator: torch.Generator) -> Tensor:
        chosen = torch.randint(num_pictures, (config.batch_size,), generator=generator).tolist()
        flips = torch.rand(len(chosen), generator=generator) < 0.5
        random = np.random.default_rng(int(torch.randint(2**31, (1,), generator=generator)))
        inputs, targets = [], []
        for index, flip in zip(chosen, flips.tolist(), strict=True):
            prompt, target = _question(processor.tokenizer, scenes[index], labels[index], flip, random)
            inputs.append(prompt)
            targets.append(target)
        pixels = noisy_pixels(pictures[chosen], generator)
        pixels = torch.where(flips[:, None, None, None], pixels.flip(3), pixels)
        batch = {name: value.to(device) for name, value in padded(inputs).items()}
        return detection_loss(dino, pixels.to(device), batch, [target.to(device) for target in targets])

    result = fit(model, step_loss, config, work_dir / "detector")
    return model, processor, result


def build_processor(folder: Path) -> GroundingDinoProcessor:
    """Return the processor: pictures 64 x 64 with values in [-1, 1], and a tokenizer of tinyworld's words.

    Args:
        folder: gets the tokenizer's vocabulary.
    """
    images = GroundingDinoImageProcessor(
        size={"height": IMAGE_SIZE, "width": IMAGE_SIZE}, image_mean=[0.5] * 3, image_std=[0.5] * 3
    )
    return GroundingDinoProcessor(images, build_tokenizer(folder))


def build_tokenizer(folder: Path) -> BertTokenizer:
    """Return a BERT tokenizer whose words are tinyworld's, and whose letters spell what else is asked."""
    letters = "abcdefghijklmnopqrstuvwxyz0123456789-',!"
    tokens = list(dict.fromkeys([*letters, *(f"##{letter}" for letter in letters), *every_word()]))
    taken = {number: token for token, number in SPECIAL_TOKENS.items()} | {0: "[PAD]"}
    waiting = iter([token for token in tokens if token not in SPECIAL_TOKENS])
    count = max(max(taken) + 1, len(tokens) + len(taken))
    # BERT's first thousand numbers are mostly unused ones and letters, too.
    words = [taken.get(n) or next(waiting, f"[unused{n}]") for n in range(count)]
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "vocab.txt").write_text("\n".join(words) + "\n")
    return BertTokenizer(str(folder / "vocab.txt"), model_max_length=256)


def _question(
    tokenizer: Any, scene: Scene, labels: np.ndarray, flip: bool, random: np.random.Generator
) -> tuple[Any, BoxTargets]:
    """Draw phrases to ask of a scene; return their prompt, and the boxes of the things that they name."""
    seen = [NamedThing(thing, box) for thing, box in zip(scene.objects, _boxes(labels, flip), strict=False) if box]
    asked = asked_phrases(scene, seen, random)
    prompt = build_prompt(tokenizer, [phrase for phrase, _ in asked])
    named = [(span, box) for span, (_, box) in zip(prompt.spans, asked, strict=True) if box is not None]
    tokens = torch.zeros(len(named), len(prompt.input_ids))
    for row, ((start, end), _) in enumerate(named):
        tokens[row, start:end] = 1
    boxes = torch.tensor([box for _, box in named], dtype=torch.float32).reshape(-1, 4)
    return prompt, BoxTargets(boxes, tokens)


def _boxes(labels: np.ndarray, flip: bool) -> list[tuple[float, float, float, float] | None]:
    """Return the boxes of a scene's things: centres and sides as shares of the picture; None for the hardly seen."""
    boxes: list[tuple[float, float, float, float] | None] = []
    for number in range(1, int(labels.max()) + 1):
        ys, xs = np.nonzero(labels[:, ::-1] == number if flip else labels == number)
        if len(xs) < MIN_PIXELS:
            boxes.append(None)
            continue
        left, right, top, bottom = xs.min(), xs.max() + 1, ys.min(), ys.max() + 1
        box = np.array([left + right, top + bottom, 2 * (right - left), 2 * (bottom - top)]) / (2 * IMAGE_SIZE)
        boxes.append((float(box[0]), float(box[1]), float(box[2]), float(box[3])))
    return boxes
