"""The example of docs/client.md runs as it stands."""

import re
from pathlib import Path

from builders import SYSTEM, a_version, an_edit

from ninefold.versions import pointer

DOCS = Path(__file__).parents[3] / "docs" / "client.md"


def test_the_example_of_the_docs_runs_and_renders_the_sessions_edit(tmp_path):
    version = a_version(3, an_edit("Acme pays by invoice.", when={"app.tenant": "acme"}))
    for key, text in pointer("support", "ns", "support-prompts", version, "Client")["data"].items():
        (tmp_path / key).write_text(text)
    (example,) = re.findall(r"```python\n(.*?)```", DOCS.read_text(), re.S)
    scope: dict[str, str] = {}
    exec(example.replace("/etc/agent/prompts", str(tmp_path)), scope)
    assert scope["system"] == f"{SYSTEM}\n\nAcme pays by invoice."
    assert scope["version"] == version.name
