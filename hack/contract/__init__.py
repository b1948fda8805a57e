"""Real servers for the contract tests: an OpenTelemetry collector and Jaeger, compiled from pinned Go modules."""
