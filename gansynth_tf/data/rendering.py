"""One note from a SoundFont (SoundFont 2.04): play it, check it, bring it to the set's rate, length and level.

Each note is played alone by a fresh synthesizer at 48 kHz, without reverb and chorus, so nothing of another note is in
it and nothing depends on the order. Playing directly at 16 kHz would alias.
"""

import io

import numpy as np

from gansynth_tf import audio, compiled, pitches

RENDER_RATE = 48000  # midirenderer's only one.
# midirenderer computes 64 samples at a time. One MIDI tick is half of that and events stand on odd ticks, so that
# rounding of event times cannot move an event to another block.
_TICKS_PER_SECOND = 2 * RENDER_RATE // 64
_MAX_LAYERS = 4  # Channels 0 to 3; drums are on 9.
_SILENT_PEAK = 1e-3
_FADE_SECONDS = 0.01
_HIGH_PASS_HZ = 20.0
_YIN_FRAME = 8192
_YIN_HIGHEST_HZ = 16000.0


def import_renderer():
    """The midirenderer module.

    Raises:
        ImportError: It is not installed.
    """
    try:
        import midirenderer
    except ImportError as error:
        raise ImportError("Rendering SoundFont notes needs midirenderer; run `pip install midirenderer`.") from error
    return midirenderer


def play_note(
    font: bytes, program: int, pitch: int, velocity: int, hold_seconds: float, seconds: float
) -> np.ndarray:
    """Plays one note.

    midirenderer's output has 16 bits and is quiet (a piano at velocity 25: a peak of 105 in 32768). So channels are at
    full volume, and soft notes are played by up to 4 channels at once, as many as keep them below velocity 127 under
    the SoundFont's square law: the sum is made in floating point, so only the rounding gets finer. Not more, because
    the synthesizer has 64 voices, and a preset may need several for a note.

    Args:
        font: A SoundFont file's bytes, from `sf2.remove_effects` for dry notes.
        program: General MIDI program from 0; the font must have it.
        pitch: MIDI pitch.
        velocity: MIDI velocity in 1..127.
        hold_seconds: When the key is released.
        seconds: Length.

    Returns:
        int16 [samples, 2] at 48 kHz, `seconds` long or up to 4 ms longer, or longer still until the release.

    Raises:
        ImportError: The renderer is not installed.
        ValueError: The renderer cannot read the font.
    """
    import soundfile

    layers = int(np.clip((127 / velocity) ** 2, 1, _MAX_LAYERS))
    midi = _note_midi(program, pitch, velocity, hold_seconds, seconds, layers)
    try:
        wav = import_renderer().render_wave_from(font, midi)
    except RuntimeError as error:
        raise ValueError(
            "Expected a SoundFont file (.sf2 or .sf3). Received one that midirenderer "
            f"refuses ({error}); get the file again or use another."
        ) from error
    stereo, _ = soundfile.read(io.BytesIO(wav), dtype="int16", always_2d=True)
    return stereo


def mix_channels(stereo: np.ndarray) -> np.ndarray:
    """Mean of a rendering's channels: int16 [samples, 2] to float32 [samples] in [-1, 1]."""
    return stereo.mean(axis=1, dtype=np.float32) / np.float32(32768.0)


def why_unusable(stereo: np.ndarray, pitch: int, hold_seconds: float) -> str:
    """What is wrong with a rendering, as measured.

    Args:
        stereo: int16 [samples, 2] at 48 kHz.
        pitch: MIDI pitch that was played.
        hold_seconds: How long the key was held.

    Returns:
        Empty for a good note, else "silent ...", "clipped" or "unpitched ..." (more than 50 cents off).
    """
    if stereo.max() == 32767 or stereo.min() == -32768:
        return "clipped"
    wave = mix_channels(stereo)
    peak = float(np.abs(wave).max())
    if peak < _SILENT_PEAK:
        return f"silent (peak {peak:.5f})"
    cents = measure_pitch_error(wave, pitch, hold_seconds)
    return f"unpitched (median {cents:+.0f} cents)" if abs(cents) > 50.0 else ""


def finish_note(wave: np.ndarray, velocity: int, sample_rate: int, num_samples: int) -> np.ndarray:
    """Turns a rendering into a note of the set.

    A high-pass at 20 Hz, rather than subtracting the mean: some recordings have an offset while they sound, which
    subtracting would move into the silence after them. The peak becomes 0.4 + 0.5 * velocity / 127: harder notes are
    louder, and all are about as loud as NSynth's, whose peaks are 0.41 to 0.93; a SoundFont's own law makes velocity 25
    28 dB softer than 127, next to nothing.

    Args:
        wave: [samples] at 48 kHz, not silent.
        velocity: MIDI velocity.
        sample_rate: Wanted rate in Hz.
        num_samples: Wanted length; the last 10 ms are faded out.

    Returns:
        float32 [num_samples].
    """
    import scipy.signal

    wave = audio.crop_or_pad(audio.resample(wave, RENDER_RATE, sample_rate), num_samples)
    high_pass = scipy.signal.butter(2, _HIGH_PASS_HZ, "highpass", fs=sample_rate, output="sos")
    wave = scipy.signal.sosfilt(high_pass, wave.astype(np.float64)).astype(np.float32)
    num_faded = max(1, min(num_samples, round(_FADE_SECONDS * sample_rate)))
    wave[num_samples - num_faded :] *= np.linspace(1.0, 0.0, num_faded, dtype=np.float32)
    return wave * np.float32((0.4 + 0.5 * velocity / 127) / max(np.abs(wave).max(), 1e-9))


def measure_pitch_error(wave: np.ndarray, pitch: int, hold_seconds: float) -> float:
    """Distance of a note's pitch from what it should be, by YIN (de Cheveigne and Kawahara 2002).

    A reading one octave up is taken for right if the odd harmonics, which a true octave would lack, hold at least 1 %
    of the power on all harmonics: low strings, harps and oboes have weak fundamentals.

    Args:
        wave: [samples] at 48 kHz, not silent.
        pitch: MIDI pitch that was played.
        hold_seconds: Length of the part to look at.

    Returns:
        Cents, the median over frames within 30 dB of the loudest; NaN when the held part is too short for
        the pitch to tell.
    """
    librosa = compiled.load_librosa()
    target_hz = float(pitches.midi_to_hz(pitch))
    held = wave[: round(hold_seconds * RENDER_RATE)]
    frame = min(_YIN_FRAME, len(held))
    # YIN sees periods of up to half a frame.
    lowest_hz = max(20.0, 2.1 * RENDER_RATE / max(frame, 1))
    if target_hz < 1.2 * lowest_hz:
        return float("nan")
    framing = {"frame_length": frame, "hop_length": frame}
    level = np.sqrt(np.mean(np.square(librosa.util.frame(held, **framing)), axis=0))
    readings = librosa.yin(held, fmin=lowest_hz, fmax=_YIN_HIGHEST_HZ, sr=RENDER_RATE, center=False, **framing)
    loud = level > level.max() * 10 ** (-30 / 20)
    cents = 1200.0 * np.log2(np.median(readings[loud]) / target_hz)
    if abs(cents - 1200.0) < 50.0 and _odd_harmonic_share(held, target_hz) >= 0.01:
        cents -= 1200.0
    return float(cents)


def _odd_harmonic_share(wave: np.ndarray, target_hz: float) -> float:
    """Share of the odd multiples of a frequency in the power near its first 20 multiples; [samples]."""
    power = np.square(np.abs(np.fft.rfft(wave * np.hanning(len(wave)))))
    multiple = np.fft.rfftfreq(len(wave), 1.0 / RENDER_RATE) / target_hz
    order = np.round(multiple)
    # Within half a semitone, but at most a quarter of the way to the next harmonic.
    near = (order >= 1) & (order <= 20) & (np.abs(multiple - order) < np.minimum(0.03 * order, 0.25))
    total = power[near].sum()
    return float(power[near & (order % 2 == 1)].sum() / total) if total else 0.0


def _note_midi(program: int, pitch: int, velocity: int, hold_seconds: float, seconds: float, layers: int) -> bytes:
    """A MIDI file with one note, played by several channels at once, dry and at full volume."""
    import mido

    # The note starts at tick 1, so an even number of ticks ends it on an odd one.
    hold = 2 * round(hold_seconds * _TICKS_PER_SECOND / 2)
    rest = max(2, int(np.ceil(seconds * _TICKS_PER_SECOND)) + 2 - hold)
    track = mido.MidiTrack([mido.MetaMessage("set_tempo", tempo=1_000_000, time=0)])
    for channel in range(layers):
        # Volume, expression; reverb and chorus, which are on by default.
        for control, value in ((7, 127), (11, 127), (91, 0), (93, 0)):
            track.append(mido.Message("control_change", channel=channel, control=control, value=value))
        track.append(mido.Message("program_change", channel=channel, program=program))
    for kind, delay in (("note_on", 1), ("note_off", hold)):
        for channel in range(layers):
            time = delay if channel == 0 else 0
            track.append(mido.Message(kind, channel=channel, note=pitch, velocity=velocity, time=time))
    track.append(mido.MetaMessage("end_of_track", time=rest))
    file = io.BytesIO()
    mido.MidiFile(type=0, ticks_per_beat=_TICKS_PER_SECOND, tracks=[track]).save(file=file)
    return file.getvalue()
