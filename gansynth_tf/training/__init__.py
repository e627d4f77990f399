"""Training: one update, the loop around it, checkpoints and reports."""
