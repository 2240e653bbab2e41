"""The charts on a real Kubernetes control plane: `make cluster-test`.

Not part of `make test`: it needs Go once, for ten minutes and more, and three minutes of its own each time.
"""
