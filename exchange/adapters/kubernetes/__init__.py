"""The lease that Kubernetes keeps."""
