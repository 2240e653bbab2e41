"""`make mails` beside a running exchange: a forgotten password is set anew by the mail in the folder."""

import os
import re
import subprocess
import sys
import time
from pathlib import Path

import httpx
import pytest

from local.exchange_process import ExchangeProcess

pytestmark = [pytest.mark.integration, pytest.mark.slow, pytest.mark.timeout(300)]
ROOT = Path(__file__).parents[2]
WAIT_S = 60.0
EMAIL = "forgetful@example.com"
LINK = re.compile(r"/terminal/#reset=([A-Za-z0-9_-]{43})")


def mails(exchange: ExchangeProcess) -> str:
    done = subprocess.run(
        [sys.executable, "-m", "local", "mails", "--count", "100"],
        cwd=ROOT,
        env={**os.environ, "DATA_DIR": str(exchange.data_dir)},
        capture_output=True,
        text=True,
        timeout=60,
        check=True,
    )
    return done.stdout


@pytest.mark.thorough_for("stack")
def test_a_forgotten_password_is_set_anew_by_the_mail_in_the_folder(exchange: ExchangeProcess) -> None:
    with httpx.Client(base_url=exchange.url, trust_env=False, timeout=20.0) as client:
        made = client.post("/v1/users", json={"email": EMAIL, "password": "correct horse battery"})
        assert made.status_code == 201
        assert client.post("/v1/password-resets", json={"email": EMAIL}).status_code == 202
        give_up = time.monotonic() + WAIT_S
        while (link := LINK.search(mails(exchange))) is None:
            assert time.monotonic() < give_up
            time.sleep(0.2)
        wanted = {"email": EMAIL, "password": "another horse and battery"}
        body = {"token": link[1], "newPassword": wanted["password"]}
        assert client.post("/v1/password-resets/confirmations", json=body).status_code == 204
        assert client.post("/v1/sessions", json=wanted).status_code == 201
    assert f"to {EMAIL}" in mails(exchange)
