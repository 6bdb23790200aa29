"""Writes the tables of docs/torchcaffe.md from the code and the golden cases.

With --check, only reports whether the page is up to date.

Layers come from the registry, with the options that recorded cases set; names from the pycaffe
module; flags from the command's own help. The text between the markers is replaced.
"""

from __future__ import annotations

import argparse
import importlib.util
import json
import sys
from collections import defaultdict
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

from i2cnn.torchcaffe import flags, pycaffe
from i2cnn.torchcaffe.formats.prototext import parse
from i2cnn.torchcaffe.layers import REGISTRY
from i2cnn.torchcaffe.proto import NetParameter

ROOT = Path(__file__).parents[1]
PAGE = ROOT / "docs" / "torchcaffe.md"
GOLDEN = ROOT / "tests" / "golden"

#: Tests of layers, or of options, that no recorded net of genuine Caffe contains.
ELSEWHERE = {
    "Split": "nets add it themselves: golden/nets",
    "DummyData": "shape, num/channels/height/width, data_filler: recorded draws, test_layers.py",
    "HDF5Output": "file_name: data sets as genuine Caffe's, test_rest.py",
    "Data": "backend LEVELDB: test_leveldb.py, `make conformance`",
    "Pooling": "pool STOCHASTIC, which genuine Caffe only has on a GPU: test_rest.py",
}
#: Entry of a layer without any recorded case.
NOT_RECORDED = "NOT RECORDED"

#: Names of a Blob that pycaffe has too; the others are for layers.
BLOB = ("data", "diff", "shape", "count", "num", "channels", "height", "width", "reshape")


def recorded_nets() -> Iterator[str]:
    """Prototxt of every net that numbers were recorded with."""
    for name, key in (("layers/layers", "prototxt"), ("nets/nets", "prototxt")):
        for case in json.loads((GOLDEN / f"{name}.json").read_text()).values():
            yield case[key]
    for name in ("rest", "more"):
        yield from json.loads((GOLDEN / f"layers/{name}.json").read_text()).values()
    yield (GOLDEN / "layers/python.prototxt").read_text()
    for case in json.loads((GOLDEN / "data_layer.json").read_text()).values():
        yield case["prototxt"]
    for case in json.loads((GOLDEN / "solvers/solvers.json").read_text()).values():
        yield case["net"]
    yield from json.loads((GOLDEN / "ops.json").read_text()).values()
    for path in (*GOLDEN.glob("tiny*.prototxt"), GOLDEN / "seeded/train_val.prototxt"):
        yield path.read_text()
    spec = importlib.util.spec_from_file_location("sources", GOLDEN / "sources/program.py")
    assert spec is not None
    assert spec.loader is not None
    sources = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(sources)
    yield from (sources.IMAGES % case for case in sources.CASES.values())
    yield from (sources.WINDOWS % case for case in sources.WINDOW_CASES.values())
    yield from (sources.HDF5, sources.MEMORY)


def options() -> dict[str, dict[str, set[str]]]:
    """Options set in recorded nets: by layer type and option, the enum values among them."""
    found: dict[str, dict[str, set[str]]] = defaultdict(lambda: defaultdict(set))
    for text in recorded_nets():
        for layer in parse(text, NetParameter(), "recorded net").layer:
            mine = found[layer.type]
            for field, value in layer.ListFields():
                if field.name in ("loss_weight", "propagate_down"):
                    _ = mine[field.name]
                elif field.name.endswith("_param"):
                    for option, content in value.ListFields():
                        mine[option.name] |= _enum_names(option, content)
            if set(layer.top) & set(layer.bottom):
                _ = mine["in place"]
    return found


def _enum_names(field: Any, value: Any) -> set[str]:
    return {field.enum_type.values_by_number[value].name} if field.enum_type else set()


def layer_table() -> str:
    """One row per registered type."""
    found = options()
    lines = [
        "| layer | what | options in cases recorded from genuine Caffe |",
        "| --- | --- | --- |",
    ]
    for name in sorted(REGISTRY):
        what = (REGISTRY[name].__doc__ or "").strip().splitlines()[0].replace("|", r"\|")
        words = [
            f"{option} {'/'.join(sorted(values))}".strip()
            for option, values in sorted(found.get(name, {}).items())
        ]
        tested = "; ".join(filter(None, (", ".join(words), ELSEWHERE.get(name))))
        if not tested:
            tested = "no options" if name in found else NOT_RECORDED
        lines.append(f"| {name} | {what} | {tested} |")
    return "\n".join(lines)


def api_table() -> str:
    """Public names of the pycaffe module and of its objects."""
    net = {name for name in dir(pycaffe.Net) if name[0] != "_"}
    solver = {name for name in dir(pycaffe.SGDSolver) if name[0] != "_"}
    rows: list[tuple[str, Iterable[str]]] = [
        ("module", pycaffe.__all__),
        ("Net", net),
        ("Classifier, besides", {n for n in dir(pycaffe.Classifier) if n[0] != "_"} - net),
        ("solvers", solver | {"net", "test_nets"}),
        ("Blob", BLOB),
        ("io.Transformer", {n for n in dir(pycaffe.io.Transformer) if n[0] != "_"}),
    ]
    functions = [
        name
        for name, value in vars(pycaffe.io).items()
        if getattr(value, "__module__", "") == pycaffe.io.__name__ and not name.startswith("_")
    ]
    rows.append(("io", functions))
    lines = ["| of | names |", "| --- | --- |"]
    lines += [f"| {of} | {', '.join(f'`{n}`' for n in sorted(names))} |" for of, names in rows]
    return "\n".join(lines)


def flags_text() -> str:
    """The command's own help."""
    return f"```text\n{flags.USAGE.rstrip()}\n```"


def described(page: str) -> str:
    """The page with its tables regenerated."""
    for name, text in (("layers", layer_table()), ("api", api_table()), ("flags", flags_text())):
        before, _, rest = page.partition(f"<!-- {name} -->\n")
        _, _, after = rest.partition(f"<!-- end of {name} -->\n")
        page = f"{before}<!-- {name} -->\n{text}\n<!-- end of {name} -->\n{after}"
    return page


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument(
        "--check", action="store_true", help="fail if the page does not match the code"
    )
    check = parser.parse_args().check
    page = PAGE.read_text()
    wanted = described(page)
    if check and page != wanted:
        print(f"{PAGE} does not match the code: run {sys.argv[0]}", file=sys.stderr)
        return 1
    if page != wanted:
        PAGE.write_text(wanted)
    return 0


if __name__ == "__main__":
    sys.exit(main())
