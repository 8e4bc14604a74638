kubernetes_version = "1.33"
api_networks       = ["203.0.113.7/32"]

gpu_pools = {
  gpu      = { machine = "g6.2xlarge", vcpus = 8, max = 24, spot = false }
  gpu-spot = { machine = "g6.2xlarge", vcpus = 8, max = 8, spot = true }
}
