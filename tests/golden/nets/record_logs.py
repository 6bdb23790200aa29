"""Records what genuine Caffe 1.0 logs while it builds the nets of nets.json, without its stamps."""

import gzip
import json
import os
import re
import tempfile

import caffe

caffe.set_mode_cpu()
LOGS = {}
with open("nets.json") as file:
    NETS = json.load(file)
stderr = os.dup(2)
for case, facts in NETS.items():
    name, phase = case.split("/")
    with open("net.prototxt", "w") as file:
        file.write(facts["prototxt"])
    staged = name == "stages"
    with tempfile.TemporaryFile("w+") as file:
        os.dup2(file.fileno(), 2)
        caffe.Net(
            "net.prototxt",
            phase=getattr(caffe, phase),
            level=int(staged),
            stages=["deploy"] if staged else None,
        )
        os.dup2(stderr, 2)
        file.seek(0)
        text = file.read()
    os.remove("net.prototxt")
    lines = [re.sub(r"^[IWE]\d{4} \S+ +\d+ ", "", line) for line in text.splitlines()]
    LOGS[case] = [line for line in lines if not line.startswith("WARNING: Logging before")]
with gzip.GzipFile("logs.json.gz", "wb", mtime=0) as file:
    file.write(json.dumps(LOGS, indent=0).encode())
