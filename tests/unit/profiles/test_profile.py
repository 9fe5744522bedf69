import pytest

from editfoundry.errors import BadInputError, MissingModelError
from editfoundry.profiles import EMBEDDED_FOLDER, ROLES, load_profile


@pytest.mark.parametrize("name", ["embedded", "paper", "modern"])
def test_the_shipped_profiles_name_the_roles_of_the_lineage(name):
    profile = load_profile(name)
    assert {"text_to_image", "clip", "editor_base"} <= profile.models.keys() <= set(ROLES)


def test_models_of_the_package_lie_in_the_package():
    assert load_profile("embedded").model("clip").location == str(EMBEDDED_FOLDER / "clip")


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("[clip]\nmodel = ", "not a TOML file"),
        ('[clip]\nmodel = "x"\nrevision = ["a"]', "role 'clip': revision is .'a'.; it must be a text"),
        ("[painter]\nmodel = 'x'", "'painter' is no role; roles are text_to_image"),
        ("[clip]\nmodel = 'x'\nweights = 1", "role 'clip' has unknown keys: weights"),
        ("[clip]\nrevision = 'main'", "role 'clip' needs a table with model"),
        ("clip = 'x'", "role 'clip' needs a table with model"),
        ("[clip]\nmodel = 3", "role 'clip' needs a table with model"),
        ("post_edit = 3", "post_edit must be a table of settings"),
        ("a = " + "[" * 5000 + "]" * 5000, "not a TOML file: nested too deeply"),
        ("a = " + "9" * 5000, "not a TOML file: .*digits"),
    ],
)
def test_a_malformed_profile_is_bad_input_that_names_the_file(tmp_path, text, message):
    path = tmp_path / "mine.toml"
    path.write_text(text)
    with pytest.raises(BadInputError, match=message) as error:
        load_profile(path)
    assert str(path) in str(error.value)


def test_a_profile_with_a_byte_order_mark_is_read(tmp_path):
    (tmp_path / "mine.toml").write_bytes("\ufeff[clip]\nmodel = 'x'".encode())
    assert load_profile(tmp_path / "mine.toml").model("clip").source == "x"


@pytest.mark.parametrize("name", ["papers", "missing.toml"])
def test_an_unknown_profile_is_told_the_known_ones(name):
    with pytest.raises(BadInputError, match=f"no profile '{name}': use one of embedded, modern, paper"):
        load_profile(name)


def test_a_role_without_model_is_named(tmp_path):
    (tmp_path / "mine.toml").write_text("[clip]\nmodel = 'x'\nrevision = 'v1'")
    profile = load_profile(tmp_path / "mine.toml")
    assert str(profile.model("clip")) == "x@v1"
    with pytest.raises(MissingModelError, match="profile 'mine' names no model for the role 'depth'"):
        profile.model("depth")


@pytest.mark.parametrize("name", ["paper", "modern"])
def test_the_published_ip_adapter_and_its_image_encoder_lie_where_the_hub_has_them(name):
    reference = load_profile(name).model("ip_adapter")
    assert (reference.source, reference.subfolder) == ("h94/IP-Adapter", "sdxl_models")
    assert reference.weight_name == "ip-adapter_sdxl.safetensors"
    encoder = reference.image_encoder_reference()
    assert (encoder.source, encoder.subfolder) == ("h94/IP-Adapter", "sdxl_models/image_encoder")


def test_an_image_encoder_can_be_another_model(tmp_path):
    (tmp_path / "mine.toml").write_text("[ip_adapter]\nmodel = 'x'\nsubfolder = 'm'\nimage_encoder = 'package:clip'")
    encoder = load_profile(tmp_path / "mine.toml").model("ip_adapter").image_encoder_reference()
    assert encoder.location == str(EMBEDDED_FOLDER / "clip") and encoder.subfolder == ""
