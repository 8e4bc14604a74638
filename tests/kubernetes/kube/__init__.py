"""A Kubernetes API for the tests: built of Go modules, or the one that KUBECONFIG names; and what stands in for the rest of a cluster."""
