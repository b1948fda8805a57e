"""`make demo`: the whole loop on this machine, around a small stand-in agent whose failures nobody told the operator.

`world` holds six pretended shops and their tools, `standin` pretends to be a language model, `agent` is a real
tool-using loop over HTTP that leaves traces, and `loop` runs Ninefold against it.
"""
