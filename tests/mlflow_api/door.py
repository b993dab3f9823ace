"""What an MLflow client sends and reads, where both must go well."""

from typing import Any

from tests.mlflow_api.client import Mlflow


class Door(Mlflow):
    """The protocol with one person's token, or with `secret`."""

    def __init__(self, user: Any, workspace: Any, *, secret: str = "") -> None:
        super().__init__(user, workspace)
        if secret:
            self.headers["Authorization"] = f"Bearer {secret}"

    def ask(self, method: str, path: str, arguments: dict[str, Any]) -> Any:
        return self.get(path, **arguments) if method == "GET" else self.post(path, **arguments)

    def got(self, path: str, **query: Any) -> Any:
        return _good(self.get(path, **query))

    def made(self, path: str, **body: Any) -> Any:
        return _good(self.post(path, **body))


def _good(answer: Any) -> Any:
    assert answer.status_code == 200, answer.content
    return answer.json()
