"""The REST endpoint of `i2cnn serve`."""

from __future__ import annotations

import http.client
import io
import json
import socket
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from types import SimpleNamespace
from typing import Any
from urllib.parse import quote, urlsplit

import pytest
from PIL import Image

from i2cnn.cli.main import main
from i2cnn.datasets import embedded_root
from i2cnn.recogniser.recogniser import Recogniser
from i2cnn.util.errors import InputError
from tests.helpers.pages import request, serving
from tests.pages.conftest import FACE

Output = pytest.CaptureFixture[str]
PNG = {"Content_Type": "image/png"}
CONTENT = (embedded_root() / FACE).read_bytes()


@pytest.fixture(scope="module")
def recogniser() -> Recogniser:
    """Sees one face in every picture."""
    return Recogniser("smile", whole=True)


@pytest.fixture(scope="module")
def url(recogniser: Recogniser) -> Iterator[str]:
    from i2cnn.pages.predict import predict_app

    with serving(predict_app(recogniser, "smile")) as url:
        yield url


@pytest.fixture
def served(monkeypatch: pytest.MonkeyPatch) -> Iterator[Any]:
    """Serves a recogniser that does what a test says, with the limits that it says."""
    from i2cnn.pages import predict

    running = []

    def serve(work: Any, **limits: float) -> str:
        for name, value in limits.items():
            monkeypatch.setattr(predict, name, value)
        bundle = SimpleNamespace(folder=Path("nowhere"))
        double = SimpleNamespace(predict=work, labels=("a",), bundle=bundle)
        running.append(serving(predict.predict_app(double, "double")))
        return running[-1].__enter__()

    yield serve
    for server in running:
        server.__exit__(None, None, None)


def test_a_picture_is_answered_as_in_python(url: str, recogniser: Recogniser) -> None:
    status, answer = request(
        url, "POST", f"/api/predict?explain=true&file={quote('a ü.png')}", CONTENT, **PNG
    )
    assert (status, answer["file"], answer["warnings"]) == (200, "a ü.png", [])
    (expected,) = recogniser.predict(embedded_root() / FACE)
    (face,) = answer["faces"]
    patches = face.pop("explanation")["patches"]
    known = json.loads(json.dumps(expected.to_dict()))
    assert {p["name"]: p["vote"] for p in patches} == known["patches"]
    assert face == {"face": 1, "warnings": []} | {k: known[k] for k in face.keys() & known.keys()}
    assert (answer["width"], answer["height"]) == Image.open(embedded_root() / FACE).size


def test_a_patch_lies_around_its_landmark(url: str) -> None:
    _, answer = request(url, "POST", "/api/predict?explain=true", CONTENT, **PNG)
    face = answer["faces"][0]
    patches = face["explanation"]["patches"]
    (corners,) = [p["corners"] for p in patches if p["name"] == "nose_1"]
    middle = [sum(corner[axis] for corner in corners) / 4 for axis in (0, 1)]
    assert middle == pytest.approx(face["points"][2], abs=1e-6)


def test_fifty_requests_at_a_time_are_all_answered(url: str) -> None:
    with ThreadPoolExecutor(50) as pool:
        names = [f"{number}.png" for number in range(50)]
        answers = pool.map(
            lambda name: request(url, "POST", f"/api/predict?file={name}", CONTENT, **PNG), names
        )
        found = [(status, answer["file"], len(answer["faces"])) for status, answer in answers]
    assert found == [(200, name, 1) for name in names]


def test_a_bounded_number_of_bodies_is_read_at_a_time(
    served: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("i2cnn.pages.turns.available_cores", lambda: 2)
    lock, inside, most = threading.Lock(), 0, 0

    def work(image: Any) -> list[Any]:
        nonlocal inside, most
        with lock:
            inside += 1
            most = max(most, inside)
        time.sleep(0.01)
        with lock:
            inside -= 1
        return []

    url = served(work)
    with ThreadPoolExecutor(20) as pool:
        found = list(
            pool.map(lambda _: request(url, "POST", "/api/predict", CONTENT, **PNG)[0], range(20))
        )
    assert found == [200] * 20
    assert most <= 2


@pytest.mark.parametrize(
    ("body", "headers", "status", "reason"),
    [
        (b"no picture", PNG, 400, "x.png: not a picture that can be read"),
        (b"", PNG, 400, "x.png: the file is empty"),
        (b"%!PS-Adobe", PNG, 400, "x.png: is PostScript, a program, which is not run"),
        (CONTENT[:3000], PNG, 400, "x.png: cannot be read"),
        (CONTENT, {"Content_Type": "text/plain"}, 415, "the content type must be image/*"),
        (CONTENT, PNG | {"Origin": "http://evil.example"}, 403, "comes from another site"),
        (CONTENT, PNG | {"Host": "evil.example"}, 403, "names another host"),
    ],
)
def test_what_cannot_be_used_is_refused(
    url: str, body: bytes, headers: dict[str, str], status: int, reason: str
) -> None:
    found, answer = request(url, "POST", "/api/predict?file=x.png", body, **headers)
    assert found == status
    assert reason in answer["error"]
    assert "/proc/" not in answer["error"]


def test_a_large_body_is_refused_before_it_comes(url: str) -> None:
    with socket.create_connection(urlsplit(url).netloc.split(":")) as connection:
        connection.sendall(
            b"POST /api/predict HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Type: image/png\r\n"
            b"Content-Length: 20000001\r\n\r\n"
        )
        assert connection.recv(100).startswith(b"HTTP/1.1 413 ")


def test_a_large_body_of_unknown_length_is_refused(served: Any) -> None:
    url = served(lambda image: [], MOST_BYTES=1000)
    with socket.create_connection(urlsplit(url).netloc.split(":")) as connection:
        connection.sendall(
            b"POST /api/predict HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Type: image/png\r\n"
            b"Transfer-Encoding: chunked\r\n\r\n800\r\n" + bytes(0x800) + b"\r\n"
        )
        assert connection.recv(100).startswith(b"HTTP/1.1 413 ")


def test_a_picture_of_many_pixels_is_refused(url: str) -> None:
    content = io.BytesIO()
    Image.new("1", (6000, 5000)).save(content, "png")
    status, answer = request(url, "POST", "/api/predict?file=x.png", content.getvalue(), **PNG)
    assert status == 400
    assert answer["error"] == "x.png: 6000x5000 is above the limit of 25 megapixels; scale it down"


def test_a_body_that_does_not_come_is_given_up(served: Any) -> None:
    url = served(lambda image: [], BODY_SECONDS=0.05)
    with socket.create_connection(urlsplit(url).netloc.split(":")) as connection:
        connection.sendall(
            b"POST /api/predict HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Type: image/png\r\n"
            b"Content-Length: 100\r\n\r\nabc"
        )
        assert connection.recv(100).startswith(b"HTTP/1.1 408 ")
    assert request(url, "POST", "/api/predict", CONTENT, **PNG)[0] == 200


def test_long_work_is_told_and_keeps_its_turn(served: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("i2cnn.pages.turns.available_cores", lambda: 1)
    end = threading.Event()
    url = served(lambda image: end.wait(20) and [], WORK_SECONDS=0.05, WAIT_SECONDS=0.05)
    try:
        assert request(url, "POST", "/api/predict", CONTENT, **PNG)[0] == 504
        assert request(url, "POST", "/api/predict", CONTENT, **PNG)[0] == 503
    finally:
        end.set()
    end.clear()
    end.set()
    statuses = {request(url, "POST", "/api/predict", CONTENT, **PNG)[0] for _ in range(5)}
    assert 200 in statuses


def test_unforeseen_errors_say_nothing_of_the_server(
    served: Any, capsys: Output, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))

    def fail(image: Any) -> None:
        raise RuntimeError("secret")

    status, answer = request(served(fail), "POST", "/api/predict", CONTENT, **PNG)
    assert status == 500
    assert "secret" not in answer["error"]
    assert "RuntimeError: secret" in capsys.readouterr().err


def test_an_animation_s_further_frames_are_told(url: str) -> None:
    content = io.BytesIO()
    face = Image.open(embedded_root() / FACE).convert("L")
    face.save(content, "gif", save_all=True, append_images=[face.rotate(2)])
    status, answer = request(
        url, "POST", "/api/predict?file=x.gif", content.getvalue(), Content_Type="image/gif"
    )
    assert status == 200
    assert answer["warnings"] == ["x.gif: only the first frame of 2 is read"]


def test_nothing_is_stored(url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Not even in the folder of temporary files; and no file in memory stays open."""
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    monkeypatch.chdir(tmp_path)
    request(url, "POST", "/api/predict", CONTENT, **PNG)
    links = [path.readlink() for path in Path("/proc/self/fd").iterdir() if path.is_symlink()]
    assert [link for link in links if "memfd:i2cnn" in str(link)] == []
    assert list(tmp_path.iterdir()) == []


def test_the_endpoint_describes_itself(url: str) -> None:
    status, api = request(url, "GET", "/openapi.json")
    assert status == 200
    assert set(api["paths"]) == {"/api/predict", "/api/model"}
    status, page = request(url, "GET", "/api")
    assert status == 200
    here = f"{url.rstrip('/')}/api/predict?file=photo.jpg"
    for word in (here, "image/*", "list of Face", "corners"):
        assert word in page


def test_answers_have_headers_that_keep_other_sites_out(url: str) -> None:
    connection = http.client.HTTPConnection(urlsplit(url).netloc)
    connection.request("GET", "/")
    headers = connection.getresponse().headers
    assert "default-src 'none'" in headers["content-security-policy"]
    assert "frame-ancestors 'none'" in headers["content-security-policy"]
    assert headers["cache-control"] == "no-store"
    assert "access-control-allow-origin" not in headers


def test_a_port_in_use_is_an_error(capsys: Output) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        assert main(["serve", f"--port={port}"]) == 1
    assert f"127.0.0.1:{port}: cannot be listened on (Address already in use)" in (
        capsys.readouterr().err
    )


def test_missing_packages_are_told(capsys: Output, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    assert main(["serve"]) == 1
    assert "fastapi, uvicorn missing; pip install 'i2cnn[serve]'" in capsys.readouterr().err


def test_a_wrong_host_is_an_error() -> None:
    from i2cnn.pages.listen import bound_socket

    with pytest.raises(InputError, match=r"invalid:0: cannot be listened on"):
        bound_socket("no.such.host.invalid", 0)
