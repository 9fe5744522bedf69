import resource
from pathlib import Path

import pytest
import torch
from damaged_shards import overwrite_picture
from diffusers import AutoencoderKL
from tiny_models import IMAGE_SIZE, tiny_pipeline, write_dataset

from editfoundry.editors.triplet_training.latent_cache import LatentCache, latent_caches
from editfoundry.editors.triplet_training.triplet_pixels import TripletPixels
from editfoundry.errors import BadInputError
from editfoundry.training.failures import TrainingError
from editfoundry.training.run_folder import writing

INDICES = torch.tensor([6, 1])


def latent_cache(folder: Path, dataset: Path, vae: AutoencoderKL, *, horizontal_flip: bool) -> LatentCache:
    [cache] = latent_caches(folder, dataset, vae, [TripletPixels(dataset, IMAGE_SIZE)], horizontal_flip=horizontal_flip)
    return cache


def test_cached_latents_are_what_the_vae_says_of_each_pair(tmp_path: Path) -> None:
    dataset, vae = write_dataset(tmp_path / "data"), tiny_pipeline().vae
    cache = latent_cache(tmp_path / "cache", dataset, vae, horizontal_flip=True)
    noise = torch.randn(2, 4, 16, 16)
    for flip in (0, 1):
        pairs = torch.stack([TripletPixels(dataset, IMAGE_SIZE, bool(flip))[int(i)] for i in INDICES])
        with torch.no_grad():
            inputs, outputs = (vae.encode(pairs[:, role]).latent_dist for role in (0, 1))
        flips = torch.full((2, 2), flip)
        modes, sampled = cache.encode(cache.read(INDICES, flips, torch.zeros(2, 2, 3)), noise)
        torch.testing.assert_close(modes, inputs.mode(), atol=1e-5, rtol=1e-4)
        torch.testing.assert_close(sampled, outputs.mean + outputs.std * noise, atol=1e-5, rtol=1e-4)


def test_the_output_images_latents_can_be_of_the_mirrored_pair_alone(tmp_path: Path) -> None:
    cache = latent_cache(
        tmp_path / "cache", write_dataset(tmp_path / "data"), tiny_pipeline().vae, horizontal_flip=True
    )
    plain, mirrored, apart = (
        cache.read(INDICES, torch.tensor([flips] * 2), torch.zeros(2, 2, 3)) for flips in ((0, 0), (1, 1), (0, 1))
    )
    assert torch.equal(apart[0], plain[0]) and torch.equal(apart[1], mirrored[1])
    assert not torch.equal(plain[1], mirrored[1])


def test_a_cache_that_is_there_is_opened_without_decoding_the_data(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    dataset, vae = write_dataset(tmp_path / "data"), tiny_pipeline().vae
    latent_cache(tmp_path / "cache", dataset, vae, horizontal_flip=False)
    monkeypatch.setattr("editfoundry.data.shards.decode_png", None)
    cache = latent_cache(tmp_path / "cache", dataset, vae, horizontal_flip=False)
    assert len(cache) == 8


@pytest.mark.parametrize("damage", ["a picture of another triplet", "a cut tar"])
def test_a_cache_is_not_opened_once_its_data_are_damaged(damage: str, tmp_path: Path) -> None:
    dataset, vae = write_dataset(tmp_path / "data"), tiny_pipeline().vae
    latent_cache(tmp_path / "cache", dataset, vae, horizontal_flip=False)
    tar = dataset / "00000.tar"
    if damage == "a cut tar":
        tar.write_bytes(tar.read_bytes()[:100])
    else:
        overwrite_picture(tar)
    with pytest.raises(BadInputError, match="00000.tar"):
        latent_cache(tmp_path / "cache", dataset, vae, horizontal_flip=False)


def test_a_cache_without_room_is_told_before_it_is_filled_and_leaves_nothing(tmp_path: Path) -> None:
    dataset, vae = write_dataset(tmp_path / "data"), tiny_pipeline().vae
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (20_000, limits[1]))
    try:
        with pytest.raises(TrainingError, match="a cache cannot be written to .*: free some space"):
            with writing("a cache", tmp_path, "no step was done yet", OSError):
                latent_cache(tmp_path / "cache", dataset, vae, horizontal_flip=True)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["data"]
