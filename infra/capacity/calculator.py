"""Sessions -> slots -> replicas -> nodes -> cost, by arithmetic: a steady load at the policy's share. No queueing, no start-up."""

import math
from dataclasses import dataclass

from a2serve.inference.settings import InferenceSettings
from capacity.inputs import Hardware, Inputs


@dataclass(frozen=True)
class Need:
    """Hardware that a number of simultaneous sessions needs."""

    sessions: int
    speaking: float
    slots: int
    replicas: int
    nodes: int
    usd_per_hour: float
    usd_per_1000_minutes: float  # of conversation, silence included


def need(sessions: int, inputs: Inputs, hardware: Hardware, share: float) -> Need:
    """`share`: of the slots that may speak."""
    speaking = sessions * inputs.speaking_share
    replicas = max(1, math.ceil(speaking / (share * hardware.slots)))
    nodes = math.ceil(replicas / hardware.replicas_per_node)
    per_hour = nodes * hardware.node_usd_per_hour
    return Need(sessions, speaking, replicas * hardware.slots, replicas, nodes, per_hour, 1000 * per_hour / (60 * sessions))


@dataclass(frozen=True)
class Hearing:
    """Hearing load of one replica whose slots are used up to their share."""

    cpus: float  # in use
    workers: int  # that they are spread over, so that little has to wait

    @property
    def busy_share(self) -> float:
        return self.cpus / self.workers


def hearing(inputs: Inputs, hardware: Hardware, share: float) -> Hearing:
    """`share`: of the slots that may speak. The workers are those that the service takes by itself."""
    sessions = share * hardware.slots / inputs.speaking_share
    return Hearing(sessions * inputs.ear_cpus_per_session, InferenceSettings(slots=hardware.slots).ears)


def usd_per_1000_minutes(inputs: Inputs, hardware: Hardware, share: float) -> float:
    """The same without rounding to whole nodes: 1000 / 60 · price · speaking share / (share · slots)."""
    return 1000 / 60 * hardware.replica_usd_per_hour * inputs.speaking_share / (share * hardware.slots)
