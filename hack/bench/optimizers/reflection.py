"""The stand-in for a reflecting model, the same for every optimizer: it reads evidence and writes one sentence.

It looks for what an attentive reader would notice (a refusal, the desk's complaint), takes one of the things noticed by
how often it stands there, and writes the sentence that answers it with probability 0.7; else one that is useless (0.2)
or harmful (0.1), as models do. When all the evidence is of one region, every second sentence is written for it alone.
When a directory of depots stands in the evidence, every second sentence about depots lists what it shows.
"""

import random
import re

ANSWERS = {
    r"unknown depot": "Before you book, first call list_depots.",
    r"locked by customs": "When a confirmation fails because the booking is locked, call release instead.",
    r"pallets were confirmed": "Confirm pallets with confirm_freight.",
    r"slot has expired": "Book at once.",
}
USELESS = (
    "Be polite and precise.",
    "Read the request carefully.",
    "Think step by step.",
    "Name the town in the answer.",
)
HARMFUL = ("Work quickly and use as few calls as possible.",)
_REGION = re.compile(r"\[region (\w+)\]")
_DEPOTS = re.compile(r'"depots": \[([^\]]*)\]')


def write(evidence: str, draw: random.Random) -> str:
    """One sentence that answers the evidence, or does not."""
    seen = {answer: len(re.findall(shape, evidence)) for shape, answer in ANSWERS.items()}
    regions = set(_REGION.findall(evidence))
    chance = draw.random()
    if chance < 0.1:
        return draw.choice(HARMFUL)
    if chance < 0.3 or not any(seen.values()):
        return draw.choice(USELESS)
    answer = draw.choices(list(seen), list(seen.values()))[0]
    lists = [codes.replace('"', "") for codes in _DEPOTS.findall(evidence)]
    if answer == ANSWERS["unknown depot"] and lists and draw.random() < 0.5:
        answer = f"Depots are called {draw.choice(lists)}."
    if len(regions) == 1 and draw.random() < 0.5:
        answer = f"In region {regions.pop()}: {answer}"
    return answer
