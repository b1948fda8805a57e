"""How fast traces become what the analysis keeps: from OTLP-JSON files to parts, as a `read` pod does it."""
