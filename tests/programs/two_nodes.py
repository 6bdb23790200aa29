"""One training on two machines, one of which is lost: torchrun in two network namespaces.

Each namespace has a network of its own, and nothing but a cable between the two. The training runs
on both, loses the second one, ends on the first with an error, and is continued from its last
snapshot by the same command with `-snapshot`. Linux, and root or user namespaces; 30 seconds.

    python tests/programs/two_nodes.py FOLDER SOLVER

The solver is a file of the folder, on which both machines work, as on a shared file system. It must
take snapshots, and train for longer than it takes to lose a machine.
"""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

ADDRESSES = ("10.77.0.1", "10.77.0.2")
DEVICE = "i2cnn0"
PATIENCE = 300  # seconds


def make_nodes() -> list[int]:
    """Two namespaces with a cable between them; returns a process in each."""
    holders = []
    for _ in ADDRESSES:
        process = subprocess.Popen(["unshare", "--net", "sleep", "infinity"])
        holders.append(process.pid)
    time.sleep(0.5)
    ends = [word for pid in holders for word in ("name", DEVICE, "netns", str(pid))]
    run(["ip", "link", "add", *ends[:4], "type", "veth", "peer", *ends[4:]])
    for pid, address in zip(holders, ADDRESSES, strict=True):
        for words in (
            f"addr add {address}/24 dev {DEVICE}",
            f"link set {DEVICE} up",
            "link set lo up",
        ):
            run([*inside(pid), "ip", *words.split()])
    return holders


def inside(pid: int) -> list[str]:
    """Words that let a command run in a process's namespace."""
    return ["nsenter", "--target", str(pid), "--net"]


def run(words: list[str]) -> None:
    """Run a command that must succeed."""
    subprocess.run(words, check=True)


def start(holders: list[int], folder: Path, solver: str, *more: str) -> list[subprocess.Popen[str]]:
    """What the two machines are told: the same command, but for the machine's number."""
    nodes = []
    for rank, pid in enumerate(holders):
        words = ["-m", "torch.distributed.run", "--nnodes=2", f"--node-rank={rank}"]
        words += [f"--master-addr={ADDRESSES[0]}", "--master-port=29500", "--nproc-per-node=1"]
        words += ["-m", "i2cnn.torchcaffe", "train", "-solver", solver, *more]
        nodes.append(
            subprocess.Popen(
                [*inside(pid), sys.executable, *words],
                cwd=folder,
                # Which network the machines share; without it gloo asks what the host's name means.
                env={**os.environ, "GLOO_SOCKET_IFNAME": DEVICE, "OMP_NUM_THREADS": "1"},
                stderr=subprocess.PIPE,
                text=True,
                start_new_session=True,
            )
        )
    return nodes


def follow(process: subprocess.Popen[str], *words: str) -> str:
    """Print a process's log up to the line with one of some words, or to its end."""
    assert process.stderr is not None
    for line in process.stderr:
        if line.startswith(("I", "E", "F", "i2cnn")):
            print("  " + line.rstrip(), flush=True)
        if any(word in line for word in words):
            return line
    return ""


def children_of(node: subprocess.Popen[str]) -> list[int]:
    """What torchrun started on a machine."""
    path = Path(f"/proc/{node.pid}/task/{node.pid}/children")
    return [int(pid) for pid in path.read_text().split()]


def lose(node: subprocess.Popen[str]) -> None:
    """All of a machine's processes end at once, without a word."""
    for pid in (*children_of(node), node.pid):
        os.kill(pid, signal.SIGKILL)


def main() -> None:
    """Train on two machines, lose one, continue."""
    folder, solver = Path(sys.argv[1]).resolve(), sys.argv[2]
    if "TWO_NODES" not in os.environ:
        # As root of namespaces of our own, whose processes end with this one.
        words = ["unshare", "--user", "--map-root-user", "--net", "--pid", "--fork", "--kill-child"]
        words += ["--mount-proc", sys.executable, __file__, str(folder), solver]
        sys.exit(subprocess.call(words, env={**os.environ, "TWO_NODES": "1"}, timeout=PATIENCE))
    holders = make_nodes()
    print("two nodes, the second one is lost after a snapshot:")
    nodes = start(holders, folder, solver)
    assert follow(nodes[0], "Snapshotting solver state"), "no snapshot was taken"
    lose(nodes[1])
    follow(nodes[0])
    status = nodes[0].wait()
    print(f"the first one ended with status {status}")
    state = max(folder.rglob("*.solverstate"), key=lambda path: path.stat().st_mtime)
    print(f"both again, with -snapshot {state.relative_to(folder)}:")
    nodes = start(holders, folder, solver, "-snapshot", str(state.relative_to(folder)))
    resumed = follow(nodes[0], "Iteration")
    os.kill(children_of(nodes[0])[0], signal.SIGINT)
    follow(nodes[0])
    ended = [node.wait() for node in nodes]
    print(f"resumed at: {resumed.strip()}; stopped by SIGINT with statuses {ended}")
    sys.exit(0 if status and resumed and ended == [0, 0] else 1)


if __name__ == "__main__":
    main()
