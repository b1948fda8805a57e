"""A version as prompts of another server: each component's text under the name that the Agent's spec gives it."""

from ninefold.api.agent import Delivery
from ninefold.api.delivery import PromptText
from ninefold.api.inputs import VersionContent
from ninefold.api.prompts import LangfusePrompt
from ninefold.versions.content import check_delivery, rendered
from ninefold.versions.errors import UnknownComponent


def prompt_texts(content: VersionContent, names: LangfusePrompt) -> list[PromptText]:
    """The texts as rendered without conditions, by component. Raises UnknownComponent for one without a prompt: what
    was proved with it would be delivered without it."""
    by_component = {prompt.component: prompt for prompt in names.prompts or []}
    found = []
    for component, text in sorted(rendered(content).items()):
        prompt = by_component.get(component)
        if prompt is not None:
            found.append(PromptText(name=prompt.name, type=prompt.type, text=text))
        elif names.prefix is not None:
            found.append(PromptText(name=f"{names.prefix}/{component}", text=text))
        else:
            raise UnknownComponent(
                f"The component {component} has no Langfuse prompt: add it to delivery.langfusePrompt.prompts, and let "
                "the agent read it."
            )
    return found


def check_carried(content: VersionContent, delivery: Delivery) -> None:
    """Raise ConditionalEdit or UnknownComponent when a way in which the Agent is served cannot carry the content."""
    check_delivery(content, delivery.mode)
    if delivery.langfuse_prompt is not None:
        prompt_texts(content, delivery.langfuse_prompt)
