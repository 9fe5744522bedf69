import zlib
from dataclasses import replace

import numpy as np
import pytest
from PIL import Image, ImageEnhance

from editfoundry.cli.app import app
from editfoundry.data.record import Triplet
from editfoundry.data.shards import write_triplets
from editfoundry.errors import BadInputError
from editfoundry.evaluation.benchmark_leaks import find_benchmark_leaks
from editfoundry.evaluation.benchmarks.reading import read_benchmark
from editfoundry.evaluation.benchmarks.tinyworld import item_of_case
from editfoundry.pretraining.recipes.editworld import write_world_triplets
from editfoundry.tinyworld.benchmark import world_cases


@pytest.fixture(scope="module")
def cases():
    return world_cases("test", 12, seed=0)


def _triplet(case, **changes):
    given = {
        "instruction": f"unlike {case.id}",
        "input_caption": f"before {case.id}",
        "output_caption": f"after {case.id}",
        "input_image": _noise(case.id),
        "output_image": _noise(case.id + "'"),
    }
    return Triplet(**{**given, **changes})


def _noise(name):
    random = np.random.default_rng(zlib.crc32(name.encode()))
    return Image.fromarray(random.integers(0, 256, (64, 64, 3), dtype=np.uint8))


def _brighter(pixels):
    return ImageEnhance.Brightness(Image.fromarray(pixels)).enhance(1.005)


def test_each_kind_of_leak_is_found_in_the_train_split_alone(tmp_path, cases):
    a, b, c, d, e = cases[:5]
    planted = [
        _triplet(a, output_image=_brighter(a.input_image)),
        _triplet(b, input_image=Image.fromarray(b.true_output).resize((128, 128), Image.Resampling.BICUBIC)),
        _triplet(c, input_caption=c.input_caption.upper(), instruction=f" {c.instruction.rstrip('.')}. "),
        _triplet(d, input_caption=d.input_caption, output_caption=d.output_caption),
        _triplet(e, instruction=e.instruction),
    ]
    write_triplets(tmp_path / "train" / "00000.tar", planted)
    # The test split may hold what the benchmark shows.
    write_triplets(tmp_path / "test" / "00000.tar", [_triplet(cases[6], input_image=_brighter(cases[6].input_image))])
    report = find_benchmark_leaks([item_of_case(case) for case in cases], tmp_path)
    assert (report.num_items, report.num_triplets) == (12, 5)
    found = [(leak.kind, leak.item_id, leak.triplet_id) for leak in report.leaks]
    assert found == [
        ("input picture", a.id, planted[0].id),
        ("target picture", b.id, planted[1].id),
        ("edit", c.id, planted[2].id),
        ("captions", d.id, planted[3].id),
    ]
    shared = {(leak.kind, leak.item_id) for leak in report.shared_texts}
    assert {("instruction", e.id), ("instruction", c.id), ("input caption", d.id), ("output caption", d.id)} <= shared


def test_tinyworlds_training_data_leak_nothing_of_its_benchmarks(tmp_path):
    write_world_triplets(tmp_path / "shards", 30)
    for name in ("tinyworld-world", "tinyworld-new-rules", "tinyworld-plain"):
        assert find_benchmark_leaks(read_benchmark(name, num_items=9).items, tmp_path / "shards").is_clean


def test_the_command_lists_leaks_and_exits_with_1(tmp_path):
    from typer.testing import CliRunner

    case = read_benchmark("tinyworld-plain", num_items=1).items[0].case
    clean, leaking = tmp_path / "clean", tmp_path / "leaking"
    write_triplets(clean / "00000.tar", [_triplet(case)])
    write_triplets(leaking / "00000.tar", [replace(_triplet(case), input_image=Image.fromarray(case.input_image))])
    command = ["check-leaks", "--benchmark", "tinyworld-plain", "--num-items", "3", "--dataset"]
    runs = [CliRunner().invoke(app, [*command, str(folder)]) for folder in (clean, leaking)]
    assert [run.exit_code for run in runs] == [0, 1]
    assert "leaks: 0" in runs[0].output
    assert f"input picture: {case.id} is in triplet" in runs[1].output


def test_of_an_import_with_several_splits_the_train_split_is_searched(tmp_path, cases):
    leaking = {"input_image": Image.fromarray(cases[0].input_image), "split": "test"}
    triplets = [_triplet(cases[1], split="train"), _triplet(cases[2], split=""), _triplet(cases[3], **leaking)]
    write_triplets(tmp_path / "00000.tar", triplets)
    report = find_benchmark_leaks([item_of_case(case) for case in cases[:1]], tmp_path)
    assert (report.num_triplets, report.is_clean) == (2, True)


def test_a_data_set_without_triplets_is_bad_input_and_not_clean(tmp_path, cases):
    write_triplets(tmp_path / "00000.tar", [])
    with pytest.raises(BadInputError, match="nothing was compared"):
        find_benchmark_leaks([item_of_case(case) for case in cases[:1]], tmp_path)
