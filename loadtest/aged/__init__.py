"""An exchange of five years: its tables filled, services on them, what requests cost."""
