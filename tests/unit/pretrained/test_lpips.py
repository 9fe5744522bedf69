"""LPIPS against torchmetrics' own network with the same random backbone."""

import pytest
import torch
from torchmetrics.functional.image.lpips import _LPIPS, Vgg16

from editfoundry.errors import MissingModelError
from editfoundry.pretrained.lpips import TAPS, load_lpips
from editfoundry.pretrained.runtime import choose_runtime
from editfoundry.profiles import load_profile

CPU = choose_runtime("cpu")


def profile(folder, weight_name):
    (folder / "mine.toml").write_text(f'[lpips]\nmodel = "{folder}"\nweight_name = "{weight_name}"\n')
    return load_profile(folder / "mine.toml")


def test_distances_are_torchmetrics_s_with_the_same_backbone(tmp_path):
    torch.manual_seed(0)
    theirs = _LPIPS(pretrained=True, net="alex", pnet_rand=True)
    slices = (theirs.net.slice1, theirs.net.slice2, theirs.net.slice3, theirs.net.slice4, theirs.net.slice5)
    weights = {f"features.{name}": value for part in slices for name, value in part.state_dict().items()}
    torch.save(weights, tmp_path / "alexnet-owt-7be5be79.pth")
    lpips = load_lpips(profile(tmp_path, "alexnet-owt-7be5be79.pth"), CPU)
    first, second = torch.rand(2, 3, 3, 64, 64)
    with torch.inference_mode():
        expected = theirs(first, second, normalize=True).flatten()
    torch.testing.assert_close(lpips.distances(first, second), expected, atol=1e-6, rtol=1e-4)
    assert float(lpips.distances(first, first).max()) == 0
    assert lpips.name == "alexnet-owt-7be5be79.pth@main"


def test_vgg_is_compared_where_torchmetrics_compares_it():
    with torch.device("meta"):
        theirs = Vgg16(pretrained=False)
    slices = (theirs.slice1, theirs.slice2, theirs.slice3, theirs.slice4, theirs.slice5)
    assert TAPS["vgg16"] == tuple(int(list(dict(part.named_children()))[-1]) for part in slices)


def test_missing_weights_are_named_with_the_command_that_fetches_them(tmp_path):
    with pytest.raises(MissingModelError, match=r"no file .*vgg16.*fetch it with: curl -Lo .*\.pth https:"):
        load_lpips(profile(tmp_path, "vgg16-397923af.pth"), CPU)
    with pytest.raises(MissingModelError, match="name a file of alexnet or vgg16"):
        load_lpips(profile(tmp_path, "resnet.pth"), CPU)
    with pytest.raises(MissingModelError, match="names no model for the role 'lpips'"):
        load_lpips(load_profile("embedded"), CPU)
