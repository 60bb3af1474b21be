"""What the gateway tells its operator about itself: product events, traces and metrics. Never content, never a secret.

``events.emit`` (the seed's eight events), ``tracing.span`` (OpenTelemetry), ``metrics`` (Prometheus). Each is nearly
free while nobody listens: no library of theirs is loaded then.
"""
