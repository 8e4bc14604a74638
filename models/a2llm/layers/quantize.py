"""Residual vector quantization: vectors [B, T, D] <-> codes [B, K, T].

Codebooks are [K, V, D], level 0 the coarsest; any number of leading levels decodes. They are learned either by moving
averages inside a model (ResidualQuantizer) or by k-means on fixed vectors (fit_residual_kmeans).
Source: SoundStream (Zeghidour et al. 2021, residual levels, quantizer dropout), VQ-VAE-2 (Razavi et al. 2019, EMA).
"""

from dataclasses import dataclass

import torch
from torch import Tensor, nn

CHUNK = 16_384  # rows per distance matrix: bounds memory at CHUNK * V floats


def nearest_codes(x: Tensor, codebook: Tensor) -> Tensor:
    """Index of the nearest entry (Euclidean): x [N, D], codebook [V, D] -> [N] int64."""
    half_norm = codebook.square().sum(-1) / 2  # [V]
    parts = [(part @ codebook.T - half_norm).argmax(-1) for part in x.split(CHUNK)]
    return torch.cat(parts) if parts else x.new_zeros(0, dtype=torch.long)


def residual_encode(x: Tensor, codebooks: Tensor) -> Tensor:
    """Greedy residual coding: x [B, T, D], codebooks [K, V, D] -> codes [B, K, T] int64."""
    residual = x.reshape(-1, x.shape[-1])
    codes = []
    for codebook in codebooks:
        index = nearest_codes(residual, codebook)
        residual = residual - codebook[index]
        codes.append(index.view(x.shape[:-1]))
    return torch.stack(codes, dim=1)


def residual_decode(codes: Tensor, codebooks: Tensor) -> Tensor:
    """Sum of the entries: codes [B, k, T] with k <= K, codebooks [K, V, D] -> [B, T, D].

    Raises ValueError for more levels than there are codebooks.
    """
    if codes.shape[1] > codebooks.shape[0]:
        raise ValueError(f"{codes.shape[1]} levels of codes, {codebooks.shape[0]} codebooks")
    parts = [book[index] for book, index in zip(codebooks, codes.unbind(1), strict=False)]
    return torch.stack(parts).sum(0)


def perplexity(codes: Tensor, size: int) -> Tensor:
    """Effective number of entries in use per level: codes [B, K, T] -> [K], between 1 and `size`."""
    counts = torch.stack([torch.bincount(level.flatten(), minlength=size) for level in codes.unbind(1)])
    share = counts / counts.sum(-1, keepdim=True)
    return torch.exp(-torch.xlogy(share, share).sum(-1))


def _draw(x: Tensor, count: int, generator: torch.Generator) -> Tensor:
    """`count` random rows of x [N, D]; with repetition only when N < count."""
    index = torch.randperm(x.shape[0], generator=generator, device=generator.device)
    index = index.repeat(-(-count // x.shape[0]))[:count]
    return x[index.to(x.device)]


def _sums(x: Tensor, index: Tensor, size: int) -> tuple[Tensor, Tensor]:
    """Sum and count of the rows of each cell: ([V, D], [V]). One-hot products, because scattered adds on a GPU vary."""
    total = x.new_zeros(size, x.shape[-1])
    count = x.new_zeros(size)
    for rows, cells in zip(x.split(CHUNK), index.split(CHUNK), strict=True):
        onehot = nn.functional.one_hot(cells, size).to(x.dtype)  # [n, V]
        total += onehot.T @ rows
        count += onehot.sum(0)
    return total, count


def fit_kmeans(x: Tensor, size: int, iters: int, generator: torch.Generator) -> Tensor:
    """Lloyd's k-means: x [N, D] -> centres [V, D] on x's device. Empty cells restart at random rows."""
    centres = _draw(x, size, generator).clone()
    for _ in range(iters):
        total, count = _sums(x, nearest_codes(x, centres), size)
        spare = _draw(x, size, generator)
        centres = torch.where(count[:, None] > 0, total / count.clamp(min=1)[:, None], spare)
    return centres


@torch.no_grad()
def fit_residual_kmeans(x: Tensor, levels: int, size: int, iters: int, generator: torch.Generator) -> Tensor:
    """Codebooks [K, V, D] by k-means on x [N, D], then on what each level leaves over.

    Works on CPU and CUDA; the same generator state gives the same codebooks on the same device.
    Raises ValueError unless x is [N, D] with N > 0.
    """
    if x.dim() != 2 or not x.shape[0]:
        raise ValueError(f"x must be [N, D] with N > 0, not {tuple(x.shape)}")
    residual, books = x, []
    for _ in range(levels):
        books.append(fit_kmeans(residual, size, iters, generator))
        residual = residual - books[-1][nearest_codes(residual, books[-1])]
    return torch.stack(books)


@dataclass(frozen=True)
class QuantizerConfig:
    """Sizes and learning rates of a ResidualQuantizer. Raises ValueError for sizes or shares out of range."""

    dim: int
    levels: int
    size: int
    decay: float = 0.98
    commitment: float = 0.25
    dropout: float = 0.4  # share of training rows that keep only a random number of leading levels
    dead_below: float = 0.02  # an entry used less than this share of the mean use restarts at a current vector
    init_iters: int = 8

    def __post_init__(self) -> None:
        if min(self.dim, self.levels, self.size) < 1:
            raise ValueError("dim, levels and size must be at least 1")
        if not (0 <= self.decay < 1 and 0 <= self.dropout <= 1):
            raise ValueError("decay must be in [0, 1), dropout in [0, 1]")


@dataclass
class Quantized:
    """Result of one pass: vectors [B, T, D] (straight-through), codes [B, K, T], commitment loss (scalar)."""

    vectors: Tensor
    codes: Tensor
    loss: Tensor


class ResidualQuantizer(nn.Module):
    """EMA codebooks with k-means start, dead-entry revival and quantizer dropout.

    In training mode a pass updates the codebooks from its own batch; in eval mode it only looks up.
    """

    codebooks: Tensor  # [K, V, D]
    counts: Tensor  # [K, V] moving average of use
    sums: Tensor  # [K, V, D] moving average of assigned vectors
    ready: Tensor  # [] bool, set by the k-means start

    def __init__(self, config: QuantizerConfig) -> None:
        super().__init__()
        self.config = config
        shape = (config.levels, config.size, config.dim)
        self.register_buffer("codebooks", torch.zeros(shape))
        self.register_buffer("counts", torch.zeros(shape[:2]))
        self.register_buffer("sums", torch.zeros(shape))
        self.register_buffer("ready", torch.tensor(False))

    def encode(self, x: Tensor) -> Tensor:
        """x [B, T, D] -> codes [B, K, T]."""
        return residual_encode(x, self.codebooks)

    def decode(self, codes: Tensor) -> Tensor:
        """codes [B, k, T], any k <= K -> [B, T, D]."""
        return residual_decode(codes, self.codebooks)

    def forward(self, x: Tensor, generator: torch.Generator | None = None) -> Quantized:
        """x [B, T, D]. In training mode `generator` is required (start, revival, dropout); raises ValueError without."""
        if not self.training:
            codes = self.encode(x)
            vectors = self.decode(codes)
            return Quantized(vectors, codes, self.config.commitment * (x - vectors).square().mean())
        if generator is None:
            raise ValueError("training a quantizer needs a generator")
        return self._train(x, generator)

    def start(self, x: Tensor, generator: torch.Generator) -> None:
        """Set the codebooks by k-means on x [N, D]; the first training pass calls it by itself."""
        cfg = self.config
        books = fit_residual_kmeans(x.detach(), cfg.levels, cfg.size, cfg.init_iters, generator)
        use = x.shape[0] / cfg.size
        self.codebooks.copy_(books)
        self.counts.fill_(use)
        self.sums.copy_(books * use)
        self.ready.fill_(True)

    def _train(self, x: Tensor, generator: torch.Generator) -> Quantized:
        flat = x.reshape(-1, x.shape[-1])  # [N, D]
        if not bool(self.ready):
            self.start(flat, generator)
        keep = self._kept_levels(x.shape[0], generator).to(x.device)  # [B]
        total, chain, loss, codes = torch.zeros_like(x), torch.zeros_like(x), x.new_zeros(()), []
        for level in range(self.config.levels):
            target = (x - chain).detach()  # codebooks learn from every level, dropped or not
            index = nearest_codes(target.reshape(-1, x.shape[-1]), self.codebooks[level])
            vectors = self.codebooks[level][index].view_as(x)
            on = (keep > level).to(x.dtype)[:, None, None]  # [B, 1, 1]
            self._update(level, target.reshape(flat.shape), index, generator)
            total, chain = total + on * vectors, chain + vectors
            loss = loss + (x - chain).square().mean()
            codes.append(index.view(x.shape[:-1]))
        straight = x + (total - x).detach()
        return Quantized(straight, torch.stack(codes, 1), self.config.commitment * loss / self.config.levels)

    def _kept_levels(self, batch: int, generator: torch.Generator) -> Tensor:
        """Leading levels each row keeps [B]: all of them, or a random number for the share under dropout."""
        cfg = self.config
        some = torch.randint(1, cfg.levels + 1, (batch,), generator=generator, device=generator.device)
        chance = torch.rand(batch, generator=generator, device=generator.device)
        return torch.where(chance < cfg.dropout, some, torch.full_like(some, cfg.levels))

    @torch.no_grad()
    def _update(self, level: int, x: Tensor, index: Tensor, generator: torch.Generator) -> None:
        """Moving averages of one level from x [N, D] and its cells [N]; dead entries restart at rows of x."""
        cfg = self.config
        total, count = _sums(x, index, cfg.size)
        self.counts[level].lerp_(count, 1 - cfg.decay)
        self.sums[level].lerp_(total, 1 - cfg.decay)
        use = x.shape[0] / cfg.size
        dead = (self.counts[level] < cfg.dead_below * use)[:, None]  # [V, 1]
        pick = torch.randint(x.shape[0], (cfg.size,), generator=generator, device=generator.device)
        fresh = x[pick.to(x.device)]
        self.sums[level] = torch.where(dead, fresh * use, self.sums[level])
        self.counts[level] = torch.where(dead[:, 0], torch.full_like(count, use), self.counts[level])
        self.codebooks[level] = self.sums[level] / self.counts[level].clamp(min=1e-5)[:, None]
