"""What ``pip install`` puts into an empty environment is the whole program, and nothing but it."""

import os
import subprocess
import sys
import sysconfig
from pathlib import Path
from shutil import copytree, ignore_patterns
from tomllib import loads
from zipfile import ZipFile

import pytest

ROOT = Path(__file__).parents[1]
PACKAGES = ("detectors", "models", "alerts", "replay", "stream_app")
NEEDED = (
    "alerts/web/templates/feed.html",
    "alerts/web/static/feed.css",
    "alerts/web/static/feed.js",
    "alerts/web/static/mark.svg",
    "alerts/web/locale/zh.json",
    "alerts/web/locale/en.json",
    "alerts/migrations/env.py",
    "alerts/migrations/versions/0001_alert_store.py",
    "stream_app/embedded/kafka-jars.toml",
    "models/demo/manifest.json",
    "models/demo/model.npz",
)


def run(*command: object, folder: Path, **environment: str) -> str:
    """In a folder of its own: the sources must not be found where Python looks first."""
    done = subprocess.run(
        [str(word) for word in command],
        capture_output=True,
        text=True,
        timeout=300,
        cwd=folder,
        env=os.environ | environment,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Built from a copy: building writes beside the sources. With the environment's own setuptools, so no network."""
    folder = tmp_path_factory.mktemp("wheel")
    copy = folder / "sources"
    for package in PACKAGES:
        copytree(ROOT / package, copy / package, ignore=ignore_patterns("__pycache__"))
    (copy / "pyproject.toml").write_bytes((ROOT / "pyproject.toml").read_bytes())
    build = ("wheel", "--quiet", "--no-deps", "--no-build-isolation", "-w", folder, copy)
    run(sys.executable, "-m", "pip", *build, folder=folder)
    [built] = folder.glob("fundwatch-*.whl")
    return built


@pytest.fixture(scope="module")
def program(wheel: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """``fundwatch`` in an environment of its own, which borrows the libraries of this one."""
    folder = tmp_path_factory.mktemp("environment")
    run(sys.executable, "-m", "venv", "--without-pip", folder, folder=folder)
    python = folder / "bin" / "python"
    run(sys.executable, "-m", "pip", "--python", python, "install", "--quiet", "--no-deps", wheel, folder=folder)
    borrowed = Path(sysconfig.get_path("purelib", vars={"base": str(folder)})) / "borrowed.pth"
    borrowed.write_text(sysconfig.get_path("purelib") + "\n")
    return folder / "bin" / "fundwatch"


def test_the_wheel_holds_every_file_of_our_packages(wheel: Path) -> None:
    held = {name for name in ZipFile(wheel).namelist() if not name.startswith("fundwatch-")}
    ours = {
        str(path.relative_to(ROOT))
        for package in PACKAGES
        for path in (ROOT / package).rglob("*")
        if path.is_file() and "__pycache__" not in path.parts
    }
    assert held == ours


@pytest.mark.parametrize("name", NEEDED)
def test_the_wheel_holds_what_is_no_python(wheel: Path, name: str) -> None:
    assert name in ZipFile(wheel).namelist()


def test_the_installed_program_runs(program: Path, tmp_path: Path) -> None:
    version = loads((ROOT / "pyproject.toml").read_text())["project"]["version"]
    assert run(program, "--version", folder=tmp_path).strip() == f"fundwatch, version {version}"


def test_the_installed_program_is_what_is_imported(program: Path, tmp_path: Path) -> None:
    script = "import stream_app.cli; print(stream_app.cli.__file__)"
    where = run(program.with_name("python"), "-c", script, folder=tmp_path)
    assert Path(where.strip()).is_relative_to(program.parents[1])


def test_the_installed_program_makes_its_tables_and_knows_its_detectors(program: Path, tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path / 'alerts.db'}"
    assert run(program, "db", "upgrade", folder=tmp_path, FUNDWATCH_STORE__URL=url).strip()
    assert "geo_time_conflict" in run(program, "detectors", "--json", folder=tmp_path)
