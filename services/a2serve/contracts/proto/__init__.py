"""gRPC between gateway and inference: `avatar_pb2` (messages) and `avatar_pb2_grpc` (service), generated from avatar.proto."""
