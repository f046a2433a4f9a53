"""The networks: what they take, what they give, and how they are built."""

from __future__ import annotations

from itertools import pairwise
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt
import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.nn.utils.fusion import fuse_conv_bn_eval

__all__ = [
    "CUE_CHANNELS",
    "EMBEDDING",
    "NETWORKS",
    "PIXEL_CHANNELS",
    "STRIDE",
    "Answer",
    "build_network",
    "fold_norms",
]

PIXEL_CHANNELS = 9
"""Red, green, blue of frame and background (the frame's again where there is none), the largest difference of these,
score, mask; in [0, 1]. Each four times, for the four pixels of a place at half the size: so no pixel is lost, and no
layer is as large as the frame."""
_SCORE = 7  # of these channels
CUE_CHANNELS = 6
"""At 1/4 of the size: motion's magnitude and agreement, the last answer carried along; and three planes of 0 or 1:
whether there is a background, a score, a flow."""
EMBEDDING = 16
STRIDE = 32
"""Height and width are multiples of this."""


class Answer(NamedTuple):
    """What a network says of a batch: logits at full size, embeddings of unit length at 1/4 of it."""

    mask: Tensor
    """float (N, n_classes, H, W)."""
    shadow: Tensor
    """float (N, 1, H, W)."""
    embedding: Tensor
    """float (N, 16, H/4, W/4)."""

    def foreground(self) -> Tensor:
        """Log-odds (N, 1, H, W) of anything but background: with several classes, of any but the first."""
        mask = self.mask.float()
        return mask if mask.shape[1] == 1 else mask[:, 1:].logsumexp(dim=1, keepdim=True) - mask[:, :1]

    def leaning(self, foreground: npt.NDArray[np.bool_], log_odds: float) -> Answer:
        """The same, with `foreground` (h, w) as another has it, from the upper left corner of the first picture on,
        counted in: as many log-odds more where it is True, and less where not."""
        rows, columns = foreground.shape
        mask = self.mask.float().clone()
        word = torch.from_numpy(foreground).to(mask.device, mask.dtype).mul_(2 * log_odds).sub_(log_odds)
        mask[0, 0, :rows, :columns] += word
        return self._replace(mask=mask)


def _conv(inside: int, outside: int, side: int = 3, *, stride: int = 1, groups: int = 1) -> nn.Sequential:
    """Convolution, batch norm (fixed numbers once trained, which fold into the convolution), rectifier."""
    layer = nn.Conv2d(inside, outside, side, stride, side // 2, groups=groups, bias=False)
    return nn.Sequential(layer, nn.BatchNorm2d(outside), nn.ReLU(inplace=True))


class _Block(nn.Module):
    """Depthwise 5x5 that may halve the size, then two 1x1 with a wider layer between; added to its input."""

    def __init__(self, inside: int, outside: int, *, stride: int = 1, widening: int = 2) -> None:
        super().__init__()
        self.depthwise = nn.Sequential(
            nn.Conv2d(inside, inside, 5, stride, 2, groups=inside, bias=False), nn.BatchNorm2d(inside)
        )
        self.widen = _conv(inside, widening * outside, 1)
        self.narrow = nn.Sequential(nn.Conv2d(widening * outside, outside, 1, bias=False), nn.BatchNorm2d(outside))
        self.adds = stride == 1 and inside == outside

    def forward(self, x: Tensor) -> Tensor:
        y = self.narrow(self.widen(self.depthwise(x)))
        return x + y if self.adds else F.relu(y)


class _Context(nn.Module):
    """What the whole picture looks like, for every pixel: scales the channels of the coarsest level."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.layers = nn.Sequential(
            nn.Conv2d(channels, channels // 4, 1), nn.ReLU(), nn.Conv2d(channels // 4, channels, 1)
        )

    def forward(self, x: Tensor) -> Tensor:
        return x * torch.sigmoid(self.layers(x.mean(dim=(2, 3), keepdim=True)))


class DetailNet(nn.Module):
    """Encoder and decoder of depthwise separable blocks.

    The finest features, which decide on outlines, are of half the size, but made of every pixel, and give four answers
    each: layers at full size would take most of the time. What is known of each pixel leads straight to its answer,
    too, so that the network learns what to change about the score.

    Parameters
    ----------
    widths : five integers
        Channels at 1/2, 1/4, ... 1/32 of the size.
    depths : four integers
        Blocks at 1/4, ... 1/32.
    n_classes : int
        1: foreground or not; more: the mask's channels are logits of as many classes.
    """

    def __init__(self, widths: tuple[int, ...], depths: tuple[int, ...], n_classes: int = 1) -> None:
        super().__init__()
        self.detail = _conv(4 * PIXEL_CHANNELS, widths[0])
        levels, inside = [], widths[0]
        for width, depth in zip(widths[1:], depths, strict=True):
            blocks = [_Block(inside, width, stride=2)] + [_Block(width, width) for _ in range(depth - 1)]
            levels.append(nn.Sequential(*blocks))
            inside = width
        self.levels = nn.ModuleList(levels)
        self.cues = nn.Conv2d(CUE_CHANNELS, widths[1], 3, padding=1)
        self.context = _Context(widths[-1])
        self.laterals = nn.ModuleList(nn.Conv2d(deep, flat, 1) for flat, deep in pairwise(widths))
        self.merges = nn.ModuleList(_Block(flat, flat, widening=1) for flat in widths[1:-1])
        self.embedding = nn.Conv2d(widths[1], EMBEDDING, 1)
        self.sharpen = _conv(widths[0], widths[0])
        self.head = nn.Conv2d(widths[0], 4 * (n_classes + 1), 3, padding=1)
        self.direct = nn.Conv2d(4 * PIXEL_CHANNELS, 4 * (n_classes + 1), 1, bias=False)
        nn.init.zeros_(self.direct.weight)
        if n_classes == 1:  # begins as "the score is right"
            with torch.no_grad():
                for place in range(4):
                    self.direct.weight[place, 4 * _SCORE + place] = 4.0
                self.head.bias[:4] -= 2.0

    def forward(self, pixels: Tensor, cues: Tensor) -> Answer:
        features = [self.detail(pixels)]
        for number, level in enumerate(self.levels):
            x = level(features[-1])
            features.append(F.relu(x + self.cues(cues)) if number == 0 else x)
        x = self.context(features[-1])
        quarter = x
        for number in reversed(range(len(self.laterals))):
            flat = features[number]
            x = F.interpolate(self.laterals[number](x), size=flat.shape[2:], mode="bilinear", align_corners=False)
            x = F.relu(x + flat)
            if number:
                x = self.merges[number - 1](x)
            if number == 1:
                quarter = x
        logits = F.pixel_shuffle(self.head(self.sharpen(x)) + self.direct(pixels), 2)
        embedding = F.normalize(self.embedding(quarter).float(), dim=1)
        return Answer(logits[:, :-1], logits[:, -1:], embedding)


class UNet(nn.Module):
    """The classic: two full convolutions a level (Ronneberger et al. 2015, doi:10.1007/978-3-319-24574-4_28)."""

    def __init__(self, width: int = 16, n_classes: int = 1) -> None:
        super().__init__()
        widths = [width * 2**k for k in range(5)]
        inside = PIXEL_CHANNELS + CUE_CHANNELS
        self.down = nn.ModuleList()
        for outside in widths:
            self.down.append(nn.Sequential(_conv(inside, outside), _conv(outside, outside)))
            inside = outside
        self.up = nn.ModuleList(
            nn.Sequential(_conv(deep + flat, flat), _conv(flat, flat)) for flat, deep in pairwise(widths)
        )
        self.embedding = nn.Conv2d(widths[2], EMBEDDING, 1)
        self.head = nn.Conv2d(width, n_classes + 1, 1)

    def forward(self, pixels: Tensor, cues: Tensor) -> Answer:
        pixels = F.pixel_shuffle(pixels, 2)
        wide = F.interpolate(cues, size=pixels.shape[2:], mode="bilinear", align_corners=False)
        x, features = torch.cat([pixels, wide], dim=1), []
        for number, layer in enumerate(self.down):
            x = layer(F.max_pool2d(x, 2) if number else x)
            features.append(x)
        quarter = features[2]
        for number in reversed(range(len(self.up))):
            flat = features[number]
            x = F.interpolate(x, size=flat.shape[2:], mode="bilinear", align_corners=False)
            x = self.up[number](torch.cat([x, flat], dim=1))
            if number == 2:
                quarter = x
        logits = self.head(x)
        return Answer(logits[:, :-1], logits[:, -1:], F.normalize(self.embedding(quarter).float(), dim=1))


class FCN(nn.Module):
    """Scores at 1/2, 1/4 and 1/8, enlarged and added (Long et al. 2015, doi:10.1109/CVPR.2015.7298965)."""

    def __init__(self, width: int = 24, n_classes: int = 1) -> None:
        super().__init__()
        inside = PIXEL_CHANNELS + CUE_CHANNELS
        self.down, self.scores = nn.ModuleList(), nn.ModuleList()
        for outside in (width, 2 * width, 4 * width):
            self.down.append(nn.Sequential(_conv(inside, outside, stride=2), _conv(outside, outside)))
            self.scores.append(nn.Conv2d(outside, n_classes + 1, 1))
            inside = outside
        self.embedding = nn.Conv2d(2 * width, EMBEDDING, 1)

    def forward(self, pixels: Tensor, cues: Tensor) -> Answer:
        pixels = F.pixel_shuffle(pixels, 2)
        size = pixels.shape[2:]
        wide = F.interpolate(cues, size=size, mode="bilinear", align_corners=False)
        x, features = torch.cat([pixels, wide], dim=1), []
        for layer in self.down:
            x = layer(x)
            features.append(x)
        logits = torch.zeros(())
        for score, feature in zip(self.scores, features, strict=True):
            logits = logits + F.interpolate(score(feature), size=size, mode="bilinear", align_corners=False)
        return Answer(logits[:, :-1], logits[:, -1:], F.normalize(self.embedding(features[1]).float(), dim=1))


NETWORKS: dict[str, Any] = {
    "small": lambda n_classes: DetailNet((16, 32, 48, 80, 112), (2, 2, 3, 2), n_classes),
    "base": lambda n_classes: DetailNet((24, 56, 96, 168, 224), (2, 3, 4, 3), n_classes),
    "unet": lambda n_classes: UNet(16, n_classes),
    "fcn": lambda n_classes: FCN(24, n_classes),
}
"""Builders by name, called with the number of classes."""


def fold_norms(network: nn.Module) -> nn.Module:
    """Put the batch norms of a network that is done learning into the convolutions before them; returns it."""
    for layer in network.modules():
        if isinstance(layer, nn.Sequential) and len(layer) > 1 and isinstance(layer[1], nn.BatchNorm2d):
            layer[0], layer[1] = fuse_conv_bn_eval(layer[0].eval(), layer[1].eval()), nn.Identity()
    return network.eval()


def build_network(name: str, n_classes: int = 1) -> nn.Module:
    """A fresh network with random weights, in channels-last memory format.

    Raises
    ------
    KeyError
        There is no network of that name.
    """
    return NETWORKS[name](n_classes).to(memory_format=torch.channels_last)
