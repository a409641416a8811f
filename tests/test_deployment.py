"""What deploy/ says exists: manifests are of Kubernetes' own shapes, settings, commands and ports are ours."""

import json
from collections.abc import Iterator
from importlib.resources import files
from pathlib import Path
from typing import Any

import kubernetes_validate
import pytest
import yaml
from jsonschema import Draft7Validator

from stream_app.cli import COMMANDS
from stream_app.settings import Settings, TargetSettings

DEPLOY = Path(__file__).parents[1] / "deploy"
KUBERNETES = "1.31.0"
Manifest = dict[str, Any]  # YAML


def manifests() -> list[tuple[str, Manifest]]:
    files = sorted((DEPLOY / "kubernetes").glob("*.yaml"))
    return [
        (f"{file.stem}/{one['kind']}/{one['metadata']['name']}", one)
        for file in files
        for one in yaml.safe_load_all(file.read_text())
    ]


MANIFESTS = [one for _, one in manifests()]
every_manifest = pytest.mark.parametrize("manifest", MANIFESTS, ids=[name for name, _ in manifests()])


def pods(manifest: Manifest) -> Iterator[Manifest]:
    """Specifications of pods, wherever a kind has them."""
    spec = manifest.get("spec", {})
    spec = spec.get("jobTemplate", {}).get("spec", spec)
    if "template" in spec:
        yield spec["template"]["spec"]


def containers() -> Iterator[Manifest]:
    for manifest in MANIFESTS:
        for pod in pods(manifest):
            yield from [*pod.get("initContainers", []), *pod["containers"]]


@every_manifest
def test_every_manifest_has_the_shape_of_its_kind(manifest: Manifest) -> None:
    kubernetes_validate.validate(manifest, KUBERNETES, strict=True)


def test_the_compose_file_has_the_shape_that_compose_wants() -> None:
    """By the schema of the Compose Specification that check-jsonschema brings along."""
    schema = json.loads((files("check_jsonschema") / "builtin_schemas" / "vendor" / "compose-spec.json").read_text())
    rules = Draft7Validator(schema)
    compose = yaml.safe_load((DEPLOY / "compose.yaml").read_text())
    assert [f"{fault.json_path}: {fault.message}" for fault in rules.iter_errors(compose)] == []
    compose["services"]["worker"]["retsart"] = "always"
    assert [fault.json_path for fault in rules.iter_errors(compose)] == ["$.services.worker"]


@every_manifest
def test_every_pod_runs_without_rights_and_without_writing(manifest: Manifest) -> None:
    for pod in pods(manifest):
        assert pod["securityContext"]["runAsNonRoot"]
        assert pod["automountServiceAccountToken"] is False
        for container in pod["containers"]:
            assert container["securityContext"]["readOnlyRootFilesystem"]
            assert container["securityContext"]["capabilities"] == {"drop": ["ALL"]}
            assert container["resources"]["limits"]["memory"]


def settings_named() -> set[str]:
    named = {name for one in MANIFESTS if one["kind"] == "ConfigMap" for name in one["data"] if name.isupper()}
    named |= {entry["name"] for container in containers() for entry in container.get("env", [])}
    compose = yaml.safe_load((DEPLOY / "compose.yaml").read_text())
    named |= {name for service in compose["services"].values() for name in service.get("environment", {})}
    return {name for name in named if name.startswith("FUNDWATCH_")}


@pytest.mark.parametrize("name", sorted(settings_named()))
def test_every_setting_that_is_named_exists(name: str) -> None:
    section, field, *rest = name.removeprefix("FUNDWATCH_").lower().split("__")
    if section == "notify" and field == "targets":
        field, fields = rest[1], TargetSettings.model_fields
        assert field in fields or field.removesuffix("_file") in fields
        return
    fields = type(getattr(Settings(), section)).model_fields
    assert field in fields or field.removesuffix("_file") in fields


def test_every_command_that_is_started_exists() -> None:
    compose = yaml.safe_load((DEPLOY / "compose.yaml").read_text())
    ours = [service for service in compose["services"].values() if service.get("image") == "fundwatch"]
    started = [service["command"][0] for service in ours] + [container["args"][0] for container in containers()]
    assert len(started) > 8
    assert set(started) <= set(COMMANDS)


def test_probes_and_prometheus_ask_where_the_parts_answer() -> None:
    ports = {"worker": 9100, "feed": 9101, "archive": 9102, "notify": 9103}
    metrics = Settings().metrics
    assert (metrics.port, metrics.feed_port, metrics.archive_port, metrics.notify_port) == tuple(ports.values())
    for container in containers():
        shown = {port["name"]: port["containerPort"] for port in container.get("ports", [])}
        assert shown.get("metrics") == ports.get(container["name"])
        for probe in ("startupProbe", "livenessProbe", "readinessProbe"):
            assert container["name"] not in ports or container[probe]["httpGet"]["port"] in shown
    scraped = yaml.safe_load((DEPLOY / "prometheus" / "prometheus.yml").read_text())["scrape_configs"]
    asked = {job["dns_sd_configs"][0]["names"][0]: job["dns_sd_configs"][0]["port"] for job in scraped}
    assert asked == ports


def test_every_volume_that_is_mounted_is_there() -> None:
    for manifest in MANIFESTS:
        claims = {one["metadata"]["name"] for one in manifest.get("spec", {}).get("volumeClaimTemplates", [])}
        for pod in pods(manifest):
            there = {volume["name"] for volume in pod["volumes"]} | claims
            for container in pod["containers"]:
                assert {mount["name"] for mount in container["volumeMounts"]} <= there
