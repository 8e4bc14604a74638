"""gRPC between our parts, generated from the .proto files: avatar (gateway to inference), engine (inference to an engine behind
Triton), kserve (the part of Triton's own protocol that we speak)."""
