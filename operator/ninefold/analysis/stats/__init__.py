"""Statistics as small pure functions, each with its source. Plain Python: the gate's image and a laptop have no numpy."""
