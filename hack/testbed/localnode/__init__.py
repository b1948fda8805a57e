"""The local node: a TEST BED that runs pods as plain processes of this machine. Never shipped.

It is kubelet and scheduler in one small program, so that the real Job controller, real RBAC and a
real operator can be tried where no container runtime is to be had. It registers a Node, binds every
unscheduled pod to itself (there is no other node, and no resource is counted), and runs the
containers of the pods bound to it.

What is true to a kubelet: the order of init containers and containers, environment and its
`$(VAR)` expansion, ConfigMap, Secret, projected, downward-API, emptyDir, hostPath and (bound) claim
volumes, the atomic `..data` swap when a ConfigMap changes, waiting reasons (`ErrImagePull`,
`CreateContainerConfigError`, `CrashLoopBackOff`), exit codes, termination messages, restart
policies, `activeDeadlineSeconds`, graceful deletion, logs over the API server.

What is not, because a process is not a container:

- **Mounts are rewritten, not mounted.** There is no mount namespace for ordinary users. Wherever a
  mount path of the container stands as a whole path in its command, arguments or environment
  values, it is replaced by the volume's real directory (`mounts.py`). A program that has a mount
  path in its own text does not find it: pods must *tell* programs their paths. The same goes for
  `terminationMessagePath`.
- **An image is a name.** A mapping says with which environment, working directory and entrypoint a
  known name runs here (`images.py`); unknown names end in `ImagePullBackOff`.
- **Nothing isolates.** Limits, security contexts, users, taints, affinity and probes are ignored, a
  started container counts as ready, and the pod's address is 127.0.0.1 for all.
- Sidecar containers (init containers with `restartPolicy: Always`) and ephemeral ones are not run.

The environment of a process is clean: PATH, HOME (empty, the pod's own), LANG, what the image mapping
adds, and what the pod says. No kubeconfig and no token of the caller leaks into it.
"""

from testbed.localnode.wrapper import LocalNode

__all__ = ["LocalNode"]
