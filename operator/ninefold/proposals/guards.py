"""What no edit may bring into a prompt, whoever wrote it. Each guard is one function: a reason, or None.

Edits are made from traces, and traces hold what users and tools wrote. An edit that names a new link, address,
secret or tool, or that carries template syntax (which the agent's own templating would run), is refused. The sentence
says what kind of thing it was and never quotes it. Every guard looks at the text as it is, as it reads, and with what
is written apart put together (`disguise`): a disguise hides nothing, and is refused itself where no language needs it.
"""

import re
import unicodedata
from collections.abc import Callable
from dataclasses import dataclass, replace

from ninefold.api.edits import Edit
from ninefold.proposals.disguise import BLANKS, as_read, joined, mixes_scripts
from ninefold.proposals.quoting import is_identifier
from ninefold.proposals.sensitive import found

_TEMPLATE = re.compile(r"\{\{|\}\}|\{%|%\}|\{#|#\}|\$\{|#\{|<%|%>|\{\w+(?:\.\w+|\[\w+\])*(?:![rsa])?\}|%\(\w+\)s")
_JUDGE = re.compile(
    r"\b(?:judges?|graders?|evaluators?|raters?|reviewers? (?:model|of the answer))\b"
    r"|\b(?:score|rating|grade)\W{0,3}(?:of\W{0,3})?(?:\d+(?:\s*(?:/|out of)\s*\d+)?|a\+)"
    r"|\bthought process:|\b(?:mark|rate|grade|score) (?:this|the|my|your) (?:answer|response|output)"
    r"|\bfull marks\b|\bwhoever (?:judges|grades|scores|rates|evaluates)\b|\bmeets the rubric\b",
    re.I,
)
_OVERRIDE = re.compile(
    r"\b(?:ignore|disregard|forget|override)\b.{0,40}\b(?:instructions?|rules?|prompts?|rubric)\b|<\|\w+\|>"
    r"|^[\s#*_>-]*(?:system|assistant|user|developer)[\s*_]*:|\[/?INST\]|<</?SYS>>",
    re.I | re.M,
)
_LINK = re.compile(
    r"!?\[[^\]\n]*\]\(\s*([^)\s]+)"  # [text](target) and images
    r"|^\s*\[[^\]\n]+\]:\s*(\S+)"  # [name]: target
    r"|<\s*(?:a|img|iframe|script|link)\b[^>]*?(?:href|src)\s*=\s*[\"']?([^\s\"'>]+)"
    r"|(?<![\w:/])//([\w-]+(?:\.[\w-]+)+)"  # a link without its scheme
    r"|(?<![\w@/.-])((?:[\w-]+\.)+(?:com|net|org|io|dev|ai|app|xyz|info|ru|cn|example)/\S*)",
    re.I | re.M,
)
_SPOKEN = 8
"""Words in a row that an edit may share with what a user or a tool said in the evidence."""
_NAMED_A_TOOL = (
    re.compile(r"\b(?:tools?|functions?)\s+[`'\"]?(\w+)", re.I),
    re.compile(r"(\w+)[`'\"]?\s+(?:tool|function)\b", re.I),
    re.compile(r"`(\w+)\("),
)
_CALLED = re.compile(r"\b(?:call|calling|invoke|use)\s+[`'\"]?(\w+)", re.I)


@dataclass(frozen=True)
class Known:
    """What the stable prompts already say, and the tools that the agent has."""

    prompt: str
    tools: frozenset[str]
    spoken: tuple[str, ...] = ()
    """Recorded calls' arguments and errors, as the report quotes them."""


def refusal(edit: Edit, known: Known) -> str | None:
    """Why an edit is refused, as a sentence; None when nothing speaks against it."""
    read = as_read(edit.text)
    seen = [edit.model_copy(update={"text": text}) for text in dict.fromkeys((edit.text, read, joined(read)))]
    prompt = as_read(known.prompt)
    known = replace(known, prompt=f"{known.prompt}\n{prompt}\n{joined(prompt)}")
    found = (reason for guard in GUARDS for one in seen if (reason := guard(one, known)))
    reason = next(found, None)
    return reason and f"An edit of {edit.component} ({edit.kind}) was refused: it carries {reason}."


def new_sensitive_text(edit: Edit, known: Known) -> str | None:
    return next(
        (f"a {label} that the prompts do not have yet" for label, what in found(edit.text) if what not in known.prompt),
        None,
    )


def new_link(edit: Edit, known: Known) -> str | None:
    """A link needs no scheme to be followed: Markdown, HTML, `//host`, and `host.com/path` do without."""
    targets = (target for match in _LINK.findall(edit.text) for target in match if target)
    return next(("a link that the prompts do not have yet" for target in targets if target not in known.prompt), None)


def template_syntax(edit: Edit, known: Known) -> str | None:
    return "template syntax, which the agent might run" if _TEMPLATE.search(edit.text) else None


def invisible_characters(edit: Edit, known: Known) -> str | None:
    hidden = ("Cc", "Cf", "Co", "Cs", "Cn")
    if any((unicodedata.category(c) in hidden and c not in "\n\t") or c in BLANKS for c in edit.text):
        return "characters that a reviewer cannot see"
    return None


def mixed_letters(edit: Edit, known: Known) -> str | None:
    return "words that mix letters of several alphabets" if mixes_scripts(edit.text) else None


def instruction_to_a_judge(edit: Edit, known: Known) -> str | None:
    """A prompt that tells the agent what to say to whoever grades it improves the grade and nothing else."""
    return "an instruction that speaks to a judge" if _JUDGE.search(edit.text) else None


def copied_speech(edit: Edit, known: Known) -> str | None:
    """Facts list names, and names in a row are what they are for; any other text that repeats a recording is copied."""
    if edit.kind == "InjectContext":
        return None
    runs = {run for text in known.spoken for run in _runs(as_read(text))} - _runs(known.prompt)
    return "words copied from a trace" if _runs(edit.text) & runs else None


def _runs(text: str) -> set[tuple[str, ...]]:
    words = re.findall(r"\w+", text.lower())
    return {tuple(words[n : n + _SPOKEN]) for n in range(len(words) - _SPOKEN + 1)}


def instruction_override(edit: Edit, known: Known) -> str | None:
    return "an instruction to disregard other instructions" if _OVERRIDE.search(edit.text) else None


def new_tool(edit: Edit, known: Known) -> str | None:
    """Words with an underscore, a digit or a capital inside count as names: `use dates` names no tool, `use get_dates`
    does. In facts, which list names of all kinds, only what is called a tool is one."""
    shapes = _NAMED_A_TOOL if edit.kind == "InjectContext" else (*_NAMED_A_TOOL, _CALLED)
    for name in (name for shape in shapes for name in shape.findall(edit.text)):
        named = is_identifier(name) and re.search(r"[_\d]|^[a-z]+[A-Z]", name)
        if named and name not in known.tools and name not in known.prompt:
            return "the name of a tool that the agent is not known to have"
    return None


Guard = Callable[[Edit, Known], str | None]
GUARDS: tuple[Guard, ...] = (
    new_sensitive_text,
    new_link,
    template_syntax,
    invisible_characters,
    mixed_letters,
    instruction_to_a_judge,
    instruction_override,
    copied_speech,
    new_tool,
)
