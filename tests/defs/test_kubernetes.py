"""The manifests of infra/kubernetes and infra/ray against Kubernetes' own types, and against each other."""

import json
import shutil
import subprocess
from pathlib import Path
from types import SimpleNamespace

import pytest
import yaml
from dagster._core.instance.ref import InstanceRef
from kubernetes.client import ApiClient
from typer.main import get_command

from editfoundry.cli.app import app

INFRA = Path(__file__).resolve().parents[2] / "infra"
FOLDER = INFRA / "kubernetes"
OURS = {"editfoundry", "registry.example.org/editfoundry:0.1.0"}
TYPES = {
    "ConfigMap": "V1ConfigMap",
    "Deployment": "V1Deployment",
    "Job": "V1Job",
    "Namespace": "V1Namespace",
    "PersistentVolumeClaim": "V1PersistentVolumeClaim",
    "Role": "V1Role",
    "RoleBinding": "V1RoleBinding",
    "Service": "V1Service",
    "ServiceAccount": "V1ServiceAccount",
    "StatefulSet": "V1StatefulSet",
}
MADE_BY_A_PERSON = {"editfoundry-postgres", "editfoundry-s3"}


def documents(path):
    return [document for document in yaml.safe_load_all(path.read_text()) if document]


def manifests():
    kustomization = yaml.safe_load((FOLDER / "kustomization.yaml").read_text())
    return [document for name in kustomization["resources"] for document in documents(FOLDER / name)]


def everything():
    return [*manifests(), *documents(FOLDER / "training-job.yaml")]


def pod_spec(manifest):
    return manifest.get("spec", {}).get("template", {}).get("spec")


def named(kind):
    return {document["metadata"].get("name") for document in everything() if document["kind"] == kind}


def same_after_a_round_trip(document, kind):
    client = ApiClient()
    typed = client.deserialize(SimpleNamespace(data=json.dumps(document)), kind)
    return client.sanitize_for_serialization(typed)


def without_nothing(value):
    """Drop empty mappings, which Kubernetes' types leave out."""
    if isinstance(value, dict):
        kept = {key: without_nothing(item) for key, item in value.items()}
        return {key: item for key, item in kept.items() if item != {}}
    return [without_nothing(item) for item in value] if isinstance(value, list) else value


def test_every_manifest_is_made_of_fields_that_kubernetes_knows():
    for document in everything():
        again = same_after_a_round_trip(document, TYPES[document["kind"]])
        assert without_nothing(again) == without_nothing(document), document["metadata"]


def test_the_pods_of_the_ray_cluster_are_made_of_fields_that_kubernetes_knows():
    (cluster,) = documents(INFRA / "ray" / "cluster.yaml")
    groups = [cluster["spec"]["headGroupSpec"], *cluster["spec"]["workerGroupSpecs"]]
    for group in groups:
        template = group["template"]
        assert without_nothing(same_after_a_round_trip(template, "V1PodTemplateSpec")) == without_nothing(template)
        assert hardened(template["spec"])


def test_no_container_runs_as_root_or_without_bounds():
    specs = [spec for spec in map(pod_spec, everything()) if spec]
    assert len(specs) == 6
    assert all(hardened(spec) for spec in specs)


def hardened(spec):
    return spec["securityContext"]["runAsNonRoot"] and all(
        container["securityContext"]["allowPrivilegeEscalation"] is False
        and container["securityContext"]["capabilities"]["drop"] == ["ALL"]
        and {"cpu", "memory"} <= set(container["resources"]["requests"])
        and "memory" in container["resources"]["limits"]
        for container in [*spec.get("initContainers", []), *spec["containers"]]
    )


def test_what_a_pod_names_is_there():
    kustomization = yaml.safe_load((FOLDER / "kustomization.yaml").read_text())
    config_maps = {made["name"] for made in kustomization["configMapGenerator"]}
    claims, accounts = named("PersistentVolumeClaim"), named("ServiceAccount")
    text = (FOLDER / "dagster.yaml").read_text()
    launcher = yaml.safe_load(text)["run_launcher"]["config"]
    assert launcher["service_account_name"] in accounts
    assert launcher["instance_config_map"] in config_maps
    assert set(launcher["env_config_maps"]) <= config_maps and set(launcher["env_secrets"]) <= MADE_BY_A_PERSON
    for spec in filter(None, map(pod_spec, everything())):
        assert spec.get("serviceAccountName", "dagster") in accounts
        volumes = {volume["name"]: volume for volume in spec.get("volumes", [])}
        for volume in volumes.values():
            assert volume.get("persistentVolumeClaim", {}).get("claimName", "project") in claims
            assert volume.get("configMap", {}).get("name", "editfoundry") in config_maps
        for container in [*spec.get("initContainers", []), *spec["containers"]]:
            assert container["image"] in OURS | {"postgres:17"}
            mounted = {mount["name"] for mount in container.get("volumeMounts", [])}
            assert mounted <= set(volumes) | {"data"}
            for source in container.get("envFrom", []):
                assert source.get("configMapRef", {}).get("name", "editfoundry") in config_maps
                assert source.get("secretRef", {}).get("name", "editfoundry-s3") in MADE_BY_A_PERSON


def test_every_service_finds_its_pods_and_their_port():
    pods = {d["spec"]["template"]["metadata"]["labels"]["app"]: pod_spec(d) for d in everything() if pod_spec(d)}
    workspace = yaml.safe_load((FOLDER / "workspace.yaml").read_text())["load_from"][0]["grpc_server"]
    services = {d["metadata"]["name"]: d["spec"] for d in everything() if d["kind"] == "Service"}
    assert services[workspace["host"]]["ports"][0]["port"] == workspace["port"]
    for service in services.values():
        (port,) = service["ports"]
        (container,) = pods[service["selector"]["app"]]["containers"]
        assert {"name": port["name"], "containerPort": port["port"]} in container["ports"]


def test_the_training_job_runs_a_command_that_there_is():
    (job,) = documents(FOLDER / "training-job.yaml")
    (container,) = pod_spec(job)["containers"]
    program, command, *arguments = container["command"]
    context = get_command(app).commands[command].make_context(command, arguments)
    assert (program, str(context.params["config"])) == ("editfoundry", "params.yaml")
    assert (INFRA.parent / context.params["accelerate_config"]).is_file()
    assert container["resources"]["limits"]["nvidia.com/gpu"] == "1"


def test_dagster_accepts_its_production_settings(tmp_path, monkeypatch):
    """Dagster's own schema for the file, each component's own for its part; no Postgres and no cluster is asked."""
    monkeypatch.setenv("EDITFOUNDRY_BUCKET", "editfoundry")
    monkeypatch.setenv("AWS_DEFAULT_REGION", "us-east-1")
    (tmp_path / "kubeconfig").write_text(json.dumps(KUBECONFIG))
    outside = {"load_incluster_config": False, "kubeconfig_file": str(tmp_path / "kubeconfig")}
    config = yaml.safe_load((FOLDER / "dagster.yaml").read_text())
    config["run_launcher"]["config"].update(outside)
    (tmp_path / "dagster.yaml").write_text(yaml.safe_dump(config))
    reference = InstanceRef.from_dir(str(tmp_path))
    launcher = reference.run_launcher
    assert (type(launcher).__name__, launcher.job_namespace) == ("K8sRunLauncher", "editfoundry")
    limits = launcher.run_k8s_config["container_config"]["resources"]["limits"]
    assert limits["nvidia.com/gpu"] == "1"
    assert reference.compute_log_manager._s3_bucket == "editfoundry"
    assert reference.storage_data.class_name == "DagsterPostgresStorage"
    assert reference.settings["run_retries"]["retry_on_asset_or_op_failure"] is False


KUBECONFIG = {
    "apiVersion": "v1",
    "kind": "Config",
    "current-context": "nowhere",
    "clusters": [{"name": "nowhere", "cluster": {"server": "https://127.0.0.1:9"}}],
    "contexts": [{"name": "nowhere", "context": {"cluster": "nowhere", "user": "nobody"}}],
    "users": [{"name": "nobody", "user": {}}],
}


@pytest.mark.skipif(shutil.which("kubectl") is None, reason="kubectl is not installed")
def test_kustomize_builds_them_into_one_file():
    done = subprocess.run(["kubectl", "kustomize", str(FOLDER)], capture_output=True, text=True, check=True)
    built = [document for document in yaml.safe_load_all(done.stdout) if document]
    (code,) = [d for d in built if (d["kind"], d["metadata"]["name"]) == ("Deployment", "dagster-code")]
    (container,) = pod_spec(code)["containers"]
    assert {"name": "DAGSTER_CURRENT_IMAGE", "value": container["image"]} in container["env"]
    assert {d["metadata"]["namespace"] for d in built if d["kind"] != "Namespace"} == {"editfoundry"}
    (instance,) = [d for d in built if d["metadata"]["name"] == "dagster-instance"]
    assert yaml.safe_load(instance["data"]["dagster.yaml"])["storage"]["postgres"]
