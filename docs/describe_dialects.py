"""Writes the table of docs/dialects.md from the registered layers of forks."""

from __future__ import annotations

from pathlib import Path

from i2cnn.torchcaffe.dialects import DIALECTS, FIRST_FIELD
from i2cnn.torchcaffe.proto import LayerParameter, PoolingParameter
from i2cnn.torchcaffe.pycaffe.net_spec import param_name_dict

PAGE = Path(__file__).parents[1] / "docs" / "dialects.md"
START, END = "<!-- dialects -->\n", "<!-- end of dialects -->\n"


def _settings(name: str) -> str:
    """Settings of a type of layer in the message that is named after it."""
    field = LayerParameter.DESCRIPTOR.fields_by_name.get(f"{param_name_dict().get(name)}_param")
    message = field.message_type if field else None
    return ", ".join(one.name for one in message.fields) if message else ""


def table() -> str:
    """A row for each layer that ships, and one for each field of Caffe's own layers."""
    lines = ["| layer | fork | what | settings |", "| --- | --- | --- | --- |"]
    for name, dialect in sorted(DIALECTS.items()):
        if dialect.layer.__module__.startswith("i2cnn."):
            what = " ".join((dialect.layer.__doc__ or "").split()).replace("|", r"\|")
            lines.append(f"| {name} | {dialect.fork} | {what} | {_settings(name)} |")
    fields = PoolingParameter.DESCRIPTOR.fields
    names = ", ".join(field.name for field in fields if field.number >= FIRST_FIELD)
    lines.append(f"| Pooling | several forks | Sizes round down if false, up if true. | {names} |")
    return "\n".join(lines)


def described(page: str) -> str:
    """The page with its table generated again."""
    before, _, rest = page.partition(START)
    _, _, after = rest.partition(END)
    return f"{before}{START}{table()}\n{END}{after}"


if __name__ == "__main__":
    PAGE.write_text(described(PAGE.read_text(encoding="utf-8")), encoding="utf-8")
