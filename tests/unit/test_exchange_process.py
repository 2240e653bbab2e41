"""An exchange that a tool or a test has started: it ends with its owner, and with nothing less."""

import shutil
import subprocess
import sys
import time
from pathlib import Path

import psutil
import pytest

pytestmark = pytest.mark.slow

DEADLINE_S = 30.0
# Says that it is ready, and nothing else.
SERVER = """
import http.server, os
class Ready(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        self.send_response(200)
        self.end_headers()
http.server.HTTPServer(("127.0.0.1", int(os.environ["PORT"])), Ready).serve_forever()
"""
# Starts it in a thread that ends, as `asyncio.to_thread` does, and stays.
OWNER = f"""
import os, sys, threading, time
from pathlib import Path
from local.exchange_process import ExchangeProcess

class Exchange(ExchangeProcess):
    def _command(self):
        return [sys.executable, "-c", {SERVER!r}]

exchange = Exchange("run")
os.umask(0o027)
starting = threading.Thread(target=exchange.start)
starting.start()
task = Path("/proc/self/task", str(starting.native_id))
starting.join()
while task.exists():
    time.sleep(0.01)
exchange.wait_ready({DEADLINE_S})
print(exchange.pid, exchange.data_dir, flush=True)
sys.stdin.read()
"""


def has_ended(process: psutil.Process) -> bool:
    """Nobody may reap it: a zombie has ended too."""
    try:
        return not process.is_running() or process.status() == psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return True


@pytest.mark.skipif(sys.platform != "linux", reason="elsewhere nothing ends with its parent")
def test_an_exchange_outlives_the_thread_that_started_it_and_ends_with_the_process() -> None:
    with subprocess.Popen(
        [sys.executable, "-c", OWNER], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as owner:
        try:
            assert owner.stdout is not None
            pid, folder = owner.stdout.readline().split()
            exchange = psutil.Process(int(pid))
            # As a person's own start has it: what the exchange writes has the rights that it will have there.
            assert "Umask:\t0027" in Path(f"/proc/{pid}/status").read_text(encoding="ascii").splitlines()
        finally:
            owner.kill()
    try:
        give_up = time.monotonic() + DEADLINE_S
        while not has_ended(exchange):
            assert time.monotonic() < give_up, "the exchange goes on without its owner"
            time.sleep(0.02)
    finally:
        if not has_ended(exchange):
            exchange.kill()
        shutil.rmtree(folder)
