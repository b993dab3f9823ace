"""The client of the provider of single sign-on. Authlib makes and checks state, nonce and PKCE, and
checks the ID token: signature by the provider's keys, issuer, audience, times, nonce.

A module of its own, loaded with the first sign-in of this kind: the libraries take a third of a
second of every start, and most studios have no provider.
"""

from functools import lru_cache
from typing import Any

from authlib.integrations.base_client import OAuthError
from authlib.integrations.django_client import OAuth
from django.conf import settings
from django.db import IntegrityError
from django.http import Http404, HttpRequest
from joserfc.errors import JoseError
from requests import RequestException

TIMEOUT_S = 10
LEEWAY_S = 60
# Signed with a key that only the provider has; never with a secret that both know, nor not at all.
SIGNATURES = frozenset({"RS256", "RS384", "RS512", "PS256", "PS384", "PS512", "ES256", "ES384"})
SIGNATURES |= {"ES512", "EdDSA", "Ed25519"}


class WrongProvider(Exception):
    """The provider's answer is not the one of the provider that was meant."""


# IntegrityError: somebody came in twice at once, for the first time; the second may try again.
PROBLEMS = (OAuthError, JoseError, RequestException, WrongProvider, IntegrityError, ValueError)


@lru_cache(maxsize=4)
def _client(issuer: str, client_id: str, client_secret: str, scopes: str) -> Any:
    return OAuth().register(
        "studio",
        client_id=client_id,
        client_secret=client_secret,
        server_metadata_url=f"{issuer.rstrip('/')}/.well-known/openid-configuration",
        client_kwargs={
            "scope": scopes,
            "code_challenge_method": "S256",
            "default_timeout": TIMEOUT_S,
        },
    )


def provider() -> Any:
    """The client of the provider, which says itself where its addresses are (1 request to it in the
    life of a process). Raises Http404 where there is none, WrongProvider, RequestException."""
    if not settings.OIDC_ISSUER:
        raise Http404("Single sign-on is not set up here.")
    client = _client(
        settings.OIDC_ISSUER,
        settings.OIDC_CLIENT_ID,
        settings.OIDC_CLIENT_SECRET,
        settings.OIDC_SCOPES,
    )
    told = client.load_server_metadata()
    if told.get("issuer") != settings.OIDC_ISSUER:
        _client.cache_clear()
        raise WrongProvider(f"the provider calls itself {told.get('issuer')!r}")
    key = "id_token_signing_alg_values_supported"
    told[key] = [one for one in told.get(key, ["RS256"]) if one in SIGNATURES]
    return client


def checked(request: HttpRequest) -> dict[str, Any]:
    """The claims of the ID token that the code buys, all checks passed."""
    told = request.GET.get("iss")
    if told is not None and told != settings.OIDC_ISSUER:
        raise WrongProvider("the answer is of another provider")
    must = {
        "iss": {"essential": True, "value": settings.OIDC_ISSUER},
        "aud": {"essential": True, "value": settings.OIDC_CLIENT_ID},
        "exp": {"essential": True},
        "nonce": {"essential": True},
    }
    token = provider().authorize_access_token(request, claims_options=must, leeway=LEEWAY_S)
    claims = token.get("userinfo")
    if not claims:
        raise WrongProvider("the provider sent no ID token")
    return dict(claims)
