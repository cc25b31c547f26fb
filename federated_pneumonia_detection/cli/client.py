"""A server as the commands see it: runs, messages, starting and stopping, each over its public HTTP."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Any, Self

import httpx
import msgspec

from federated_pneumonia_detection.cli.credentials import TOKEN_VARIABLE, token_for, trusted
from federated_pneumonia_detection.cli.feed import DEFAULT_URL

if TYPE_CHECKING:
    from websockets.sync.client import ClientConnection

    from federated_pneumonia_detection.hub.retention import Policy
    from federated_pneumonia_detection.server.keeping import Pruned

__all__ = ["Client", "ServerAway", "ServerRefused"]

PAGE = 200


class ServerAway(ConnectionError):
    """No server answers at that URL."""

    def __init__(self, url: str, error: Exception | None = None) -> None:
        if "CERTIFICATE_VERIFY_FAILED" in str(error):
            super().__init__(f"the server at {url} shows a certificate that nobody here trusts; name its CA with --ca")
        else:
            super().__init__(f"no server answers at {url}; start one with `fpd serve`, or name another with --url")


class ServerRefused(ValueError):
    """The server answered with a problem; `str()` is that problem in one line, `status` the HTTP status."""

    def __init__(self, problem: dict[str, Any], status: int) -> None:
        right = _RIGHT.get(status) or problem.get("detail") or ""
        told = f"{problem.get('title') or f'the server answered HTTP {status}'} {right}"
        super().__init__(" ".join(told.split()))
        self.status = status


_RIGHT = {
    401: f"Name one that holds by {TOKEN_VARIABLE} or --token-file.",
    404: "`fpd runs` lists those there are.",
}


class Client:
    """HTTP to one server. Context manager.

    Args:
        url: where it is.
        token_file: a file that holds the token to show; `None` takes it from the environment, if it is there.
        ca: certificates to trust instead of the well-known ones.
        timeout_s: how long an answer may take.

    Raises:
        BadParameter: the token or the certificates cannot be used.
    """

    def __init__(
        self, url: str = DEFAULT_URL, *, token_file: Path | None = None, ca: Path | None = None, timeout_s: float = 10
    ) -> None:
        self.url = url.rstrip("/")
        token = token_for(self.url, token_file)
        self._headers = {} if token is None else {"authorization": f"Bearer {token}"}
        self._tls = trusted(ca) if self.url.startswith("https://") else None
        self._http = httpx.Client(
            base_url=self.url,
            headers=self._headers,
            verify=True if self._tls is None else self._tls,
            timeout=timeout_s,
            # No proxy: a server of ours is on this machine, in this house, or at the end of a tunnel.
            trust_env=False,
        )

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._http.close()

    def _ask(self, method: str, path: str, **options: Any) -> httpx.Response:
        try:
            answer = self._http.request(method, path, **options)
        except httpx.TransportError as error:
            raise ServerAway(self.url, error) from None
        if answer.is_error:
            try:
                problem = answer.json()
            except ValueError:
                problem = {}
            raise ServerRefused(problem if isinstance(problem, dict) else {}, answer.status_code)
        return answer

    def answers(self) -> bool:
        """Whether a server of ours is there."""
        try:
            return self._http.get("/healthz", timeout=2).is_success
        except httpx.TransportError:
            return False

    def numbers(self) -> dict[str, float]:
        """What `/metrics` says, by name; with labels as `fpd_runs{status="lost"}`."""
        from prometheus_client.parser import text_string_to_metric_families

        found = {}
        for family in text_string_to_metric_families(self._ask("GET", "/metrics").text):
            for sample in family.samples:
                labels = ",".join(f'{name}="{value}"' for name, value in sorted(sample.labels.items()))
                found[f"{sample.name}{{{labels}}}" if labels else sample.name] = sample.value
        return found

    def runs(self) -> list[dict[str, Any]]:
        """All runs, newest first."""
        found: list[dict[str, Any]] = []
        while True:
            page = {"limit": PAGE, "page": len(found) // PAGE + 1}
            runs = self._ask("GET", "/api/runs", params=page).json()["runs"]
            found += runs
            if len(runs) < PAGE:
                return found

    def some_runs(self, *, wanted: str = "", limit: int = PAGE) -> tuple[list[dict[str, Any]], int]:
        """Runs that a filter's words are in, live ones first, then the newest; and how many there are in all."""
        found = self._ask("GET", "/api/runs", params={"q": wanted[:200], "limit": limit}).json()
        return found["runs"], found["total"]

    def run(self, run_id: str) -> dict[str, Any]:
        """One run's state; `latest` is a run too."""
        return dict(self._ask("GET", f"/api/runs/{run_id}").json())

    def start(self, kind: str, body: dict[str, Any]) -> str:
        """Start a training of `kind`; its run id."""
        return str(self._ask("POST", f"/api/{kind}/train", json=body).json()["run_id"])

    def cancel(self, run_id: str, *, reason: str | None = None, by: str | None = None) -> None:
        """Ask a run to stop."""
        self._ask("POST", f"/api/runs/{run_id}/cancel", json=_said(reason=reason, by=by))

    def pause(self, run_id: str, *, reason: str | None = None, by: str | None = None) -> None:
        """Ask a run to wait."""
        self._ask("POST", f"/api/runs/{run_id}/pause", json=_said(reason=reason, by=by))

    def resume(self, run_id: str, number: int | None = None, *, by: str | None = None) -> dict[str, Any]:
        """Let a run go on, one that has ended from the epoch or round `number`."""
        body = {"from": number, **_said(by=by)}
        return dict(self._ask("POST", f"/api/runs/{run_id}/resume", json=body).json())

    def prune(self, policy: Policy, *, checkpoints: bool, delete: bool) -> Pruned:
        """Let ended runs go that the policy does not keep, or say which would."""
        from federated_pneumonia_detection.server.keeping import Pruned

        body = {**policy._asdict(), "checkpoints": checkpoints, "dry_run": not delete}
        return msgspec.json.decode(self._ask("POST", "/api/prune", json=body).content, type=Pruned)

    def log(self, run_id: str) -> str:
        """What the process of a run that the server started has printed."""
        return self._ask("GET", f"/api/runs/{run_id}/log").text

    def export(self, run_id: str, form: str) -> Iterator[bytes]:
        """The metrics of a run as `csv` or `jsonl`."""
        yield self._ask("GET", f"/api/runs/{run_id}/export", params={"format": form}).content

    def so_far(self, run_id: str) -> list[dict[str, Any]]:
        """Every message of a run that is there now, all steps among them."""
        lines = b"".join(self.export(run_id, "jsonl")).splitlines()
        return [msgspec.json.decode(line) for line in lines if line]

    def events(self, run_id: str, *, wait: int, **cursor: Any) -> dict[str, Any]:
        """One long poll: what came of a run after the cursor, `wait` seconds at most."""
        return dict(self._ask("GET", f"/api/runs/{run_id}/events", params={**cursor, "wait": wait}).json())

    def socket(self, path: str, query: dict[str, Any]) -> ClientConnection:
        """A WebSocket to the server, with the token and the certificates of this client.

        Raises:
            OSError: nobody answers there.
            InvalidHandshake: somebody does, but not with a WebSocket.
        """
        from websockets.sync.client import connect

        return connect(
            f"ws{self.url.removeprefix('http')}{path}?{httpx.QueryParams(query)}",
            additional_headers=self._headers,
            ssl=self._tls,
            proxy=None,
            open_timeout=5,
            close_timeout=0.2,
            max_size=None,
        )

    def messages(
        self, run_id: str, *, patience_s: float = 0, tell: Callable[[str], None] = lambda _: None
    ) -> Iterator[dict[str, Any] | None]:
        """Every message of a run, then live, by long poll; `None` when nothing came for a second, for redraws.

        Args:
            run_id: the run.
            patience_s: how long a server that went away is waited for; the cursor goes on where it was.
            tell: told in a sentence when it goes away, and when its log was rebuilt and all comes again.

        Raises:
            ServerAway: it did not come back.
        """
        cursor: dict[str, Any] = {"after": 0}
        away_since: float | None = None
        while True:
            try:
                page = self._ask("GET", f"/api/runs/{run_id}/events", params={**cursor, "wait": 1}).json()
            except ServerAway:
                now = time.monotonic()
                if away_since is None and patience_s:
                    tell(f"the server at {self.url} is away; waiting for it")
                away_since = now if away_since is None else away_since
                if now - away_since >= patience_s:
                    raise
                time.sleep(0.5)
                continue
            away_since = None
            if not page["recovered"] and cursor["after"]:
                tell("the server's log was rebuilt; everything from the start again")
                cursor["after"] = 0
            yield from page["messages"]
            if not page["messages"]:
                yield None
            offsets = [message["offset"] for message in page["messages"] if "offset" in message]
            cursor = {"after": max(offsets, default=cursor["after"]), "log_id": page["log_id"]}


def _said(**given: str | None) -> dict[str, str]:
    return {name: value for name, value in given.items() if value is not None}
