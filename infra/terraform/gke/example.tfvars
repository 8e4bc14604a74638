project      = "my-project"
api_networks = ["203.0.113.7/32"]

gpu_pools = {
  gpu      = { machine = "g2-standard-8", accelerator = "nvidia-l4", max = 8, spot = false }
  gpu-spot = { machine = "g2-standard-8", accelerator = "nvidia-l4", max = 16, spot = true }
}
