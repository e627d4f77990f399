"""The systems that GANSynth was compared with, each its own network."""
