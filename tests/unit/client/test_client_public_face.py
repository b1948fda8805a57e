"""The client that agents import: a small public face and nothing but the standard library behind it."""

import subprocess
import sys
from pathlib import Path

import ninefold.client

OPERATOR = Path(ninefold.client.__file__).parents[2]


def test_the_public_face_is_what_the_docs_name():
    assert sorted(ninefold.client.__all__) == [
        "Prompts", "PromptsUnavailable", "Rendered", "applies", "can_be_created", "metadata_text", "render",
    ]  # fmt: skip


def test_it_imports_nothing_beside_the_standard_library():
    code = (
        "import sys, ninefold.client\n"
        "foreign = {m.split('.')[0] for m in sys.modules} - set(sys.stdlib_module_names) - {'ninefold', '__main__'}\n"
        "sys.exit(', '.join(sorted(foreign)) or None)"
    )
    done = subprocess.run(
        [sys.executable, "-I", "-S", "-c", f"import sys; sys.path.insert(0, {str(OPERATOR)!r})\n{code}"],
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stderr
