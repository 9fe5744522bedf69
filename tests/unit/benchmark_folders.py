"""What tests of benchmarks' folders write and look at."""

import json

import numpy as np
from tiny_models import tiny_image


def save(path, seed=0, size=(24, 16)):
    path.parent.mkdir(parents=True, exist_ok=True)
    tiny_image(seed, size).save(path)
    return path


def write_json(path, value):
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(value))


def truncate(path):
    path.write_bytes(path.read_bytes()[:60])


def noted(benchmark):
    return {(entry.id, entry.what) for entry in benchmark.missing}


def pixels(image):
    return np.asarray(image).tolist()
