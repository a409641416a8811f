"""``fundwatch metrics``: what Prometheus can read of the parts."""

from collections.abc import Iterator

import click
import msgspec

from stream_app.metrics import ALSO_CALLED, CATALOGUE, Metric, Values

SHOWN = 6  # values of a label that are written out; of more the first ones and how many
IN_WORDS = {
    "detector": "as `fundwatch detectors` names them",
    "partition": "numbers from 0",
    "version": "of fundwatch",
    "python": "of Python",
    "method": "GET, HEAD, POST, PUT, PATCH, DELETE, OTHER",
    "route": "templates of paths, such as `/alerts/{alert_id}`",
}
HEAD = """\
<!-- made by: fundwatch metrics --markdown > docs/metrics.md -->

# Metrics

What Prometheus reads of each part at `/metrics` (`metrics.port` of a worker, which is also the keeper;
`metrics.feed_port`, `metrics.archive_port`, `metrics.notify_port`). Labels come from closed sets: never a person, an
institution or an alert.
Every combination stands at 0 from the start. Beside these there are `process_*` and `python_*` of the client library;
Kafka and Redis have exporters of their own. A gauge that several processes show from one store
(`fundwatch_alerts_standing`) is to be read with `max`. The part `job` is `fundwatch model show --metrics FILE`, run by
a timer: node_exporter's textfile collector shows the file.

| metric | type | parts | labels | meaning |
|---|---|---|---|---|
"""
ELSEWHERE = ("", "Who looks for one of these finds the answer in another:", "", "| asked for | here |", "|---|---|")


@click.command()
@click.option("--markdown", is_flag=True, help="As docs/metrics.md has it.")
@click.option("--json", "as_json", is_flag=True, help="For programs.")
def metrics(markdown: bool, as_json: bool) -> None:
    """List every metric: its type, the parts that show it, its labels with all their values, and what it means.

    \b
    Example:
      fundwatch metrics --json | jq '.[].name'
    """
    if markdown:
        click.echo(document(), nl=False)
    elif as_json:
        click.echo(msgspec.json.encode([_object(metric) for metric in CATALOGUE.values()]))
    else:
        for metric in CATALOGUE.values():
            click.echo(f"{metric.name:58} {metric.kind:10} {', '.join(metric.parts)}\n    {metric.help}")


def document() -> str:
    """docs/metrics.md."""
    return HEAD + "".join(f"{row}\n" for row in (*_rows(), *ELSEWHERE, *_elsewhere()))


def _elsewhere() -> Iterator[str]:
    for asked, ours in ALSO_CALLED.items():
        yield f"| `{asked}` | `{ours}` |"


def _rows() -> Iterator[str]:
    for metric in CATALOGUE.values():
        labels = "; ".join(f"`{name}`: {_values(name, values)}" for name, values in metric.labels.items())
        parts = ", ".join(metric.parts)
        yield f"| `{metric.name}` | {metric.kind} | {parts} | {labels} | {metric.help} |"


def _values(name: str, values: Values) -> str:
    if name in IN_WORDS:
        return IN_WORDS[name]
    distinct = list(dict.fromkeys(values))
    rest = len(distinct) - SHOWN
    return ", ".join(distinct) if rest <= 0 else f"{', '.join(distinct[: SHOWN - 1])} … ({len(distinct)})"


def _object(metric: Metric) -> dict[str, object]:
    return {
        "name": metric.name,
        "kind": metric.kind,
        "unit": metric.unit,
        "help": metric.help,
        "parts": metric.parts,
        "labels": metric.labels,
    }
