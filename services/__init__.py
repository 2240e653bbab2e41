"""Components over ports. They never import each other, and meet the engine on the logs."""
