"""Plain SVG for the pictures of the documentation, readable on light and on dark pages."""

from html import escape

#: A picture brings its own ground, so that it can be read on a page of either kind.
STYLE = """
  text { font: 13px system-ui, -apple-system, "Segoe UI", "Liberation Sans", sans-serif; fill: #1f2328 }
  .title { font-weight: 600; font-size: 15px } .small { font-size: 12px; fill: #59636e }
  .code { font-family: ui-monospace, "SF Mono", "Liberation Mono", monospace; font-size: 12px }
  .end { text-anchor: end } .middle { text-anchor: middle }
  .ground { fill: #ffffff; stroke: #d1d9e0 } .lane { fill: #f2f5f8 } .line { stroke: #d1d9e0 }
  .mark { stroke: #59636e }
  .row { font-size: 11px; fill: #ffffff } .frame { fill: none; stroke: #cf222e; stroke-dasharray: 4 3 }
  .h0 { fill: #2f7fd6 } .h1 { fill: #d9730d } .h2 { fill: #1f8f55 }
  .wave { fill: none; stroke: #2f7fd6; stroke-width: 1.5 } .bus { fill: #dcebfb; stroke: #2f7fd6 }
  @media (prefers-color-scheme: dark) {
    text { fill: #e6edf3 } .small { fill: #9198a1 }
    .ground { fill: #0d1117; stroke: #3d444d } .lane { fill: #171d26 } .line { stroke: #3d444d }
    .mark { stroke: #9198a1 }
    .frame { stroke: #ff7b72 } .row { fill: #ffffff }
    .h0 { fill: #3b82d8 } .h1 { fill: #d97a26 } .h2 { fill: #2c9a60 }
    .wave { stroke: #4c9bf0 } .bus { fill: #12304f; stroke: #4c9bf0 }
  }
"""


def picture(width, height, title, elements):
    """Text of an SVG file: ``elements`` on a ground with rounded corners."""
    size = f'viewBox="0 0 {width} {height}" width="{width}" height="{height}"'
    return "\n".join(
        [
            f'<svg xmlns="http://www.w3.org/2000/svg" {size}>',
            f"<title>{escape(title)}</title>",
            f"<style>{STYLE}</style>",
            f'<rect class="ground" x="0.5" y="0.5" width="{width - 1}" height="{height - 1}" rx="8"/>',
            *elements,
            "</svg>\n",
        ]
    )


def text(x, y, content, style=""):
    """A line of text; ``style`` names classes of STYLE."""
    return f'<text x="{number(x)}" y="{number(y)}" class="{style}">{escape(content)}</text>'


def box(x, y, width, height, style, tip=""):
    """A rectangle; ``tip`` shows under the pointer."""
    size = f'x="{number(x)}" y="{number(y)}" width="{number(width)}" height="{number(height)}" class="{style}"'
    return f"<rect {size}><title>{escape(tip)}</title></rect>" if tip else f"<rect {size}/>"


def line(x1, y1, x2, y2, style="line"):
    """A straight line."""
    return f'<path d="M{number(x1)} {number(y1)}L{number(x2)} {number(y2)}" class="{style}"/>'


def number(x):
    """A coordinate, to a tenth of a pixel."""
    return f"{x:.1f}".removesuffix(".0")
