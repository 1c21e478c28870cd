"""SVG elements as safe markup: every attribute and text is escaped here, and nowhere else is SVG put together."""

from markupsafe import Markup, escape

Value = str | int | float


def element(name: str, *children: str | Markup, **attributes: Value | None) -> Markup:
    """`element("line", x1=0, class_="lane")` -> `<line x1="0" class="lane"/>`; None leaves an attribute out."""
    written = "".join(
        f' {key.rstrip("_").replace("_", "-")}="{escape(_value(value))}"'
        for key, value in attributes.items()
        if value is not None
    )
    inner = "".join(escape(child) for child in children)
    return Markup(f"<{name}{written}>{inner}</{name}>") if inner else Markup(f"<{name}{written}/>")


def _value(value: Value) -> str:
    return f"{value:.2f}".rstrip("0").rstrip(".") if isinstance(value, float) else str(value)
