# A cluster with three node groups: system (always there), cpu and gpu (from zero, tainted, spot where wanted), in a network of its own.
# What is installed into it is the chart's business; README.md has the steps.

data "aws_availability_zones" "here" {
  state = "available"
}

data "aws_partition" "here" {}

locals {
  zones = slice(data.aws_availability_zones.here.names, 0, var.zones)

  fixed_groups = {
    system = { machine = var.system_nodes.machine, min = var.system_nodes.min, max = var.system_nodes.max, spot = false }
    cpu    = { machine = var.cpu_nodes.machine, min = 0, max = var.cpu_nodes.max, spot = var.cpu_nodes.spot }
  }

  gpu_groups = { for name, pool in var.gpu_pools : name => { machine = pool.machine, min = 0, max = pool.max, spot = pool.spot } }
  groups     = merge(local.fixed_groups, local.gpu_groups)

  # NVIDIA's device plugin goes to nodes that say so.
  labels = { for name in keys(local.groups) : name => merge({ "a2llm/pool" = name }, contains(keys(var.gpu_pools), name) ? { "nvidia.com/gpu.present" = "true" } : {}) }
  taints = merge({ cpu = { key = "a2llm/pool", value = "cpu" } }, { for name, pool in var.gpu_pools : name => { key = "nvidia.com/gpu", value = "present" } })

  # From zero there is no node to learn from: labels, taints and the GPU are told by tags on the groups that the autoscaler reads.
  told = merge(
    merge([for name in keys(local.taints) : { for key, value in local.labels[name] : "${name} ${key}" => { group = name, key = "node-template/label/${key}", value = value } }]...),
    { for name, taint in local.taints : "${name} taint" => { group = name, key = "node-template/taint/${taint.key}", value = "${taint.value}:NoSchedule" } },
    { for name, pool in var.gpu_pools : "${name} count" => { group = name, key = "node-template/resources/nvidia.com/gpu", value = "1" } },
  )

  node_policies    = ["AmazonEKSWorkerNodePolicy", "AmazonEKS_CNI_Policy", "AmazonEC2ContainerRegistryReadOnly"]
  policy_prefix    = "arn:${data.aws_partition.here.partition}:iam::aws:policy"
  addons           = ["vpc-cni", "coredns", "kube-proxy", "eks-pod-identity-agent", "aws-ebs-csi-driver"]
  autoscaler_group = "k8s.io/cluster-autoscaler"
}

# --- network: nodes have no public addresses and reach registries through one NAT ---------------------------------------

resource "aws_vpc" "net" {
  cidr_block           = "10.10.0.0/16"
  enable_dns_hostnames = true
  tags                 = { Name = var.name }
}

resource "aws_internet_gateway" "out" {
  vpc_id = aws_vpc.net.id
}

resource "aws_subnet" "public" {
  count = var.zones

  vpc_id            = aws_vpc.net.id
  availability_zone = local.zones[count.index]
  cidr_block        = cidrsubnet(aws_vpc.net.cidr_block, 8, count.index)
  tags              = { Name = "${var.name}-public-${count.index}", "kubernetes.io/role/elb" = "1" }
}

resource "aws_subnet" "nodes" {
  count = var.zones

  vpc_id            = aws_vpc.net.id
  availability_zone = local.zones[count.index]
  cidr_block        = cidrsubnet(aws_vpc.net.cidr_block, 3, count.index + 1)
  tags              = { Name = "${var.name}-nodes-${count.index}", "kubernetes.io/role/internal-elb" = "1" }
}

# Redis, Kafka and Postgres (data.tf); nothing leads out of here. values-eks.yaml lets pods reach 10.10.224.0/20.
resource "aws_subnet" "data" {
  count = var.zones

  vpc_id            = aws_vpc.net.id
  availability_zone = local.zones[count.index]
  cidr_block        = cidrsubnet(aws_vpc.net.cidr_block, 8, 224 + count.index)
  tags              = { Name = "${var.name}-data-${count.index}" }
}

resource "aws_eip" "out" {
  domain = "vpc"
}

resource "aws_nat_gateway" "out" {
  allocation_id = aws_eip.out.id
  subnet_id     = aws_subnet.public[0].id

  depends_on = [aws_internet_gateway.out]
}

resource "aws_route_table" "public" {
  vpc_id = aws_vpc.net.id

  route {
    cidr_block = "0.0.0.0/0"
    gateway_id = aws_internet_gateway.out.id
  }
}

resource "aws_route_table" "nodes" {
  vpc_id = aws_vpc.net.id

  route {
    cidr_block     = "0.0.0.0/0"
    nat_gateway_id = aws_nat_gateway.out.id
  }
}

resource "aws_route_table_association" "public" {
  count = var.zones

  subnet_id      = aws_subnet.public[count.index].id
  route_table_id = aws_route_table.public.id
}

resource "aws_route_table_association" "nodes" {
  count = var.zones

  subnet_id      = aws_subnet.nodes[count.index].id
  route_table_id = aws_route_table.nodes.id
}

# --- roles ------------------------------------------------------------------------------------------------------------

data "aws_iam_policy_document" "assume" {
  for_each = { cluster = "eks.amazonaws.com", nodes = "ec2.amazonaws.com", pods = "pods.eks.amazonaws.com" }

  statement {
    actions = each.key == "pods" ? ["sts:AssumeRole", "sts:TagSession"] : ["sts:AssumeRole"]

    principals {
      type        = "Service"
      identifiers = [each.value]
    }
  }
}

resource "aws_iam_role" "cluster" {
  name               = "${var.name}-cluster"
  assume_role_policy = data.aws_iam_policy_document.assume["cluster"].json
}

resource "aws_iam_role_policy_attachment" "cluster" {
  role       = aws_iam_role.cluster.name
  policy_arn = "${local.policy_prefix}/AmazonEKSClusterPolicy"
}

resource "aws_iam_role" "nodes" {
  name               = "${var.name}-nodes"
  assume_role_policy = data.aws_iam_policy_document.assume["nodes"].json
}

resource "aws_iam_role_policy_attachment" "nodes" {
  for_each = toset(local.node_policies)

  role       = aws_iam_role.nodes.name
  policy_arn = "${local.policy_prefix}/${each.value}"
}

resource "aws_iam_role" "volumes" {
  name               = "${var.name}-volumes"
  assume_role_policy = data.aws_iam_policy_document.assume["pods"].json
}

resource "aws_iam_role_policy_attachment" "volumes" {
  role       = aws_iam_role.volumes.name
  policy_arn = "${local.policy_prefix}/service-role/AmazonEBSCSIDriverPolicy"
}

# The cluster autoscaler (README.md installs it) may change the size of this cluster's groups, and of no others.
data "aws_iam_policy_document" "autoscaler" {
  statement {
    actions   = ["autoscaling:Describe*", "ec2:DescribeImages", "ec2:DescribeInstanceTypes", "ec2:DescribeLaunchTemplateVersions", "ec2:GetInstanceTypesFromInstanceRequirements", "eks:DescribeNodegroup"]
    resources = ["*"]
  }

  statement {
    actions   = ["autoscaling:SetDesiredCapacity", "autoscaling:TerminateInstanceInAutoScalingGroup"]
    resources = ["*"]

    condition {
      test     = "StringEquals"
      variable = "aws:ResourceTag/${local.autoscaler_group}/${var.name}"
      values   = ["owned"]
    }
  }
}

resource "aws_iam_role" "autoscaler" {
  name               = "${var.name}-autoscaler"
  assume_role_policy = data.aws_iam_policy_document.assume["pods"].json
}

resource "aws_iam_role_policy" "autoscaler" {
  role   = aws_iam_role.autoscaler.name
  policy = data.aws_iam_policy_document.autoscaler.json
}

# The AWS Load Balancer Controller; README.md gives it the policy that its version comes with.
resource "aws_iam_role" "balancer" {
  name               = "${var.name}-balancer"
  assume_role_policy = data.aws_iam_policy_document.assume["pods"].json
}

# External Secrets may read this cluster's secrets, and no others.
data "aws_iam_policy_document" "secrets" {
  statement {
    actions   = ["secretsmanager:GetSecretValue", "secretsmanager:DescribeSecret"]
    resources = [for secret in aws_secretsmanager_secret.data : secret.arn]
  }

  statement {
    actions   = ["kms:Decrypt"]
    resources = [aws_kms_key.kafka.arn]
  }
}

resource "aws_iam_role" "secrets" {
  name               = "${var.name}-secrets"
  assume_role_policy = data.aws_iam_policy_document.assume["pods"].json
}

resource "aws_iam_role_policy" "secrets" {
  role   = aws_iam_role.secrets.name
  policy = data.aws_iam_policy_document.secrets.json
}

# --- cluster ----------------------------------------------------------------------------------------------------------

resource "aws_eks_cluster" "main" {
  name     = var.name
  version  = var.kubernetes_version
  role_arn = aws_iam_role.cluster.arn

  access_config {
    authentication_mode                         = "API"
    bootstrap_cluster_creator_admin_permissions = true
  }

  vpc_config {
    subnet_ids              = concat(aws_subnet.nodes[*].id, aws_subnet.public[*].id)
    endpoint_private_access = true
    endpoint_public_access  = true
    public_access_cidrs     = var.api_networks
  }

  depends_on = [aws_iam_role_policy_attachment.cluster]
}

resource "aws_eks_addon" "addons" {
  for_each = toset(local.addons)

  cluster_name = aws_eks_cluster.main.name
  addon_name   = each.value
  # The network plugin enforces the chart's NetworkPolicies only when it is told to.
  configuration_values = each.value == "vpc-cni" ? jsonencode({ enableNetworkPolicy = "true" }) : null

  depends_on = [aws_eks_node_group.pools]
}

resource "aws_eks_pod_identity_association" "volumes" {
  cluster_name    = aws_eks_cluster.main.name
  namespace       = "kube-system"
  service_account = "ebs-csi-controller-sa"
  role_arn        = aws_iam_role.volumes.arn
}

resource "aws_eks_pod_identity_association" "autoscaler" {
  cluster_name    = aws_eks_cluster.main.name
  namespace       = "kube-system"
  service_account = "cluster-autoscaler"
  role_arn        = aws_iam_role.autoscaler.arn
}

resource "aws_eks_pod_identity_association" "balancer" {
  cluster_name    = aws_eks_cluster.main.name
  namespace       = "kube-system"
  service_account = "aws-load-balancer-controller"
  role_arn        = aws_iam_role.balancer.arn
}

resource "aws_eks_pod_identity_association" "secrets" {
  cluster_name    = aws_eks_cluster.main.name
  namespace       = "external-secrets"
  service_account = "external-secrets"
  role_arn        = aws_iam_role.secrets.arn
}

resource "aws_eks_node_group" "pools" {
  for_each = local.groups

  cluster_name    = aws_eks_cluster.main.name
  node_group_name = each.key
  node_role_arn   = aws_iam_role.nodes.arn
  subnet_ids      = aws_subnet.nodes[*].id
  ami_type        = contains(keys(var.gpu_pools), each.key) ? "AL2023_x86_64_NVIDIA" : "AL2023_x86_64_STANDARD"
  instance_types  = [each.value.machine]
  capacity_type   = each.value.spot ? "SPOT" : "ON_DEMAND"
  disk_size       = 100 # images of several GB
  labels          = local.labels[each.key]

  scaling_config {
    min_size     = each.value.min
    max_size     = each.value.max
    desired_size = each.value.min
  }

  # One node at a time: each drains people who are talking.
  update_config {
    max_unavailable = 1
  }

  dynamic "taint" {
    for_each = contains(keys(local.taints), each.key) ? [local.taints[each.key]] : []

    content {
      key    = taint.value.key
      value  = taint.value.value
      effect = "NO_SCHEDULE"
    }
  }

  lifecycle {
    ignore_changes = [scaling_config[0].desired_size] # the autoscaler's
  }

  depends_on = [aws_iam_role_policy_attachment.nodes]
}

resource "aws_autoscaling_group_tag" "from_zero" {
  for_each = local.told

  autoscaling_group_name = aws_eks_node_group.pools[each.value.group].resources[0].autoscaling_groups[0].name

  tag {
    key                 = "${local.autoscaler_group}/${each.value.key}"
    value               = each.value.value
    propagate_at_launch = false
  }
}

resource "aws_ecr_repository" "images" {
  for_each = toset(["gateway", "inference", "triton", "recorder"])

  name                 = "${var.name}/${each.value}"
  image_tag_mutability = "IMMUTABLE"

  image_scanning_configuration {
    scan_on_push = true
  }
}
