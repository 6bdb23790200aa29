"""Uses a recogniser, then forks while another thread uses it: `forking_server.py MODEL`.

Prints the child's answer beside the parent's. As a web server that loads before it forks.
"""

from __future__ import annotations

import os
import signal
import sys
import threading

import torch

from i2cnn.datasets import embedded_root
from i2cnn.recogniser.recogniser import Recogniser
from i2cnn.util.images import read_image

torch.set_num_threads(2)  # OpenMP's threads are what a child lacks
picture = read_image(sorted(embedded_root().glob("*.png"))[0])
recogniser = Recogniser(sys.argv[1], device="cpu")
first = recogniser.predict(picture)[0]
stopped = threading.Event()


def serve() -> None:
    while not stopped.is_set():
        recogniser.predict(picture)


server = threading.Thread(target=serve)
server.start()
stopped.wait(0.2)
for _ in range(3):
    child = os.fork()
    if child == 0:
        signal.alarm(30)  # where it hangs
        again = recogniser.predict(picture)[0]
        same = all(abs(again.scores[k] - v) < 1e-5 for k, v in first.scores.items())
        os._exit(0 if same and again.label == first.label else 1)
    _, status = os.waitpid(child, 0)
    print(os.waitstatus_to_exitcode(status))
stopped.set()
server.join()
