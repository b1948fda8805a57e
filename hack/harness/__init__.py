"""What `make demo` and `make recorded` share: a bed to run the operator in, and eyes to follow a run with.

Made of the parts of `testbed` and of what any user has: the chart, `kubectl`, `ninefold.client`. Nothing here reaches
into the operator.
"""
