"""Plots as small SVG files, the same from the same figures, readable on a light and on a dark page."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from html import escape

WIDTH, HEIGHT = 640, 340
LEFT, RIGHT, TOP, BOTTOM = 64, 16, 40, 78  # of the frame, in px; below it the legend
COLOURS = ("#3b82f6", "#e08326", "#2fa35c", "#a064d6", "#d6455d")  # contrast of 3 : 1 and more, on white and on #0d1117
_HEAD = (
    '<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height}" width="{width}" height="{height}" role="img"'
    ' font-family="system-ui, sans-serif" font-size="13">\n<title>{title}</title>\n'
    "<style>text{{fill:#1f2328}}.line{{stroke:#1f2328;stroke-opacity:.18}}"
    "@media (prefers-color-scheme:dark){{text{{fill:#e6edf3}}.line{{stroke:#e6edf3}}}}</style>\n"
)


def lines(title: str, x_name: str, y_name: str, series: Mapping[str, Sequence[tuple[float, float]]]) -> str:
    """Curves over two logarithmic axes; points are (x, y), both above 0."""
    points = [point for curve in series.values() for point in curve]
    x_from, x_to = _decades([x for x, _ in points])
    y_from, y_to = _decades([y for _, y in points])

    def at(x: float, y: float) -> tuple[float, float]:
        across = (math.log10(x) - x_from) / (x_to - x_from)
        up = (math.log10(y) - y_from) / (y_to - y_from)
        return LEFT + across * (WIDTH - LEFT - RIGHT), HEIGHT - BOTTOM - up * (HEIGHT - TOP - BOTTOM)

    drawn = [_HEAD.format(width=WIDTH, height=HEIGHT, title=escape(title)), _text(LEFT, 22, title, weight="600")]
    for power in range(y_from, y_to + 1):
        _, y = at(10**x_from, 10**power)
        drawn.append(f'<path class="line" d="M{LEFT} {y:.1f}H{WIDTH - RIGHT}"/>')
        drawn.append(_text(LEFT - 8, y + 4, f"{10**power:,g}", anchor="end"))
    for power in range(x_from, x_to + 1):
        x, _ = at(10**power, 10**y_from)
        drawn.append(_text(x, HEIGHT - BOTTOM + 18, f"{10**power:,g}", anchor="middle"))
    drawn.append(_text(WIDTH - RIGHT, HEIGHT - BOTTOM + 36, x_name, anchor="end"))
    drawn.append(_text(LEFT, HEIGHT - BOTTOM + 36, f"y: {y_name}"))
    for colour, curve in zip(COLOURS, series.values(), strict=False):
        places = [at(x, y) for x, y in curve]
        path = "L".join(f"{x:.1f} {y:.1f}" for x, y in places)
        drawn.append(f'<path d="M{path}" fill="none" stroke="{colour}" stroke-width="2"/>')
        drawn += [f'<circle cx="{x:.1f}" cy="{y:.1f}" r="3.5" fill="{colour}"/>' for x, y in places]
    return "\n".join([*drawn, *_legend(list(series)), "</svg>\n"])


def bars(title: str, unit: str, values: Mapping[str, Mapping[str, float]]) -> str:
    """A group of lying bars for each name, each contender in its colour; the contenders are the same in all groups."""
    contenders = list(next(iter(values.values())))
    greatest = max(value for group in values.values() for value in group.values())
    thick, gap, left = 18, 16, 210
    height = TOP + len(values) * (len(contenders) * thick + gap) + 34
    drawn = [
        _HEAD.format(width=WIDTH, height=height, title=escape(title)),
        _text(12, 22, f"{title}, {unit}", weight="600"),
    ]
    y = float(TOP)
    for name, group in values.items():
        drawn.append(_text(left - 10, y + len(contenders) * thick / 2 + 4, name, anchor="end"))
        for colour, contender in zip(COLOURS, contenders, strict=False):
            long = group[contender] / greatest * (WIDTH - left - 70)
            drawn.append(f'<rect x="{left}" y="{y:.1f}" width="{long:.1f}" height="{thick - 3}" fill="{colour}"/>')
            drawn.append(_text(left + long + 6, y + thick - 6, f"{group[contender]:,g}"))
            y += thick
        y += gap
    return "\n".join([*drawn, *_legend(contenders, height), "</svg>\n"])


def _decades(values: Sequence[float]) -> tuple[int, int]:
    """The powers of ten around the values."""
    least, most = math.floor(math.log10(min(values))), math.ceil(math.log10(max(values)))
    return least, max(most, least + 1)


def _legend(names: Sequence[str], height: int = HEIGHT) -> list[str]:
    drawn, x = [], 12.0
    for colour, name in zip(COLOURS, names, strict=False):
        drawn.append(f'<rect x="{x:.1f}" y="{height - 22}" width="11" height="11" fill="{colour}"/>')
        drawn.append(_text(x + 16, height - 12, name))
        x += 36 + 7.0 * len(name)
    return drawn


def _text(x: float, y: float, said: str, *, anchor: str = "start", weight: str = "400") -> str:
    return f'<text x="{x:.1f}" y="{y:.1f}" text-anchor="{anchor}" font-weight="{weight}">{escape(said)}</text>'
