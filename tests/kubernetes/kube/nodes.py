"""Nodes without machines, with what the machines of infra/terraform leave for pods, and volumes that are there already."""

from kube.api import Api, Object

# What kube-reserved leaves: e2-standard-4 and m7i.xlarge, g2-standard-8 and g6.2xlarge, the trial's 4 CPUs and 8 GB.
SYSTEM = {"cpu": "3920m", "memory": "12800Mi"}
GPU = {"cpu": "7910m", "memory": "28Gi", "nvidia.com/gpu": "1"}
TRIAL = {"cpu": "4", "memory": "8G"}
GPU_TAINT = {"key": "nvidia.com/gpu", "value": "present", "effect": "NoSchedule"}
TRIAL_TAINT = {"key": "tests/trial", "value": "true", "effect": "NoSchedule"}
PROVISIONING = "cloud.google.com/gke-provisioning"
POOL = "a2llm/pool"
STORAGE_CLASS, VOLUMES = "tests", 5


def _node(name: str, zone: str, size: dict[str, str], labels: dict[str, str], *taints: Object) -> Object:
    has = {**size, "pods": "110", "ephemeral-storage": "80Gi"}
    known = {
        "kubernetes.io/hostname": name,
        "kubernetes.io/arch": "amd64",
        "kubernetes.io/os": "linux",
        "topology.kubernetes.io/zone": f"zone-{zone}",
    }
    return {
        "apiVersion": "v1",
        "kind": "Node",
        "metadata": {"name": name, "labels": known | labels},
        "spec": {"taints": list(taints)},
        "status": {"allocatable": has, "capacity": has},
    }


NODES = [
    *(_node(f"system-{zone}", zone, SYSTEM, {POOL: "system"}) for zone in "abc"),
    *(_node(f"gpu-{zone}", zone, GPU, {POOL: "gpu", PROVISIONING: "standard"}, GPU_TAINT) for zone in "abcd"),
    _node("spot-gke", "a", GPU, {POOL: "gpu", PROVISIONING: "spot"}, GPU_TAINT),
    _node("spot-eks", "b", GPU, {POOL: "gpu-spot"}, GPU_TAINT),
    _node("trial", "a", TRIAL, {POOL: "trial"}, TRIAL_TAINT),
]
STORAGE = [
    {
        "apiVersion": "storage.k8s.io/v1",
        "kind": "StorageClass",
        "provisioner": "kubernetes.io/no-provisioner",
        "metadata": {"name": STORAGE_CLASS, "annotations": {"storageclass.kubernetes.io/is-default-class": "true"}},
        "volumeBindingMode": "WaitForFirstConsumer",
    },
]


def add_nodes(api: Api) -> None:
    """Created, not applied: only so may a Node come with a status."""
    for node in NODES:
        api.ask("POST", "/api/v1/nodes", node)
    for thing in STORAGE:
        api.apply(thing)


def add_volumes(api: Api, owner: str) -> None:
    """For the claims of one test, instead of a provisioner."""
    for number in range(VOLUMES):
        api.apply(
            {
                "apiVersion": "v1",
                "kind": "PersistentVolume",
                "metadata": {"name": f"{owner}-{number}"},
                "spec": {
                    "capacity": {"storage": "10Gi"},
                    "accessModes": ["ReadWriteOnce", "ReadOnlyMany", "ReadWriteMany"],
                    "storageClassName": STORAGE_CLASS,
                    "hostPath": {"path": f"/nowhere/{owner}/{number}"},
                },
            }
        )


def remove_volumes(api: Api, owner: str) -> None:
    for number in range(VOLUMES):
        api.delete("persistentvolumes", "", f"{owner}-{number}")
