"""The API does what its OpenAPI document says, whatever is sent: no 5xx, no answer that the document does not know."""

from collections.abc import Iterator
from typing import Any

import pytest
import schemathesis
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis.strategies import booleans
from schemathesis.checks import not_a_server_error
from schemathesis.specs.openapi.checks import content_type_conformance, status_code_conformance

from alerts.accounts import account
from alerts.alert import alert_id
from alerts.papers import Cabinet
from alerts.store import Store
from alerts.web.api import describe
from alerts.web.bounds import Bounds
from alerts.web.gate import COOKIE, Gate
from tests.browser import leads
from tests.browser.site import NAME, SECRET, made_template, now, serving, store_in, tell

EXAMPLES = 4  # of each operation
LEAD = alert_id(leads.batch())
STREAM = "/api/v1/alerts/stream"  # never ends
CHECKS = [not_a_server_error, status_code_conformance, content_type_conformance]
WIDE = Bounds(requests_a_minute=100_000)
Case = schemathesis.Case[Any]  # Any: the library's own kinds of operations
SCHEMA = schemathesis.openapi.from_dict(describe())
OPERATIONS = [(path, method) for path, item in describe()["paths"].items() if path != STREAM for method in item]


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[str, dict[str, str]]]:
    """A feed with leads, and the cookie of a screener."""
    directory = tmp_path_factory.mktemp("api")
    store: Store = store_in(directory, made_template(tmp_path_factory.mktemp("template")))
    tell(store, *leads.every_kind())
    who = account(store, NAME)
    assert who is not None
    with serving(store, bounds=WIDE, cabinet=Cabinet(folder=directory / "papers")) as address:
        yield address, {COOKIE: Gate(store, SECRET, now).session(who)}
    store.close()


@pytest.mark.parametrize(("path", "method"), OPERATIONS)
def test_every_answer_is_one_that_the_document_names(site: tuple[str, dict[str, str]], path: str, method: str) -> None:
    address, cookies = site
    operation = SCHEMA[path][method]

    @settings(
        max_examples=EXAMPLES,
        deadline=None,
        database=None,
        derandomize=True,
        phases=[Phase.explicit, Phase.generate],
        suppress_health_check=list(HealthCheck),
    )
    @given(case=operation.as_strategy(), is_lead=booleans())
    def asked(case: Case, is_lead: bool) -> None:
        if is_lead and "alert_id" in case.path_parameters:
            case.path_parameters["alert_id"] = LEAD
        case.call_and_validate(base_url=address, cookies=cookies, checks=CHECKS)

    asked()
