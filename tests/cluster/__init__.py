"""The charts on a real Kubernetes control plane: `make cluster-test`.

Not part of `make test`: it needs Go once, for half an hour, and nine minutes of its own each time.
"""
