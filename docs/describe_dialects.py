"""Writes the table of docs/dialects.md from the registered layers of forks."""

from __future__ import annotations

from pathlib import Path

from i2cnn.torchcaffe.dialects import DIALECTS, FIRST_FIELD
from i2cnn.torchcaffe.proto import (
    DropoutParameter,
    LayerParameter,
    LossParameter,
    PoolingParameter,
)
from i2cnn.torchcaffe.pycaffe.net_spec import param_name_dict

PAGE = Path(__file__).parents[1] / "docs" / "dialects.md"
#: Messages of Caffe's own layers with fields of forks: whose they are, and what they do.
FIELDS = (
    (PoolingParameter, "several forks", "Sizes round down if false, up if true."),
    (
        DropoutParameter,
        "SegNet (alexgkendall/caffe-segnet)",
        "Draws in phase TEST, too, for the uncertainty of Bayesian SegNet.",
    ),
    (
        LossParameter,
        "SegNet (alexgkendall/caffe-segnet)",
        "Multiplies each label's loss by its class's weight; the divisor stays what it is.",
    ),
)
LAYERS = {"Loss": "SoftmaxWithLoss"}
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
    for owner, fork, what in FIELDS:
        names = ", ".join(f.name for f in owner.DESCRIPTOR.fields if f.number >= FIRST_FIELD)
        layer = owner.DESCRIPTOR.name.removesuffix("Parameter")
        lines.append(f"| {LAYERS.get(layer, layer)} | {fork} | {what} | {names} |")
    return "\n".join(lines)


def described(page: str) -> str:
    """The page with its table generated again."""
    before, _, rest = page.partition(START)
    _, _, after = rest.partition(END)
    return f"{before}{START}{table()}\n{END}{after}"


if __name__ == "__main__":
    PAGE.write_text(described(PAGE.read_text(encoding="utf-8")), encoding="utf-8")
