"""Notes: where they come from, how they are stored, and how they reach training."""
