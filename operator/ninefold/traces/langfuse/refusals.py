"""What a Langfuse server's refusals mean to the user, whether it is asked for traces or given prompts."""

import ssl
from urllib.parse import urlsplit

import httpx

from ninefold.traces.problem import TracesProblem


def wrong_keys(host: str) -> TracesProblem:
    """HTTP 401."""
    return TracesProblem(
        "WrongKeys",
        f"{host} refuses the keys (HTTP 401): publicKeySecretRef and secretKeySecretRef must name a key "
        "pair of a project on this very server; keys of another server or region are refused like wrong ones",
    )


def forbidden(host: str, what: str) -> TracesProblem:
    """HTTP 403. `what`: such as `read /api/public/traces`."""
    return TracesProblem(
        "Forbidden",
        f"{host} knows the keys but does not let them {what} (HTTP 403): use a key pair of the "
        "project, not of the organisation, and check the plan and the access rules of the server",
    )


def redirected(host: str, status: int, location: str) -> TracesProblem:
    """HTTP 3xx. Of the location only scheme and host are told."""
    target = urlsplit(location)
    to = f" to {target.scheme}://{target.hostname}" if target.hostname else ""
    return TracesProblem(
        "Redirected",
        f"{host} redirects{to} (HTTP {status}), and keys are not sent along: write the address that "
        "answers by itself, with https:// where the server wants it and without a login page before it",
    )


def rate_limited(host: str, what: str, minutes: float, instead: str) -> TracesProblem:
    """HTTP 429 for longer than we wait."""
    return TracesProblem(
        "RateLimited",
        f"{host} has refused {what} for {minutes:g} minutes because of its rate limit (HTTP 429): {instead}",
        permanent=False,
    )


def unavailable(host: str, what: str, tries: int) -> TracesProblem:
    """A server that does not answer as it should, for now."""
    return TracesProblem("BackendUnavailable", f"{host} does not answer ({what}), tried {tries} times", permanent=False)


def not_langfuse(host: str) -> TracesProblem:
    """An answer that is not Langfuse's."""
    return TracesProblem(
        "NotLangfuse",
        f"{host} answers, but not as Langfuse does: write the address of the Langfuse server itself as "
        "langfuse.host, without a path of its web pages",
    )


def broken(host: str, error: BaseException, tries: int) -> TracesProblem:
    """A connection that was not made, or broke."""
    if isinstance(error, httpx.ConnectTimeout | httpx.PoolTimeout):
        return unavailable(host, "no connection in time", tries)
    if is_tls(error):
        return TracesProblem(
            "TlsFailed",
            f"the TLS connection to {host} fails: its certificate must be valid, made for this name and "
            "signed by an authority that the Jobs' image trusts; a server without TLS is written with http://",
        )
    if isinstance(error, httpx.ConnectError):
        return TracesProblem(
            "Unreachable",
            f"no connection to {host}: check name and port in langfuse.host, that the server runs, and "
            "that a NetworkPolicy lets the Jobs reach it",
            permanent=False,
        )
    return unavailable(host, f"broken connection, {type(error).__name__}", tries)


def is_tls(error: BaseException) -> bool:
    """Whether a connection failed because of its encryption: httpx wraps the cause."""
    cause: BaseException | None = error
    while cause is not None:
        if isinstance(cause, ssl.SSLError) or "SSL" in str(cause):
            return True
        cause = cause.__cause__ or cause.__context__
    return False
