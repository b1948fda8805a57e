"""Level-triggered controllers: one small `plan()` a kind, pure, and the queue that runs them.

`gather` reads a snapshot through a `Reader`, `plan(snapshot, now)` decides, `apply` performs the actions in order.
After any single write the process may die; the next plan, from what is then there, reaches the same final state.
"""
