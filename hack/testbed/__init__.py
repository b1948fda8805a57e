"""Test beds: a real control plane, a real Redis and a pretended node, on one machine, without root.

Never shipped. `python -m testbed up` is the command line; `testbed.fixtures` is the pytest plugin;
the classes below are what both are made of.
"""

from testbed.controlplane import ADMIN, ControlPlane, User
from testbed.localnode import LocalNode
from testbed.localnode.images import Image
from testbed.redis import RedisServer

__all__ = ["ADMIN", "ControlPlane", "Image", "LocalNode", "RedisServer", "User"]
