"""The stand-in for a reflecting model, the same for every optimizer: it reads evidence and writes one sentence.

It looks for what an attentive reader would notice (a refusal, the desk's complaint), takes one of the things noticed by
how often it stands there, and writes the sentence that answers it with probability 0.7; else one that is useless (0.2)
or harmful (0.1), as models do. When all the evidence is of one region, every second sentence is written for it alone.
When names that a sentence asks to look up (a directory of depots, a list of tables) stand in the evidence, every second
such sentence lists what it shows.
"""

import random
import re
from dataclasses import dataclass

_REGION = re.compile(r"\[region (\w+)\]")


@dataclass(frozen=True)
class Writer:
    """What is written about one environment. `answers`: what is noticed (a regular expression) -> the sentence."""

    answers: dict[str, str]
    useless: tuple[str, ...]
    harmful: tuple[str, ...]
    looked_up: str
    """The key of `answers` whose sentence asks to look names up."""
    names: re.Pattern[str]
    """What such a list looks like; its group holds the names."""
    listed: str
    """The sentence that says them, with a place for the list."""

    def write(self, evidence: str, draw: random.Random) -> str:
        """One sentence that answers the evidence, or does not."""
        seen = {answer: len(re.findall(shape, evidence)) for shape, answer in self.answers.items()}
        regions = set(_REGION.findall(evidence))
        chance = draw.random()
        if chance < 0.1:
            return draw.choice(self.harmful)
        if chance < 0.3 or not any(seen.values()):
            return draw.choice(self.useless)
        answer = draw.choices(list(seen), list(seen.values()))[0]
        lists = [re.sub(r"[\"'()]", "", names) for names in self.names.findall(evidence)]
        if answer == self.answers[self.looked_up] and lists and draw.random() < 0.5:
            answer = self.listed.format(draw.choice(lists))
        if len(regions) == 1 and draw.random() < 0.5:
            answer = f"In region {regions.pop()}: {answer}"
        return answer

    @property
    def sentences(self) -> list[str]:
        """All that may be written without evidence."""
        return [*self.answers.values(), *self.useless, *self.harmful]


FREIGHT = Writer(
    answers={
        r"unknown depot": "Before you book, first call list_depots.",
        r"locked by customs": "When a confirmation fails because the booking is locked, call release instead.",
        r"pallets were confirmed": "Confirm pallets with confirm_freight.",
        r"slot has expired": "Book at once.",
    },
    useless=(
        "Be polite and precise.",
        "Read the request carefully.",
        "Think step by step.",
        "Name the town in the answer.",
    ),
    harmful=("Work quickly and use as few calls as possible.",),
    looked_up=r"unknown depot",
    names=re.compile(r'"depots": \[([^\]]*)\]'),
    listed="Depots are called {}.",
)
