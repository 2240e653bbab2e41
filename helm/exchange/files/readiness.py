"""What `helm test` runs inside the cluster: every address answers within its deadline."""

import sys

import httpx

ADDRESSES = (
    "http://user:8080/readyz/exchange",
    "http://order:8080/readyz",
    "http://market-data:8080/api/v3/ping",
)

failed = False
for address in ADDRESSES:
    try:
        answer = httpx.get(address, timeout=10.0, trust_env=False)
        problem = None if answer.status_code == 200 else f"{answer.status_code} {answer.text[:500]}"
    except httpx.HTTPError as error:
        problem = f"does not answer: {error!r}"
    print(f"{address}: {problem or 'ok'}")
    failed = failed or problem is not None
sys.exit(failed)
