"""`python -m bench.optimizers`: our loop, GEPA and random search on the same agent with the same ledger of calls.

It compares search and gate, not writing: what a model would write is drawn from one and the same stand-in for all.
"""
