"""What the service tells about itself: traces, metrics, and the trace in its log lines."""
