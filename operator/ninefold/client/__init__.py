"""What an agent imports to read its prompts. Standard library only; imports nothing else of Ninefold.

    from ninefold.client import Prompts

    prompts = Prompts("/etc/agent/prompts")                     # where the pointer ConfigMap is mounted
    rendered = prompts.render({"app.tenant": "acme"})            # cheap: call it for every session
    system, version = rendered.components["system"], rendered.version

`render` is the one renderer of Ninefold: replay, the operator and agents call this very function, which is why what
was proved is what is delivered.
"""

from ninefold.client._prompts import Prompts, PromptsUnavailable, Rendered
from ninefold.client._render import applies, can_be_created, metadata_text, render

__all__ = [
    "Prompts",
    "PromptsUnavailable",
    "Rendered",
    "applies",
    "can_be_created",
    "metadata_text",
    "render",
]
