"""The bureau's identity provider (OpenID Connect): who somebody is, and what they may do here, as it says."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any, NamedTuple

from alerts.accounts import Role

SCOPES = "openid profile"
ALL_AREAS = "*"  # said in place of areas; nothing said lets nobody in
WAITS_S = 10.0  # for an answer of the provider


class NotLetInError(Exception):
    """The provider knows somebody who has no place here, or its answer cannot be believed. Says why."""


class ProviderAwayError(Exception):
    """The identity provider does not answer, or not as one should."""


class Person(NamedTuple):
    """Who has logged in over there. areas: see accounts.Account."""

    name: str
    role: Role
    areas: tuple[str, ...]


@dataclass(frozen=True, kw_only=True)
class Provider:
    """Where it is, who we are to it, and how its claims are to be read.

    redirect_url: our own ``/oidc/callback`` as browsers reach it. roles: value of the role claim -> role here; of
    several that somebody has, the one named first here counts.
    """

    issuer: str
    client_id: str
    client_secret: str = field(repr=False)
    redirect_url: str
    roles: Mapping[str, Role]
    name_claim: str = "preferred_username"
    role_claim: str = "fundwatch_role"
    area_claim: str = "fundwatch_areas"

    @cached_property
    def client(self) -> Any:  # Any: Authlib declares no types
        """Does the dance: state, nonce, PKCE, the code for a token, and the token's signature, issuer and audience."""
        from authlib.integrations.starlette_client import OAuth  # type: ignore[import-untyped]  # has no types

        return OAuth().register(
            "provider",
            server_metadata_url=f"{self.issuer.rstrip('/')}/.well-known/openid-configuration",
            client_id=self.client_id,
            client_secret=self.client_secret,
            client_kwargs={"scope": SCOPES, "code_challenge_method": "S256", "timeout": WAITS_S},
        )

    def person(self, claims: Mapping[str, Any]) -> Person:  # Any: JSON
        """Raises NotLetInError where a claim is missing, or names no role here."""
        name = claims.get(self.name_claim)
        if not isinstance(name, str) or not name:
            raise NotLetInError(f"the claim {self.name_claim} names nobody")
        given = set(_values(claims.get(self.role_claim)))
        role = next((role for value, role in self.roles.items() if value in given), None)
        if role is None:
            raise NotLetInError(f"the claim {self.role_claim} gives {name} no role here")
        areas = tuple(sorted(set(_values(claims.get(self.area_claim)))))
        if not areas:
            raise NotLetInError(f"the claim {self.area_claim} gives {name} no area")
        return Person(name, role, () if ALL_AREAS in areas else areas)


def _values(claim: object) -> Iterable[str]:
    """One, several in a text, or a list of them."""
    if isinstance(claim, str):
        return claim.replace(",", " ").split()
    return [value for value in claim if isinstance(value, str)] if isinstance(claim, list) else []
