"""`python -m services.projections {ledger,book,withdrawals,all}`."""

import sys

from services.projections.main import run

if __name__ == "__main__":
    sys.exit(run())
