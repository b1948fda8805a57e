"""Fixtures for the whole suite: the test bed (control plane, Redis, local node), started on first use."""

pytest_plugins = ["testbed.fixtures"]
