"""The Kubernetes API as the controllers see it: a cache to read, a writer, a lease, and errors as sentences."""
