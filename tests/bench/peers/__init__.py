"""Other gateways, pinned, as processes beside ours."""
