"""The operator as a process: options, lease, cache, queue and probes put together around the plans of `controllers`."""
