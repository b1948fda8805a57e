"""Stand-ins for servers that cannot run in a test: they answer as the real ones do, and are named stand-ins."""
