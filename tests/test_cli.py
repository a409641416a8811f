"""The front door: every command can be called, says what it does, and ends with the right code."""

import subprocess
import sys
from pathlib import Path

import pytest

from stream_app.cli import COMMANDS, HIDDEN

ROOT = Path(__file__).parents[1]


def fundwatch(*arguments: str, **environment: str) -> subprocess.CompletedProcess[str]:
    import os

    return subprocess.run(
        [sys.executable, "-m", "stream_app", *arguments],
        capture_output=True,
        text=True,
        cwd=ROOT,
        env=os.environ | environment,
        timeout=60,
        check=False,
    )


def test_help_lists_every_command_without_loading_any() -> None:
    done = fundwatch("--help")
    assert done.returncode == 0
    assert all(name in done.stdout for name in COMMANDS if name not in HIDDEN)


@pytest.mark.parametrize("name", sorted(COMMANDS))
def test_every_command_has_help_with_an_example(name: str) -> None:
    done = fundwatch(name, "--help")
    assert done.returncode == 0, done.stderr
    assert "fundwatch" in done.stdout


def test_an_unknown_command_is_a_wrong_argument() -> None:
    assert fundwatch("fly").returncode == 2


def test_a_wrong_setting_is_a_wrong_argument() -> None:
    done = fundwatch("topics", FUNDWATCH_KAFKA__PARTITIONS="many")
    assert done.returncode == 2
    assert "FUNDWATCH_KAFKA__PARTITIONS" in done.stderr


def test_a_server_that_is_away_ends_with_4_and_what_to_do() -> None:
    done = fundwatch("topics", FUNDWATCH_KAFKA__BOOTSTRAP="127.0.0.1:1")
    assert done.returncode == 4
    assert "127.0.0.1:1" in done.stderr


def test_check_says_what_to_do_about_each_failure(tmp_path: Path) -> None:
    done = fundwatch("check", "--data", str(tmp_path))
    assert done.returncode == 4
    assert f"fundwatch up --data {tmp_path}" in done.stdout
