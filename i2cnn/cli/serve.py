"""`i2cnn serve`: the page and the REST endpoint that name expressions."""

from __future__ import annotations

import argparse

from i2cnn.models import FOR_A_PICTURE
from i2cnn.pages import check_installed
from i2cnn.recogniser.recogniser import Recogniser


def serve(options: argparse.Namespace) -> int:
    """Serve until Ctrl-C."""
    check_installed()
    from i2cnn.pages.guard import App
    from i2cnn.pages.listen import bound_socket, serve_until_stopped
    from i2cnn.pages.predict import predict_app

    name = options.model or FOR_A_PICTURE

    def make_app() -> App:
        recogniser = Recogniser(name, options.engine, options.device, options.whole)
        app: App = predict_app(recogniser, name)
        return app

    with bound_socket(options.host, options.port) as listener:
        serve_until_stopped(listener, make_app)
    return 0
