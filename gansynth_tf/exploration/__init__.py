"""Finding one's way in latent space: named directions, the latent of a recorded note, the nearest training notes."""
