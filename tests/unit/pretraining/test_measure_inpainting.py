"""The cascade's measures, on a tiny random one."""

from pathlib import Path

from tiny_cascade import tiny_cascade

from editfoundry.editors.editing_defaults import EditingDefaults, write_editing_defaults
from editfoundry.pretrained.runtime import choose_runtime
from editfoundry.pretraining.measure_inpainting import measure_inpainting
from editfoundry.profiles import load_profile


def test_attributes_are_measured_beside_what_another_prompt_gets(tmp_path: Path) -> None:
    tiny_cascade().save_pretrained(tmp_path)
    write_editing_defaults(tmp_path, EditingDefaults(options={"num_inference_steps": 1, "super_resolution_steps": 1}))
    measures = measure_inpainting(load_profile("embedded"), choose_runtime("cpu"), str(tmp_path), num_pictures=2)
    assert {"right", "right_object", "right_by_another", "right_object_by_another"} <= measures.keys()
    # Noise shows no thing.
    assert measures["right"] == 0
