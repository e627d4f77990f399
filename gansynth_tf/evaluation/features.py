"""Notes as vectors in log-spectrogram space, where Engel et al. 2019 cluster them; small enough to keep 12,800 of them.

A log-mel spectrogram of 64 bands in 32 equal stretches of time, in decibels under the note's loudest point. Levels do
not matter here: evaluation/levels.py reports those.
"""

import numpy as np

from gansynth_tf import compiled

_NUM_MELS = 64
_NUM_STRETCHES = 32
_WINDOW_SECONDS = 0.064
_RANGE_DB = 80.0


def note_vectors(waves: np.ndarray, sample_rate: int) -> np.ndarray:
    """Computes a vector for each note.

    Args:
        waves: [batch, samples]; samples that are not finite count as zero.
        sample_rate: Samples per second.

    Returns:
        float32 [batch, 2048], from -80 to 0 dB; a silent note is -80 everywhere.

    Raises:
        ValueError: If waves are not [batch, samples].
    """
    librosa = compiled.load_librosa()
    waves = np.nan_to_num(np.asarray(waves, np.float32), nan=0.0, posinf=0.0, neginf=0.0)
    if waves.ndim != 2 or not waves.shape[1]:
        raise ValueError(f"Expected waves [batch, samples]. Received shape: {waves.shape}")
    window = 2 ** round(np.log2(_WINDOW_SECONDS * sample_rate))
    waves = np.pad(waves, ((0, 0), (0, max(window - waves.shape[1], 0))))
    # At least as many frames as stretches, whatever the length.
    hop = max(1, min(window // 4, waves.shape[1] // (2 * _NUM_STRETCHES)))
    filters = librosa.filters.mel(sr=sample_rate, n_fft=window, n_mels=_NUM_MELS)
    vectors = [_vector(wave, window, hop, filters) for wave in waves]
    return np.reshape(vectors, [len(waves), _NUM_MELS * _NUM_STRETCHES]).astype(np.float32)


def _vector(wave: np.ndarray, window: int, hop: int, filters: np.ndarray) -> np.ndarray:
    """[mels, stretches] of one note."""
    librosa = compiled.load_librosa()
    power = np.abs(librosa.stft(wave, n_fft=window, hop_length=hop, pad_mode="constant")) ** 2
    edges = np.linspace(0, power.shape[1], _NUM_STRETCHES + 1).round().astype(int)
    mels = filters @ (np.add.reduceat(power, edges[:-1], axis=1) / np.diff(edges))
    loudest = mels.max()
    if loudest < 1e-10:
        return np.full(mels.shape, -_RANGE_DB)
    return 10 * np.log10(np.maximum(mels / loudest, 10 ** (-_RANGE_DB / 10)))
