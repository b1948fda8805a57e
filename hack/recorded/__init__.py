"""`make recorded`: a real agent's recordings behind live interfaces, optimized by the operator on a real API server.

The harness alone knows what is behind the interfaces: how a false identifier looks in an observation, and which
questions no stage has seen. The operator gets traces, an endpoint and three manifests, as from any user.
"""
