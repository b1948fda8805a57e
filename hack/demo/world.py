"""Six pretended shops: what they stock, by which codes they call it, and the three tools that a support agent has.

Every shop names things its own way (`wh_north` here, `north_hub` there), and a tool knows only its own shop's codes.
Nothing in a customer's question says which. That is all that is difficult in this world.
"""

import hashlib
import re
from dataclasses import dataclass
from itertools import product
from typing import Any

PLACES = ("north", "south", "east", "west")
ZONES = ("island", "alpine", "coast", "metro")
NOUNS = ("mug", "lamp", "chair", "kettle")
COLOURS = ("blue", "red", "green", "black")

QUESTIONS = {
    "stock": (
        "How many {colour} {noun}s are left in the {place} warehouse?",
        "A customer wants to know our stock of the {colour} {noun} at the {place} site.",
        "Can you tell me what quantity of {colour} {noun}s we still have in the {place}?",
    ),
    "shipping": (
        "What does it cost to ship one {colour} {noun} to the {place} region?",
        "A customer in the {place} area asks for the postage of a {colour} {noun}.",
        "How much is delivery of the {colour} {noun} to {place} addresses?",
    ),
}
"""Paraphrases by kind of task. `{place}` is a warehouse's place for stock and a delivery zone for shipping."""


class ToolError(Exception):
    """A tool call was refused; the message is what the agent gets to see."""


@dataclass(frozen=True)
class Task:
    """One thing to find out, however it is phrased. `place` is a word of PLACES (stock) or ZONES (shipping)."""

    kind: str
    noun: str
    colour: str
    place: str


@dataclass(frozen=True)
class Shop:
    """One tenant. The templates are its naming rules; `discontinued` is asked for but not sold any more."""

    name: str
    item: str
    warehouse: str
    zone: str
    discontinued: tuple[str, str]

    def item_code(self, noun: str, colour: str) -> str:
        return self.item.format(noun=noun, colour=colour)

    def warehouse_code(self, place: str) -> str:
        return self.warehouse.format(place=place)

    def zone_code(self, zone: str) -> str:
        return self.zone.format(place=zone)

    @property
    def items(self) -> list[str]:
        return [self.item_code(n, c) for n, c in product(NOUNS, COLOURS) if (n, c) != self.discontinued]

    def number(self, code: str, where: str) -> int:
        """Stock or price of an item at a place: fixed for ever, and different everywhere."""
        return int.from_bytes(hashlib.sha256(f"{self.name}/{code}/{where}".encode()).digest()[:2]) % 900 + 10

    def answer(self, task: Task) -> int | None:
        """The right answer; None when the shop does not sell the item, which no prompt can mend."""
        code = self.item_code(task.noun, task.colour)
        if code not in self.items:
            return None
        where = self.warehouse_code(task.place) if task.kind == "stock" else self.zone_code(task.place)
        return self.number(code, where)

    def call(self, tool: str, arguments: dict[str, Any]) -> dict[str, Any]:
        """Run one tool. Raises ToolError with the sentence that the shop's service would answer."""
        if tool == "list_codes":
            return {
                "items": self.items,
                "warehouses": [self.warehouse_code(p) for p in PLACES],
                "zones": [self.zone_code(z) for z in ZONES],
            }
        if tool == "check_stock":
            item = self._known(arguments, "item", self.items)
            warehouse = self._known(arguments, "warehouse", [self.warehouse_code(p) for p in PLACES])
            return {"item": item, "warehouse": warehouse, "quantity": self.number(item, warehouse)}
        if tool == "shipping_price":
            item = self._known(arguments, "item", self.items)
            zone = self._known(arguments, "zone", [self.zone_code(z) for z in ZONES])
            return {"item": item, "zone": zone, "price": self.number(item, zone)}
        raise ToolError(f"no such tool: {tool}")

    @staticmethod
    def _known(arguments: dict[str, Any], name: str, codes: list[str]) -> str:
        code = str(arguments.get(name, ""))
        if code not in codes:
            raise ToolError(f"unknown {name} '{code}'")
        return code


SHOPS = {
    shop.name: shop
    for shop in (
        Shop("arbor", "{noun}_{colour}", "wh_{place}", "zone_{place}", ("mug", "red")),
        Shop("brightside", "{colour}_{noun}", "{place}_hub", "ship_{place}", ("lamp", "green")),
        Shop("copperfield", "sku_{noun}_{colour}", "depot_{place}", "tariff_{place}", ("chair", "blue")),
        Shop("dockyard", "{noun}_{colour}_v2", "{place}_dc", "{place}_rate", ("kettle", "black")),
        Shop("elmwood", "{noun}_{colour}", "store_{place}", "zone_{place}", ("lamp", "red")),
        Shop("fernhill", "art_{colour}_{noun}", "lager_{place}", "porto_{place}", ("mug", "black")),
    )
}

TOOLS: dict[str, dict[str, Any]] = {
    "list_codes": {"type": "object", "properties": {}},
    "check_stock": {
        "type": "object",
        "properties": {"item": {"type": "string"}, "warehouse": {"type": "string"}},
        "required": ["item", "warehouse"],
    },
    "shipping_price": {
        "type": "object",
        "properties": {"item": {"type": "string"}, "zone": {"type": "string"}},
        "required": ["item", "zone"],
    },
}
"""JSON Schema of each tool's arguments."""


def understand(question: str) -> Task | None:
    """What a question asks for, by its words; None when it is about something else."""
    words = set(re.findall(r"[a-z]+", question.lower()))
    words |= {word.removesuffix("s") for word in words}
    found = [next((w for w in choice if w in words), None) for choice in (NOUNS, COLOURS, (*PLACES, *ZONES))]
    noun, colour, place = found
    if noun is None or colour is None or place is None:
        return None
    return Task("stock" if place in PLACES else "shipping", noun, colour, place)


def ask(task: Task, phrasing: int) -> str:
    """The task as a customer would put it."""
    forms = QUESTIONS[task.kind]
    return forms[phrasing % len(forms)].format(colour=task.colour, noun=task.noun, place=task.place)
