"""Line plots as SVG, without a library: axes, a legend, and a line for each series. Meant to be looked at once."""

from collections.abc import Mapping, Sequence
from html import escape
from pathlib import Path

Points = Sequence[tuple[float, float]]
WIDTH, HEIGHT, LEFT, BOTTOM, TOP, RIGHT = 720, 420, 64, 48, 40, 190
COLOURS = ("#1b6ca8", "#d1495b", "#3a7d44", "#8e5ea2", "#e09f3e", "#4d4d4d", "#00897b", "#6d4c41")
TICKS = 5


def line_plot(
    path: Path, title: str, axes: tuple[str, str], series: Mapping[str, Points], level: float | None = None
) -> None:
    """Write one plot. `level`: a horizontal line that the figures are held against, such as alpha."""
    xs = [x for points in series.values() for x, _ in points]
    ys = [y for points in series.values() for _, y in points] + ([level] if level is not None else [])
    low_x, high_x = min(xs), max(xs)
    low_y, high_y = min(0.0, *ys), max(ys) * 1.05 or 1.0

    def at(x: float, y: float) -> str:
        across = LEFT + (x - low_x) / ((high_x - low_x) or 1) * (WIDTH - LEFT - RIGHT)
        up = HEIGHT - BOTTOM - (y - low_y) / (high_y - low_y) * (HEIGHT - TOP - BOTTOM)
        return f"{across:.1f},{up:.1f}"

    parts = [_text(LEFT, TOP - 16, title, size=15)]
    for n in range(TICKS + 1):
        x, y = low_x + (high_x - low_x) * n / TICKS, low_y + (high_y - low_y) * n / TICKS
        across, up = at(x, low_y).split(",")[0], at(low_x, y).split(",")[1]
        parts += [
            f'<line x1="{LEFT}" y1="{up}" x2="{WIDTH - RIGHT}" y2="{up}" stroke="#ddd"/>',
            _text(LEFT - 6, float(up) + 4, f"{y:.3g}", anchor="end"),
            _text(float(across), HEIGHT - BOTTOM + 16, f"{x:.4g}", anchor="middle"),
        ]
    parts += [
        _text((LEFT + WIDTH - RIGHT) / 2, HEIGHT - 10, axes[0], anchor="middle"),
        f'<g transform="rotate(-90 16 {HEIGHT / 2})">{_text(16, HEIGHT / 2, axes[1], anchor="middle")}</g>',
    ]
    if level is not None:
        start, end = at(low_x, level).split(","), at(high_x, level).split(",")
        parts.append(
            f'<line x1="{start[0]}" y1="{start[1]}" x2="{end[0]}" y2="{end[1]}" stroke="#000" stroke-dasharray="6 4"/>'
        )
    for n, (name, points) in enumerate(series.items()):
        colour = COLOURS[n % len(COLOURS)]
        line = " ".join(at(x, y) for x, y in points)
        key = TOP + 8 + 18 * n
        parts += [
            f'<polyline points="{line}" fill="none" stroke="{colour}" stroke-width="2"/>',
            f'<line x1="{WIDTH - RIGHT + 14}" y1="{key}" x2="{WIDTH - RIGHT + 34}" y2="{key}" stroke="{colour}"'
            ' stroke-width="3"/>',
            _text(WIDTH - RIGHT + 40, key + 4, name),
        ]
    body = "\n".join(parts)
    path.write_text(
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {HEIGHT}" font-family="sans-serif">\n'
        f'<rect width="100%" height="100%" fill="#fff"/>\n{body}\n</svg>\n'
    )


def _text(x: float, y: float, text: str, *, anchor: str = "start", size: int = 11) -> str:
    return f'<text x="{x:.1f}" y="{y:.1f}" font-size="{size}" text-anchor="{anchor}">{escape(text)}</text>'
