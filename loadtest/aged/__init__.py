"""An exchange of five years: rows in its shape, services started on them, what their requests cost."""
