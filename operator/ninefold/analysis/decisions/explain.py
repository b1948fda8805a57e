"""One trace, step by step: what each changed, and which was the worst."""

from ninefold.analysis.decisions import statements
from ninefold.analysis.decisions.coder import Coder
from ninefold.analysis.decisions.values import credit, fit
from ninefold.analysis.engine import Engine
from ninefold.traces import StepTable


def explained(table: StepTable, trace_id: str, intent_key: str | None) -> list[str] | None:
    """Lines for a reader; None when there is no judged trace of this id.

    Values come from all other traces as well as this one, which weighs in them as one of many.
    """
    with Engine() as engine:
        coder = Coder(engine, intent_key)
        coder.add(table)
        engine.load("explained", statements.one_id(trace_id))
        symbols = coder.codes.symbols
        rows = engine.query(statements.ONE)
        if not rows:
            return None
        values = fit(engine.arrow(statements.STATES))
    row = rows[0]
    steps = credit(values, row["intent"], row["seq"], bool(row["solved"]))
    worst = min(range(len(steps)), key=lambda i: steps[i].credit, default=None)
    start, _ = values.of(row["intent"], 0, row["seq"][0], 1)
    lines = [f"{'solved' if row['solved'] else 'failed'}; traces like it start at {start:.0%}"]
    for i, (code, step) in enumerate(zip(row["seq"][1:], steps, strict=True)):
        mark = "  <- lost most here" if i == worst and step.credit < 0 else ""
        lines.append(
            f"{i + 1:3d}  {step.credit * 100:+6.1f} points ({step.low * 100:+.0f} to {step.high * 100:+.0f})  "
            f"{symbols[code]}{mark}"
        )
    if values.calibration.weak:
        lines.append("These values are poorly calibrated: read them as hints.")
    return lines
