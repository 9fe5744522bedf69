"""Code for a GPU on a machine without one: tensors that only claim to lie on ``cuda``.

Such a tensor has a shape, a precision and a device, and no numbers. Where a tensor of the host meets one of the GPU,
torch refuses the operation as it would on a real GPU.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import pytest
import torch
from tiny_models import tiny_image
from torch import nn
from torch._subclasses.fake_tensor import FakeTensorMode

from editfoundry.pretrained.clip import load_clip
from editfoundry.pretrained.runtime import Runtime, choose_runtime
from editfoundry.pretrained.vision_language_model import load_vision_language_model
from editfoundry.profiles import load_profile

CPU = choose_runtime("cpu")
GPU = Runtime(torch.device("cuda:0"), torch.bfloat16)
EMBEDDED = load_profile("embedded")


@pytest.fixture
def on_gpu() -> Callable[..., FakeTensorMode]:
    """Return what moves modules to a GPU that is not there, and the mode in which they can be called."""

    def moved(*modules: nn.Module) -> FakeTensorMode:
        mode = FakeTensorMode(allow_non_fake_inputs=True)
        for module in modules:
            module.to("meta")
            with mode:
                for part in module.modules():
                    for name, value in part._parameters.items():
                        if value is not None:
                            part._parameters[name] = nn.Parameter(_claimed(value), requires_grad=False)
                    for name, value in part._buffers.items():
                        if value is not None:
                            part._buffers[name] = _claimed(value)
        return mode

    return moved


def _claimed(tensor: torch.Tensor) -> torch.Tensor:
    dtype = GPU.dtype if tensor.is_floating_point() else tensor.dtype
    return torch.empty(tensor.shape, dtype=dtype, device=GPU.device)


def test_a_tensor_of_the_host_is_refused_as_it_would_be(on_gpu):
    layer = nn.Linear(2, 2)
    with on_gpu(layer), pytest.raises(RuntimeError, match="device"):
        layer(torch.zeros(1, 2, dtype=GPU.dtype))


def test_clip_takes_pictures_and_texts_to_its_device_and_brings_their_features_back(on_gpu):
    clip = replace(load_clip(EMBEDDED, CPU), runtime=GPU)
    with on_gpu(clip.model):
        found = [clip.encode_images([tiny_image(seed) for seed in range(3)]), clip.encode_texts(["a cat", "a dog"])]
    assert [len(features) for features in found] == [3, 2]
    assert {(features.device.type, features.dtype) for features in found} == {("cpu", torch.float32)}


def test_the_judge_takes_pictures_and_questions_to_its_device_and_brings_probabilities_back(on_gpu):
    judge = replace(load_vision_language_model(EMBEDDED, CPU), runtime=GPU)
    with on_gpu(judge.model):
        rows = [(tiny_image(0), tiny_image(1)), (tiny_image(2), tiny_image(3))]
        found = judge.answer_probabilities(rows, ["Is it sharp?", "Is it the same?"], ("1", "2"))
    assert found.shape == (2, 2) and found.device.type == "cpu" and found.dtype == torch.float32
