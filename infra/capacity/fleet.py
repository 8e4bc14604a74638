"""The replicas of one cell (one RayService) over time: the product's policy, with Ray's delays and the cloud's around it.

The decision is a2serve.inference.ray_scaling.wanted_replicas itself, so product and simulation cannot part. Ray's part is here
as its documentation says: metrics averaged over a look-back, a wanted number carried out once it has lasted, a drain. Imports no Ray.
"""

from collections import deque
from dataclasses import dataclass, field

from a2serve.inference.ray_scaling import wanted_replicas
from capacity.inputs import Hardware, Scaling


@dataclass
class Autoscaler:
    """Autoscaler of one cell; `decide` is called every second or so."""

    scaling: Scaling
    slots: int
    replicas_min: int
    replicas_max: int
    _speaking: deque[tuple[float, float]] = field(default_factory=deque)
    _refused: deque[tuple[float, bool]] = field(default_factory=deque)
    _sum: float = 0.0
    _differs_since: float | None = None
    _differs_up: bool = False

    def decide(self, now_s: float, ready: int, target: int, speaking: float, refused: bool) -> int:
        """Returns the new target. `refused`: a request is refused now, which counts as long as the look-back remembers it. First packets
        that
        come late are not simulated: slots are as many as an engine serves in time.
        """
        mean, strained = self._remember(now_s, speaking, refused)
        wanted = wanted_replicas(max(ready, 1), self.slots, mean, strained, self.scaling.share)
        wanted = min(max(wanted, self.replicas_min), self.replicas_max)
        if wanted == target:
            self._differs_since = None
            return target
        if self._differs_since is None or self._differs_up != (wanted > target):
            self._differs_since, self._differs_up = now_s, wanted > target
        lasted_s = now_s - self._differs_since
        if lasted_s < (self.scaling.up_s if self._differs_up else self.scaling.down_s):
            return target
        self._differs_since = None
        return wanted

    def _remember(self, now_s: float, speaking: float, refused: bool) -> tuple[float, bool]:
        self._speaking.append((now_s, speaking))
        self._refused.append((now_s, refused))
        self._sum += speaking
        while self._speaking[0][0] <= now_s - self.scaling.look_back_s:
            self._sum -= self._speaking.popleft()[1]
            self._refused.popleft()
        return self._sum / len(self._speaking), any(there for _, there in self._refused)


@dataclass
class Fleet:
    """Replicas that are ready, those that start, and nodes that are empty but still there, counted in replicas."""

    hardware: Hardware
    ready: int
    starting: deque[tuple[float, int]] = field(default_factory=deque)  # ready at, how many; in order of time, but for warm nodes
    warm: deque[tuple[float, int]] = field(default_factory=deque)  # given back at, how many

    @property
    def target(self) -> int:
        return self.ready + sum(count for _, count in self.starting)

    @property
    def paid(self) -> int:
        """Number of replicas whose nodes are paid for."""
        return self.target + sum(count for _, count in self.warm)

    def tick(self, now_s: float) -> None:
        """Moves time on: replicas that have started are ready; nodes that were empty long enough are given back."""
        if self.starting and any(at_s <= now_s for at_s, _ in self.starting):
            self.ready += sum(count for at_s, count in self.starting if at_s <= now_s)
            self.starting = deque(entry for entry in self.starting if entry[0] > now_s)
        while self.warm and self.warm[0][0] <= now_s:
            self.warm.popleft()

    def go_to(self, target: int, now_s: float) -> int:
        """Begins to be so many; returns how many ready replicas leave, whose running responses end by themselves."""
        more = target - self.target
        if more >= 0:
            self._add(more, now_s)
            return 0
        return self._remove(-more, now_s)

    def _add(self, count: int, now_s: float) -> None:
        reused = 0
        while self.warm and reused < count:
            at_s, there = self.warm.pop()  # the one that would stay longest
            taken = min(there, count - reused)
            reused += taken
            if there > taken:
                self.warm.append((at_s, there - taken))
        new, soon_s = count - reused, self.hardware.replica_start_s
        if reused:
            self.starting.append((now_s + soon_s, reused))
        if new:
            self.starting.append((now_s + self.hardware.node_start_s + soon_s, new))

    def _remove(self, count: int, now_s: float) -> int:
        """First those that are not there yet, the latest first."""
        left = count
        while self.starting and left:
            at_s, there = self.starting.pop()
            gone = min(there, left)
            left -= gone
            if there > gone:
                self.starting.append((at_s, there - gone))
        self.ready -= left
        self.warm.append((now_s + self.hardware.node_idle_s, count))
        return left
