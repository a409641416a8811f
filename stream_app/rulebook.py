"""The rules in force: the shipped thresholds with your own over them, and the models that were promoted.

Both are read again when they change.
"""

from collections.abc import Sequence
from datetime import datetime
from importlib.resources import files
from pathlib import Path

from detectors.catalogue import DETECTORS
from detectors.rules import Rulebook, RulesError, Source, business_day, rulebook
from models.catalogue import LEARNED, InForce, with_models
from models.model import Model
from models.unusual import OnScored, unheard
from stream_app.settings import SettingsError

MODELS_OF = ("manifest.json", "promoted.json", "watched.json")  # of a version, of a registry: what changes with models

Stamp = tuple[int, int, int]  # modified at (ns), bytes, inode: a file that was replaced differs in one of them


class RulesFileError(SettingsError):
    """A file of rules, or a model, that cannot be used; says which, where, and what is expected."""


def read_rules(file: Path | None, models: Path | None = None, on_scored: OnScored = unheard) -> Rulebook:
    """The rules as the files have them now. ``file``: of your own, laid over what is shipped.

    models: a registry, or the directory of one version; None: the detectors that need one are not run.
    Raises RulesFileError.
    """
    sources = [Source("detectors/rules.toml", files("detectors").joinpath("rules.toml").read_text("utf-8"))]
    try:
        if file is not None:
            sources.append(Source(str(file), file.read_text("utf-8")))
        return with_models(rulebook((*DETECTORS, *LEARNED), *sources), _models(models), on_scored)
    except OSError as error:
        raise RulesFileError(f"{file}: the file of rules cannot be read ({error.strerror})") from None
    except UnicodeDecodeError as error:
        raise RulesFileError(f"{file}: byte {error.start} of the file of rules is not UTF-8") from None
    except RulesError as error:
        raise RulesFileError(str(error)) from None


def _models(where: Path | None) -> Sequence[InForce]:
    """Raises RulesFileError."""
    if where is None:
        return ()
    from models.versions import ModelError, in_force

    try:
        return in_force(where)
    except ModelError as error:
        raise RulesFileError(str(error)) from None


def _candidate(where: Path | None) -> dict[str, Model]:
    """The models, by entity, that are scored beside those in force. Raises RulesFileError."""
    if where is None:
        return {}
    from models.versions import ModelError, watched

    try:
        return watched(where)
    except ModelError as error:
        raise RulesFileError(str(error)) from None


class RulesFile:
    """The rules in force in this process. candidate: models that are scored beside them, and raise nothing."""

    def __init__(self, file: Path | None, models: Path | None = None, on_scored: OnScored = unheard) -> None:
        """on_scored: hears of each day that a model scores. Raises RulesFileError."""
        self._file, self._models, self._on_scored = file, models, on_scored
        self._files = [file, *(models / name for name in MODELS_OF)] if models else [file]
        self._stamps = self._stamped()
        self.book = read_rules(file, models, on_scored)
        self.candidate = _candidate(models)

    def _stamped(self) -> list[Stamp | None]:
        return [_stamp(file) for file in self._files]

    def changed(self, now: datetime) -> Rulebook | None:
        """The rules in force from now on, if the file has changed them; else None. Cheap: asked before every batch.

        now: the business time reached. Raises RulesFileError, once for each change of the file, where what it says
        cannot be used, or would judge anew what has been judged: then the former rules stay in force.
        """
        stamps = self._stamped()
        if stamps == self._stamps:
            return None
        self._stamps = stamps
        self.candidate = _candidate(self._models)
        book = read_rules(self._file, self._models, self._on_scored)
        since = self.book.differs_from(book)
        if since is None:
            return None
        if since < now:
            raise RulesFileError(
                f"{' and '.join(str(one) for one in (self._file, self._models) if one)}: what is changed holds from "
                f"{business_day(since)}, but {business_day(now)} has been judged already: put thresholds under "
                f"[[rules]] with a valid_from that is still to come, promote a model from a later day"
            )
        self.book = book
        return book


def _stamp(file: Path | None) -> Stamp | None:
    """None: there is no such file."""
    try:
        found = file.stat() if file else None
    except OSError:
        return None
    return (found.st_mtime_ns, found.st_size, found.st_ino) if found else None
