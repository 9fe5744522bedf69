"""Grounding DINO's training loss: every box is one query's, which fits the tokens of the box's phrase.

The proposals of the encoder are trained as they are proposed, before the best are taken; transformers' own loss gives
them no gradient.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import torch
from scipy.optimize import linear_sum_assignment
from torch import Tensor, nn
from torchvision.ops import generalized_box_iou, generalized_box_iou_loss, sigmoid_focal_loss

CLASS_COST, BOX_COST, GIOU_COST = 2.0, 5.0, 2.0
"""Weights of a match (Liu et al. 2024, section 4.2)."""
CLASS_WEIGHT, BOX_WEIGHT, GIOU_WEIGHT = 1.0, 5.0, 2.0
"""Weights of the losses."""
ALPHA = 0.25
"""Of the focal loss: the weight of tokens that belong to a query's phrase."""
PROPOSALS_OF_BOX = 4
"""Proposals that each box is taught to, so that many places learn from it."""


@dataclass(frozen=True)
class BoxTargets:
    """What a picture shows of what it was asked for."""

    boxes: Tensor
    """``(T, 4)`` centres and sides, shares of the picture."""
    tokens: Tensor
    """``(T, L)``: 1 for the tokens of a box's phrase."""

    def to(self, device: torch.device) -> BoxTargets:
        """Return the same on a device."""
        return BoxTargets(self.boxes.to(device), self.tokens.to(device))


def detection_loss(dino: Any, pixels: Tensor, prompts: dict[str, Tensor], targets: Sequence[BoxTargets]) -> Tensor:
    """Return the loss of a batch: of the encoder's proposals and of each layer of the decoder.

    Args:
        dino: a ``GroundingDinoForObjectDetection``.
        pixels: ``(B, 3, H, W)``.
        prompts: ``input_ids`` and ``attention_mask``, ``(B, L)``.
        targets: of each picture, of up to ``L`` tokens.
    """
    outputs = dino.model(pixel_values=pixels, **prompts, return_dict=True)
    mask = prompts["attention_mask"].bool()
    length = mask.shape[1]
    proposed = outputs.enc_outputs_class[..., :length], outputs.enc_outputs_coord_logits.sigmoid()
    losses = [_matched_loss(*proposed, mask, targets, PROPOSALS_OF_BOX)]
    for layer, (states, references) in enumerate(_layers(outputs)):
        logits = dino.class_embed[layer](states, outputs.encoder_last_hidden_state_text, mask)[..., :length]
        boxes = (dino.bbox_embed[layer](states) + torch.special.logit(references, eps=1e-5)).sigmoid()
        losses.append(_matched_loss(logits, boxes, mask, targets, 1))
    return torch.stack(losses).mean()


def _layers(outputs: Any) -> list[tuple[Tensor, Tensor]]:
    """Return each layer's ``(B, Q, D)`` states, and the ``(B, Q, 4)`` boxes that it set out from."""
    states = outputs.intermediate_hidden_states
    begun = [outputs.init_reference_points, *outputs.intermediate_reference_points.unbind(1)]
    return list(zip(states.unbind(1), begun, strict=False))


def _matched_loss(logits: Tensor, boxes: Tensor, mask: Tensor, targets: Sequence[BoxTargets], copies: int) -> Tensor:
    """Match queries and targets, each to ``copies`` queries, and return the loss of both the tokens and the boxes.

    Args:
        logits: ``(B, Q, L)``; what lies behind a prompt is minus infinity.
        boxes: ``(B, Q, 4)``.
        mask: ``(B, L)`` bool, a prompt's tokens.
        targets: of each picture.
        copies: queries of a target.
    """
    wanted = torch.zeros_like(logits)
    found, truths = [], []
    for row, target in enumerate(targets):
        num_tokens = target.tokens.shape[1]
        chosen, matched = _match(logits[row, :, :num_tokens], boxes[row], target, copies)
        wanted[row, chosen, :num_tokens] = target.tokens[matched].to(wanted.dtype)
        found.append(boxes[row, chosen])
        truths.append(target.boxes[matched])
    count = max(1, sum(len(part) for part in found))
    usable = mask[:, None].expand_as(logits)
    focal = sigmoid_focal_loss(logits[usable], wanted[usable], ALPHA, reduction="sum")
    # Of a phrase's tokens all are right or none.
    focal = focal / max(1.0, float(wanted.sum()))
    own, true = torch.cat(found), torch.cat(truths)
    distance = nn.functional.l1_loss(own, true, reduction="sum") / count
    overlap = generalized_box_iou_loss(_corners(own), _corners(true), reduction="sum") / count
    return CLASS_WEIGHT * focal + BOX_WEIGHT * distance + GIOU_WEIGHT * overlap


@torch.no_grad()
def _match(logits: Tensor, boxes: Tensor, target: BoxTargets, copies: int) -> tuple[Tensor, Tensor]:
    """Return which queries, and which targets they have: the assignment that costs least."""
    tokens = target.tokens / target.tokens.sum(1, keepdim=True).clamp(min=1)
    probability = logits.float().sigmoid()
    misses = (1 - ALPHA) * probability.square() * -(1 - probability + 1e-8).log()
    hits = ALPHA * (1 - probability).square() * -(probability + 1e-8).log()
    cost = CLASS_COST * ((hits - misses) @ tokens.T)
    cost = cost + BOX_COST * torch.cdist(boxes.float(), target.boxes, p=1)
    cost = cost - GIOU_COST * generalized_box_iou(_corners(boxes.float()), _corners(target.boxes))
    rows, columns = linear_sum_assignment(cost.repeat(1, copies).cpu().numpy())
    device = boxes.device
    return torch.as_tensor(rows, device=device), torch.as_tensor(columns, device=device) % max(1, len(target.boxes))


def _corners(boxes: Tensor) -> Tensor:
    centres, sides = boxes[..., :2], boxes[..., 2:]
    return torch.cat([centres - sides / 2, centres + sides / 2], dim=-1)
