"""Settings: Magenta's defaults, what is refused and how, and the way through JSON."""

import dataclasses
import json

import pytest

from gansynth_tf.hparams import IGNORED_MAGENTA_KEYS, RESUMABLE_CHANGES, HParams, parse_overrides

# What Magenta's set_flags holds, but for the fields that mean nothing here.
MAGENTAS = {
    "train_root_dir": "/tmp/gansynth/train",
    "data_type": "mel",
    "audio_length": 64000,
    "sample_rate": 16000,
    "data_normalizer": "specgrams_prespecified_normalizer",
    "normalizer_margin": 0.8,
    "normalizer_num_examples": 1000,
    "mag_normalizer_a": 0.0661371661726,
    "mag_normalizer_b": 0.113718730221,
    "p_normalizer_a": 0.8,
    "p_normalizer_b": 0.0,
    "gradient_penalty_target": 1.0,
    "gradient_penalty_weight": 10.0,
    "real_score_penalty_weight": 0.001,
    "generator_ac_loss_weight": 1.0,
    "discriminator_ac_loss_weight": 1.0,
    "gen_gl_consistency_loss_weight": 0.0,
    "generator_learning_rate": 0.0004,
    "discriminator_learning_rate": 0.0004,
    "adam_beta1": 0.0,
    "adam_beta2": 0.99,
    "fake_batch_size": 16,
    "batch_size_schedule": [16, 8],
    "stable_stage_num_images": 32,
    "transition_stage_num_images": 32,
    "total_num_images": 320,
    "save_summaries_num_images": 100,
    "train_progressive": True,
    "train_time_limit": None,
    "train_time_stage_multiplier": 1.0,
    "latent_vector_size": 256,
    "kernel_size": 3,
    "start_height": 4,
    "start_width": 8,
    "scale_mode": "ALL",
    "scale_base": 2,
    "num_resolutions": 7,
    "simple_arch": False,
    "to_rgb_activation": "tanh",
    "fmap_base": 512,
    "fmap_decay": 1.0,
    "fmap_max": 128,
}


def test_defaults_are_magentas():
    defaults = HParams().to_dict()
    assert {name: defaults[name] for name in MAGENTAS} == MAGENTAS
    # The one deliberate difference: notes come from a SoundFont, not from a download.
    assert defaults["dataset_name"] == "soundfont"


def test_settings_of_our_own_are_neutral():
    hparams = HParams()
    assert (hparams.mel_downscale, hparams.mel_if) == (1, "matrix")
    assert (hparams.pitch_scale, hparams.fmap_min, hparams.gradient_penalty_interval) == (1.0, 1, 1)
    assert hparams.ema_decay == 0.999
    assert hparams.hold_seconds == 3.0  # Of 4 seconds, as in NSynth.


def test_magentas_flagship_run_is_accepted_whole():
    flagship = {
        "train_root_dir": "/tmp/x", "tfds_data_dir": "gs://somewhere", "train_data_path": "/tmp/y", "master": "",
        "ps_tasks": 0, "task": 0, "debug_hook": False, "g_fn": "specgram", "d_fn": "specgram", "eval_batch_size": 7,
        "generator_ac_loss_weight": 10.0, "discriminator_ac_loss_weight": 10.0, "generator_learning_rate": 0.0008,
        "discriminator_learning_rate": 0.0008, "fake_batch_size": 61, "batch_size_schedule": [8],
        "stable_stage_num_images": 800000, "transition_stage_num_images": 800000, "total_num_images": 11000000,
        "save_summaries_num_images": 10000, "start_height": 2, "start_width": 16, "fmap_base": 4096, "fmap_max": 256,
    }  # fmt: skip
    hparams = HParams().override(flagship)
    assert hparams.batch_size_schedule == (8,) and hparams.fmap_base == 4096
    assert not set(IGNORED_MAGENTA_KEYS) & set(hparams.to_dict())


def test_json_round_trip():
    hparams = HParams(batch_size_schedule=(12, 6, 4), train_time_limit=90, soundfont_programs=[3, 5], seed=7)
    again = HParams().override(json.loads(json.dumps(hparams.to_dict())))
    assert again == hparams and again.differences(hparams) == {}
    assert again.train_time_limit == 90.0 and again.soundfont_programs == (3, 5)


def test_differences_name_both_values():
    assert HParams(seed=3).differences(HParams(batch_size_schedule=(4,))) == {
        "seed": (3, 0),
        "batch_size_schedule": ([16, 8], [4]),
    }


def test_frozen():
    with pytest.raises(dataclasses.FrozenInstanceError):
        HParams().seed = 3


def test_resumable_changes_and_ignored_keys_are_disjoint_fields():
    names = {field.name for field in dataclasses.fields(HParams)}
    assert set(RESUMABLE_CHANGES) <= names and not set(IGNORED_MAGENTA_KEYS) & names


@pytest.mark.parametrize(
    ("key", "nearest"),
    [
        ("learning_rate", "generator_learning_rate"),
        ("fmap_maximum", "fmap_max"),
        ("batch_size_schedules", "batch_size_schedule"),
        ("total_images", "total_num_images"),
        ("Seed", "seed"),
    ],
)
def test_unknown_key_names_the_nearest(key, nearest):
    with pytest.raises(ValueError, match=f"Unknown hparam '{key}'. Did you mean '{nearest}'"):
        HParams().override({key: 1})


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"seed": 1.5}, "seed must be an integer. Received: 1.5"),
        ({"seed": "1"}, "seed must be an integer. Received: '1'"),
        ({"seed": True}, "seed must be an integer. Received: True"),
        ({"seed": None}, "seed must be an integer. Received: None"),
        ({"adam_beta1": "0"}, "adam_beta1 must be a number. Received: '0'"),
        ({"adam_beta1": False}, "adam_beta1 must be a number. Received: False"),
        ({"train_progressive": 1}, "train_progressive must be true or false. Received: 1"),
        ({"data_type": 3}, "data_type must be a string. Received: 3"),
        ({"train_time_limit": "60"}, "train_time_limit must be a number. Received: '60'"),
        ({"batch_size_schedule": 8}, "batch_size_schedule must be a list of integers. Received: 8"),
        ({"batch_size_schedule": [8, 4.5]}, "batch_size_schedule must be a list of integers"),
        ({"batch_size_schedule": [True, 2]}, "batch_size_schedule must be a list of integers"),
    ],
)
def test_wrong_types_say_what_is_expected(values, message):
    with pytest.raises(ValueError, match=message):
        HParams().override(values)


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"data_type": "mfcc"}, "data_type must be one of linear, phase, mel, wave. Received: 'mfcc'"),
        ({"scale_mode": "W"}, "scale_mode must be one of ALL, H. Received: 'W'"),
        ({"to_rgb_activation": "relu"}, "tanh, linear. Received: 'relu'"),
        ({"mel_if": "mean"}, "mel_if must be one of matrix, power_mean"),
        ({"data_normalizer": "simple"}, "data_normalizer must be one of none, specgrams_prespecified_normalizer"),
        ({"num_resolutions": 0}, "num_resolutions must be at least 1. Received: 0"),
        ({"steps_per_call": -3}, "steps_per_call must be at least 1. Received: -3"),
        ({"generator_learning_rate": 0}, "generator_learning_rate must be greater than 0. Received: 0.0"),
        ({"adam_beta2": 1.0}, "adam_beta2 must be at least 0 and below 1. Received: 1.0"),
        ({"ema_decay": -0.1}, "ema_decay must be at least 0 and below 1. Received: -0.1"),
        ({"min_pitch": 70, "max_pitch": 60}, "min_pitch <= max_pitch <= 127. Received: 70 and 60"),
        ({"max_pitch": 128}, "Received: 24 and 128"),
        ({"soundfont_hold_fraction": 1.2}, "soundfont_hold_fraction must be in"),
        ({"train_time_limit": 0}, "train_time_limit must be seconds above 0, or null. Received: 0.0"),
        ({"train_time_stage_multiplier": 0}, "train_time_stage_multiplier must be greater than 0"),
        ({"batch_size_schedule": []}, "batch_size_schedule must hold 1 to num_resolutions=7"),
        ({"batch_size_schedule": [4] * 8}, "batch_size_schedule must hold 1 to num_resolutions=7"),
        ({"batch_size_schedule": [4, 0]}, "Received: .4, 0"),
        ({"simple_arch": True}, "use simple_arch=false"),
        ({"seed": -1}, "seed must be in 0..2147483647. Received: -1"),
        ({"seed": 2**31}, "seed must be in 0..2147483647. Received: 2147483648"),
        ({"gradient_penalty_weight": float("nan")}, "gradient_penalty_weight must be a finite number. Received: nan"),
        ({"checkpoint_seconds": float("inf")}, "checkpoint_seconds must be a finite number. Received: inf"),
    ],
)
def test_wrong_values_say_what_is_expected(values, message):
    with pytest.raises(ValueError, match=message) as raised:
        HParams().override(values)
    assert "\n" not in str(raised.value)


def test_numbers_are_taken_in_their_field_s_type():
    hparams = HParams(generator_learning_rate=1, seed=3.0, batch_size_schedule=[4])
    assert isinstance(hparams.generator_learning_rate, float)
    assert isinstance(hparams.seed, int) and hparams.seed == 3
    assert hparams.batch_size_schedule == (4,)


def test_overrides_are_a_json_object():
    assert parse_overrides("") == parse_overrides("{}") == {}
    assert parse_overrides('{"seed": 3, "train_time_limit": null}') == {"seed": 3, "train_time_limit": None}
    for text in ("[1]", "3", '"seed"', "null"):
        with pytest.raises(ValueError, match="must be a JSON object"):
            parse_overrides(text)


def test_broken_overrides_say_where():
    # Magenta's README shows this very mistake: a comma is missing.
    with pytest.raises(ValueError, match="--hparams must be a JSON object.*Expecting ',' delimiter.*char 11") as raised:
        parse_overrides('{"seed": 1 "kernel_size": 3}')
    assert "\n" not in str(raised.value)
