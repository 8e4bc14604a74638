"""gRPC between our parts, generated from the .proto files: avatar (gateway to inference), engine (inference to an engine behind
Triton; Triton's own protocol, in which it travels, is the package `tritonclient`)."""

LARGEST_MESSAGE_BYTES = 16 << 20  # that a gateway, a replica or an engine takes
