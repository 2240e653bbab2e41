"""The deterministic simulator: real code over memory adapters with faults, one seed = one interleaving."""
