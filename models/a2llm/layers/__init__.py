"""Parts that several models share: causal convolution, residual quantization, streaming state. They know no domain."""
