"""What a server process loads: the application, and a watch that ends the process when its parent is gone."""

import multiprocessing
import os
import signal
import threading

from litestar import Litestar

from app.factory import create_app


def create_worker_app() -> Litestar:
    """Return the application with the settings of the environment."""
    threading.Thread(target=_follow_parent, daemon=True).start()
    return create_app()


def _follow_parent() -> None:
    """End this process in order when its parent was killed: it would keep the port from the next start."""
    parent = multiprocessing.parent_process()
    if parent is not None:
        parent.join()
        os.kill(os.getpid(), signal.SIGTERM)
