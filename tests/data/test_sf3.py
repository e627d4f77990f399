"""Compressed SoundFonts: the default font, compressed here, plays as it did."""

import io
import pathlib
import struct

import numpy as np
import pytest
import soundfile

from gansynth_tf.data import rendering, sf2, sf3, soundfont

HEADER = struct.Struct("<20sIIIIIBbHH")  # SoundFont 2.04, section 7.10.
EVERY = 2  # Every second sample is compressed: a font may have both kinds.


def sample_headers(font):
    start, size = sf2.find_preset_data(font)[b"shdr"]
    return [list(HEADER.unpack_from(font, start + place)) for place in range(0, size - HEADER.size, HEADER.size)]


def compress(font, pad):
    """The font with Ogg Vorbis samples; `pad` says whether an odd chunk is filled up, which not every writer does."""
    start, size = sf2.find_sample_data(font)[b"smpl"]
    pool = np.frombuffer(font[start : start + size], "<i2")
    headers, data = sample_headers(font), bytearray()
    for index, header in enumerate(headers):
        first, end = header[1:3]
        if index % EVERY:
            data += bytes(len(data) % 2)  # Plain samples stand at whole frames.
            place = len(data) // 2
            data += pool[first:end].tobytes()
            header[1:5] = [edge - first + place for edge in header[1:5]]
            continue
        coded = io.BytesIO()
        # Ogg Vorbis at the sample's own rate.
        soundfile.write(coded, pool[first:end], header[5], format="OGG", subtype="VORBIS")
        header[1:5] = [len(data), len(data) + len(coded.getvalue()), header[3] - first, header[4] - first]
        data += coded.getvalue()
        header[9] |= 0x10
    data += bytes(1 - len(data) % 2)  # An odd length.
    chunk = struct.pack("<4sI", b"smpl", len(data)) + bytes(data)
    packed, body = b"".join(HEADER.pack(*header) for header in headers), b"sfbk"
    place, _ = sf2.find_preset_data(font)[b"shdr"]
    font = font[:place] + packed + font[place + len(packed) :]
    for list_start, list_size in sf2.find_lists(font):
        content = font[list_start : list_start + list_size]
        if content[:4] == b"sdta":
            content = b"sdta" + chunk
        body += struct.pack("<4sI", b"LIST", len(content)) + content + bytes(pad and len(content) % 2)
    return struct.pack("<4sI", b"RIFF", len(body)) + body


@pytest.fixture(scope="module")
def plain():
    return pathlib.Path(soundfont.default_soundfont()).read_bytes()


@pytest.fixture(scope="module")
def compressed(plain):
    return compress(plain, pad=True)


def test_lengths_loops_and_rates_come_back(plain, compressed):
    assert len(compressed) < 0.8 * len(plain)
    for was, now in zip(sample_headers(plain), sample_headers(sf3.unpack_samples(compressed)), strict=True):
        assert now[0] == was[0] and now[5:] == was[5:]
        assert [edge - now[1] for edge in now[2:5]] == [edge - was[1] for edge in was[2:5]]


@pytest.mark.parametrize("program", [0, 40, 73])
def test_a_note_sounds_as_from_the_plain_font(plain, compressed, program):
    fonts = (plain, sf3.unpack_samples(compressed))
    notes = [rendering.play_note(font, program, 62, 100, 0.6, 0.8)[:, 0].astype(float) for font in fonts]
    error = np.linalg.norm(notes[0] - notes[1]) / np.linalg.norm(notes[0])
    assert error < 0.1  # Vorbis loses something.


def test_plain_samples_keep_every_bit(plain, compressed):
    unpacked = sf3.unpack_samples(compressed)
    pools = [font[slice(*np.cumsum(sf2.find_sample_data(font)[b"smpl"]))] for font in (plain, unpacked)]
    pools = [np.frombuffer(pool[: len(pool) // 2 * 2], "<i2") for pool in pools]
    for was, now in list(zip(sample_headers(plain), sample_headers(unpacked), strict=True))[1::EVERY]:
        np.testing.assert_array_equal(pools[0][was[1] : was[2]], pools[1][now[1] : now[2]])


def test_a_writer_that_does_not_fill_up_odd_chunks(plain, compressed):
    assert sf3.unpack_samples(compress(plain, pad=False)) == sf3.unpack_samples(compressed)


def test_a_plain_font_stays_as_it_is(plain):
    assert sf3.unpack_samples(plain) is plain


def test_a_damaged_sample_is_named(compressed):
    start, _ = sf2.find_sample_data(compressed)[b"smpl"]
    damaged = compressed[:start] + bytes(200) + compressed[start + 200 :]
    name = sample_headers(compressed)[0][0].split(b"\0")[0].decode()
    with pytest.raises(ValueError, match=f"{name}.*cannot be decoded"):
        sf3.unpack_samples(damaged)
