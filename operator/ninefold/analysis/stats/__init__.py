"""Statistics as small pure functions, each with its source. Plain Python."""
