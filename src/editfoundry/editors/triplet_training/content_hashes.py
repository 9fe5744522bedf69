"""Hashes of a data set's and an editor's content, which name caches and tell whether a checkpoint still fits."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

from editfoundry.data.hashing import file_hash, input_hash
from editfoundry.data.index import index_path, shards_of
from editfoundry.data.storage import locate
from editfoundry.errors import BadInputError


def dataset_hash(dataset: Path) -> str:
    """Hash the indexes of a folder of triplet shards, which hold the content hash of every triplet.

    Raises:
        BadInputError: there is no shard, one was never finished, or one is missing.
    """
    tars = shards_of(dataset)
    _check_no_shard_is_missing(dataset, tars)
    unfinished = [tar for tar in tars if not index_path(tar).is_file()]
    if unfinished:
        raise BadInputError(f"{unfinished[0]}: no index beside it, so it was never finished; make it again")
    return input_hash([(tar.name, file_hash(index_path(tar))) for tar in tars])


def editor_hash(editor: str, components: Iterable[str] = ("",), revision: str = "main") -> str:
    """Hash the files of an editor's components (sub-folders of diffusers' layout); of a hub id, its name and revision.

    What else lies in the editor's folder tells how it was made, not what it computes, and does not count.
    """
    folder = Path(editor)
    if not folder.is_dir():
        return input_hash(editor if revision == "main" else f"{editor}@{revision}", list(components))
    files = [path for component in components for path in (folder / component).rglob("*") if path.is_file()]
    names = {path.relative_to(folder): path for path in files}
    computing = [name for name in sorted(names) if _computes(name)]
    return input_hash([(name.as_posix(), file_hash(names[name])) for name in computing])


def model_folder_hash(model: str, revision: str = "main") -> str:
    """Hash the files at the top of a model's folder (transformers' layout); of a hub id, its name and revision."""
    folder = Path(model)
    if not folder.is_dir():
        return editor_hash(model, revision=revision)
    told = (".safetensors", ".json", ".jinja", ".model")
    files = sorted(path for path in folder.iterdir() if path.suffix in told and path.name != "card.json")
    return input_hash([(path.name, file_hash(path)) for path in files])


def _check_no_shard_is_missing(dataset: Path, tars: list[Path]) -> None:
    dataset = locate(dataset)
    indexes = dataset.glob("*.parquet") if dataset.is_dir() else [index_path(tar) for tar in tars]
    for index in sorted(indexes):
        # A folder may hold other tables, such as what was rejected; shards have numbers.
        tar = index.with_suffix(".tar")
        if tar.name.removesuffix(".tar").isdigit() and index.is_file() and not tar.is_file():
            raise BadInputError(f"{tar}: missing, though its index is there; make the shard again")


def _computes(name: Path) -> bool:
    hidden = any(part.startswith(".") for part in name.parts)
    return not hidden and (len(name.parts) > 1 or name.name == "model_index.json")
