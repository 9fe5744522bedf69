"""The role ``lpips``: the perceptual distance of two pictures (Zhang et al., 2018, version 0.1).

The profile names the file of the backbone's weights, as torchvision publishes it (``alexnet-owt-7be5be79.pth``,
``vgg16-397923af.pth``), in a folder; the linear layers on top come with torchmetrics.
"""

from __future__ import annotations

from dataclasses import dataclass
from importlib.resources import as_file, files
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from editfoundry.errors import MissingModelError
from editfoundry.pretrained.opening import opening
from editfoundry.pretrained.passes import PASS_SIZES, Passes
from editfoundry.pretrained.runtime import Runtime
from editfoundry.profiles import Profile

TAPS = {"alexnet": (1, 4, 7, 9, 11), "vgg16": (3, 8, 15, 22, 29)}
"""Backbone -> layers of its features that are compared: each stage's last ReLU."""
_LAYERS = {"alexnet": "alex", "vgg16": "vgg"}
"""Backbone -> file of its linear layers in torchmetrics."""
_SHIFT = (-0.030, -0.088, -0.188)
_SCALE = (0.458, 0.448, 0.450)
_EPSILON = 1e-8


@dataclass(frozen=True)
class Lpips:
    """A backbone and one weight for each of its channels."""

    name: str
    """File of the weights @ revision."""
    features: Any
    """``nn.Sequential``."""
    taps: tuple[int, ...]
    channel_weights: tuple[Tensor, ...]
    """``(1, C, 1, 1)`` each, not negative."""
    runtime: Runtime
    batch_size: int = PASS_SIZES["lpips"]
    """Pairs that go through the network together."""

    @torch.inference_mode()
    def distances(self, first: Tensor, second: Tensor) -> Tensor:
        """Return the distances of two batches ``(B, 3, H, W)`` float RGB in [0, 1]; ``(B,)`` float32 on the CPU."""
        distances = Passes(self.batch_size).run(len(first), lambda part: self._distances(first[part], second[part]))
        return torch.cat(distances)

    def _distances(self, first: Tensor, second: Tensor) -> Tensor:
        # Both halves go through the network together.
        states = self._scaled(torch.cat([first, second]))
        total = torch.zeros(len(first), device=states.device)
        for number, layer in enumerate(self.features[: self.taps[-1] + 1]):
            states = layer(states)
            if number in self.taps:
                a, b = _unit(states.float()).chunk(2)
                weights = self.channel_weights[self.taps.index(number)]
                total += ((a - b).square() * weights).sum(1).mean((1, 2))
        return total.cpu()

    def _scaled(self, pixels: Tensor) -> Tensor:
        shift, scale = (torch.tensor(values).view(1, 3, 1, 1) for values in (_SHIFT, _SCALE))
        return ((2 * pixels - 1 - shift) / scale).to(self.runtime.device, self.runtime.dtype)


def load_lpips(profile: Profile, runtime: Runtime) -> Lpips:
    """Load the profile's LPIPS.

    Raises:
        MissingModelError: the profile names none, the file is not there, or it is of no known backbone.
        BadInputError: the file does not hold the weights of its backbone.
    """
    import torchvision.models

    reference = profile.model("lpips")
    path = Path(reference.location) / reference.weight_name
    backbone = next((name for name in TAPS if path.name.startswith(name)), None)
    if backbone is None:
        known = " or ".join(TAPS)
        raise MissingModelError(f"role 'lpips': weight_name is {reference.weight_name!r}; name a file of {known}")
    if not path.is_file():
        address = f"https://download.pytorch.org/models/{path.name}"
        raise MissingModelError(f"role 'lpips': no file {path}; fetch it with: curl -Lo {path} {address}")
    with torch.device("meta"):
        features = getattr(torchvision.models, backbone)(weights=None).features
    with opening(reference, f"the weights of {backbone}"):
        weights = torch.load(path, map_location="cpu", weights_only=True)
        own = {name.removeprefix("features."): v for name, v in weights.items() if name.startswith("features.")}
        features.load_state_dict(own, assign=True)
    features = _without_inplace(features).to(runtime.device, runtime.dtype).eval()
    layers = tuple(weight.to(runtime.device) for weight in _channel_weights(backbone))
    return Lpips(f"{path.name}@{reference.revision}", features, TAPS[backbone], layers, runtime)


def _channel_weights(backbone: str) -> list[Tensor]:
    source = files("torchmetrics.functional.image") / "lpips_models" / f"{_LAYERS[backbone]}.pth"
    with as_file(source) as path:
        layers = torch.load(path, map_location="cpu", weights_only=True)
    return [layers[f"lin{number}.model.1.weight"].float() for number in range(len(TAPS[backbone]))]


def _without_inplace(features: Any) -> Any:
    """Let no ReLU overwrite the activation before it, which is compared too."""
    for layer in features:
        if isinstance(layer, torch.nn.ReLU):
            layer.inplace = False
    return features


def _unit(states: Tensor) -> Tensor:
    return states / (states.square().sum(1, keepdim=True) + _EPSILON).sqrt()
