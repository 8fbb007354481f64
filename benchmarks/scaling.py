"""Core hours, storage and money for the features of large collections, estimated from the time of one clip."""

from __future__ import annotations

SECONDS_PER_CLIP = 0.12
"""To decode a clip of 30 s and compute its features, on one core of a small shared machine; see features.py."""

AUDIO_MB_PER_CLIP = 0.94
"""Of FMA-large: 93 GiB of mp3 / 106,574 clips."""

DESCRIPTORS_KB_PER_CLIP = 12
MEL_KB_PER_CLIP = 170
"""128 bands of 1,292 frames, one byte each, rounded up."""

USD_PER_CORE_HOUR = 0.04
USD_PER_GB_MONTH = 0.023
USD_PER_READ = 0.0004 / 1000
USD_PER_WRITE = 0.005 / 1000

CLIPS = {"FMA-large": 106_574, "ten million songs": 10_000_000}


def row(name: str, n_clips: int) -> str:
    core_hours = n_clips * SECONDS_PER_CLIP / 3600
    audio_gb = n_clips * AUDIO_MB_PER_CLIP / 1e3
    features_gb = n_clips * (DESCRIPTORS_KB_PER_CLIP + MEL_KB_PER_CLIP) / 1e6
    work_usd = core_hours * USD_PER_CORE_HOUR
    requests_usd = n_clips * (USD_PER_READ + USD_PER_WRITE)
    month_usd = (audio_gb + features_gb) * USD_PER_GB_MONTH
    amounts = f"{n_clips:,} | {core_hours:,.1f} | {audio_gb:,.0f} | {features_gb:,.0f}"
    return f"| {name} | {amounts} | {work_usd:,.2f} | {requests_usd:,.2f} | {month_usd:,.2f} |"


if __name__ == "__main__":
    print("| | clips | core hours | audio, GB | features, GB | work, USD | requests, USD | storage, USD per month |")
    print("|---|---|---|---|---|---|---|---|")
    print("\n".join(row(name, n_clips) for name, n_clips in CLIPS.items()))
