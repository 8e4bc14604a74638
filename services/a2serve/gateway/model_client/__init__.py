"""The avatar model as the gateway sees it, and gRPC to the inference service."""
