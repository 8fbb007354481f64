"""``params.yaml``, typed: every number a reader may want to turn, one section per stage."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError, field_validator, model_validator
from ruamel.yaml import YAML
from ruamel.yaml.error import YAMLError

from songgenre.errors import UserError
from songgenre.redaction import redact


class Section(BaseModel):
    """One section: an unknown name, a wrong type or a value out of range is an error."""

    model_config = ConfigDict(extra="forbid", strict=True, frozen=True)


class Site(Section):
    name: str = Field(pattern="^[a-z][a-z0-9_]*$")
    listing_urls: dict[str, Annotated[list[str], Field(min_length=1)]] = Field(min_length=1)
    song_url_pattern: str
    next_page_pattern: str
    audio_hosts: list[str]

    @field_validator("song_url_pattern", "next_page_pattern")
    @classmethod
    def _is_a_pattern(cls, pattern: str) -> str:
        try:
            re.compile(pattern)
        except re.error as error:
            raise ValueError(f"not a regular expression: {error}") from None
        return pattern

    @field_validator("listing_urls")
    @classmethod
    def _are_addresses(cls, listing_urls: dict[str, list[str]]) -> dict[str, list[str]]:
        for genre, urls in listing_urls.items():
            for url in urls:
                if not re.match(r"https?://[^/\s]+", url):
                    raise ValueError(f"a listing of {genre} is not an address that starts with http:// or https://")
        return listing_urls


class Crawl(Section):
    max_songs_per_genre: int = Field(ge=1)
    max_file_mb: float = Field(gt=0)
    max_total_mb: float = Field(gt=0)
    concurrency: int = Field(ge=1)
    autothrottle: bool
    timeout_s: float = Field(gt=0)
    retries: int = Field(ge=0)


class Demo(Section):
    songs_per_genre: int = Field(ge=1)
    artists_per_genre: int = Field(ge=1)
    seed: int = Field(ge=0)


class Fma(Section):
    size: Literal["small", "medium", "large"]
    url: str = Field(pattern=r"^https?://\S+/$")


class Scraping(Section):
    source: Literal["demo", "folder", "fma", "site"]
    folder: str
    demo: Demo
    fma: Fma
    site: Site
    crawl: Crawl

    @model_validator(mode="after")
    def _folder_is_named(self) -> Scraping:
        if self.source == "folder" and not self.folder:
            raise ValueError("source is 'folder', so folder must name a directory of audio")
        return self


class Wrangling(Section):
    clip_duration_s: float = Field(gt=0)
    min_duration_s: float = Field(gt=0)
    silence_threshold_db: float = Field(lt=0)
    multi_genre: Literal["drop", "first", "primary"]
    balance_genres: bool
    split: Literal["official", "artist"]
    validation_fraction: float = Field(gt=0, lt=1)
    test_fraction: float = Field(gt=0, lt=1)
    seed: int = Field(ge=0)

    @model_validator(mode="after")
    def _something_is_left_to_train_on(self) -> Wrangling:
        if self.validation_fraction + self.test_fraction >= 1:
            raise ValueError("validation_fraction + test_fraction must be below 1")
        return self


class Eda(Section):
    compared_genres: list[str] = Field(min_length=2, max_length=2)
    songs_per_genre: int = Field(ge=1)

    @field_validator("compared_genres")
    @classmethod
    def _are_two(cls, genres: list[str]) -> list[str]:
        if len(set(genres)) < len(genres):
            raise ValueError("must be two different genres")
        return genres


class Features(Section):
    feature_set: Literal["basic", "fma", "full"]
    sample_rate: int = Field(ge=16000)  # spectral contrast looks up to 6.4 kHz
    n_fft: int = Field(ge=256)
    hop_length: int = Field(ge=64, multiple_of=64)  # halved six times for the constant-Q transform
    n_mfcc: int = Field(ge=1, le=40)
    n_mels: int = Field(ge=40)
    mel_db_range: float = Field(gt=0)


class Sklearn(Section):
    folds: int = Field(ge=2)
    repeats: int = Field(ge=1)
    grids: dict[str, dict[str, list[bool | int | float | str | None]]]
    soft_voting_members: list[str]
    permutation_repeats: int = Field(ge=1)
    seed: int = Field(ge=0)

    @field_validator("grids")
    @classmethod
    def _has_the_baseline(cls, grids: dict[str, Any]) -> dict[str, Any]:
        if "baseline" not in grids:
            raise ValueError("must name 'baseline', which every model is compared with")
        return grids

    @model_validator(mode="after")
    def _members_are_tuned(self) -> Sklearn:
        _refuse_repeats("soft_voting_members", self.soft_voting_members)
        unknown = sorted(set(self.soft_voting_members) - set(self.grids))
        if unknown:
            raise ValueError(f"soft_voting_members must be models of grids, but {', '.join(unknown)} is not one")
        return self


class Network(Section):
    architecture: Literal["plain", "residual"]
    filters: list[Annotated[int, Field(ge=1)]] = Field(min_length=1)
    dropout: float = Field(ge=0, lt=1)


class Sampling(Section):
    crop_frames: int = Field(ge=64)  # the ablation halves it
    crops_per_song: int = Field(ge=1)
    batch_size: int = Field(ge=1)
    class_balance: float = Field(ge=0, le=1)
    label_smoothing: float = Field(ge=0, lt=1)


class Augmentation(Section):
    """How crops are varied for training; zeros leave them as they are.

    Parameters
    ----------
    mixup : float
        Of the Beta distribution from which the share of the other crop is drawn (Zhang et al. 2018).
    spec_augment : float
        Largest share of the bands, and of the frames, that is blanked (Park et al. 2019).
    pitch_shift_bands : int
        Largest shift along the mel bands.
    random_eq_std : float
        Standard deviation of the gain of each of five bands, in levels of the image, of which there are 256.
    """

    mixup: float = Field(ge=0)
    spec_augment: float = Field(ge=0, lt=1)
    pitch_shift_bands: int = Field(ge=0)
    random_eq_std: float = Field(ge=0)


class Hardware(Section):
    distribution: Literal["none", "mirrored"]
    precision: Literal["float32", "mixed_bfloat16", "mixed_float16"]
    intra_op_threads: int = Field(ge=1)


class Cnn(Section):
    epochs: int = Field(ge=1)
    patience: int = Field(ge=1)
    learning_rate: float = Field(gt=0)
    weight_decay: float = Field(ge=0)
    network: Network
    sampling: Sampling
    augmentation: Augmentation
    ablation_epochs: int = Field(ge=1)
    folds: int = Field(ge=0)
    hardware: Hardware
    seed: int = Field(ge=0)


class Transfer(Section):
    folds: int = Field(ge=2)
    repeats: int = Field(ge=1)
    shrinkage: list[Annotated[float, Field(ge=0, le=1)]] = Field(min_length=1)
    seed: int = Field(ge=0)


class Evaluation(Section):
    ensemble: list[str] = Field(min_length=1)
    bootstrap_samples: int = Field(ge=100)
    seed: int = Field(ge=0)


class Compute(Section):
    scheduler: str | None = Field(pattern=r"^(tcp|tls)://\S+$")
    audio_url: str
    cache_url: str

    @model_validator(mode="after")
    def _cache_is_where_the_audio_is(self) -> Compute:
        if self.scheduler and self.audio_url and not self.cache_url:
            raise ValueError(
                "audio_url is not this folder, so cache_url must name a place that the workers can reach, too"
            )
        return self


LOCAL = Compute(scheduler=None, audio_url="", cache_url="")
"""Everything on this machine and in this folder."""


class Params(Section):
    """All of ``params.yaml``."""

    scraping: Scraping
    wrangling: Wrangling
    eda: Eda
    features: Features
    sklearn: Sklearn
    cnn: Cnn
    transfer: Transfer
    evaluation: Evaluation
    compute: Compute

    @model_validator(mode="after")
    def _ensemble_is_trained(self) -> Params:
        trained = {*self.sklearn.grids, "cnn", "transfer"}
        if self.sklearn.soft_voting_members:
            trained.add("soft_voting")
        _refuse_repeats("evaluation.ensemble", self.evaluation.ensemble)
        unknown = sorted(set(self.evaluation.ensemble) - trained)
        if unknown:
            raise ValueError(
                f"evaluation.ensemble must name models that are trained ({', '.join(sorted(trained))}), "
                f"but {', '.join(unknown)} is not one"
            )
        return self

    def section(self, name: str) -> dict[str, Any]:
        """The parameters of one section, as plain literals.

        Raises
        ------
        UserError
            If there is no such section.
        """
        if name not in type(self).model_fields:
            sections = ", ".join(type(self).model_fields)
            raise UserError(f"Expected a section of params.yaml ({sections}), got {name!r}.")
        section: Section = getattr(self, name)
        return section.model_dump()


def load_params(path: Path) -> Params:
    """Read and check ``params.yaml``, for a command or a notebook, which pass on the section that a function needs.

    YAML 1.2, as DVC reads it, so that ``1e-3`` is a number and ``no`` a string.

    Raises
    ------
    UserError
        Naming every parameter that is missing, unknown, of the wrong type or out of range, or an address with a
        password or a token in it.
    """
    try:
        content = YAML(typ="safe", pure=True).load(path)
    except FileNotFoundError:
        raise UserError(f"Expected the parameters in {path}, but there is no such file.") from None
    except YAMLError as error:
        raise UserError(f"{path} is not valid YAML: {redact(str(error))}") from None
    for name, text in _texts(content):
        if re.match(r"[a-z][a-z0-9+.-]*://", text, re.IGNORECASE) and redact(text) != text:
            raise UserError(
                f"Expected no secrets in {path}, but {name} is an address with a password or a token in it. Git keeps "
                "this file, and DVC, the notebooks and the reports repeat what it says. Remove it, and give it where "
                "the library that opens the address looks for it, such as AWS_SECRET_ACCESS_KEY for s3://."
            )
    try:
        return Params.model_validate(content)
    except ValidationError as error:
        problems = "\n".join(
            f"  {'.'.join(map(str, problem['loc'])) or 'the file'}: {problem['msg']}{_got(problem['input'])}"
            for problem in error.errors()
        )
        raise UserError(f"{path} does not fit the pipeline:\n{problems}") from None


def _refuse_repeats(name: str, members: list[str]) -> None:
    if len(set(members)) < len(members):
        raise ValueError(f"{name} must name each model once")


def _got(value: Any) -> str:
    """Quote a wrong value, but not a whole section."""
    return "" if isinstance(value, dict) else f", got {redact(repr(value))}"


def _texts(content: Any, name: str = "") -> Iterator[tuple[str, str]]:
    """Every text in nested parameters, and the name of the parameter."""
    if isinstance(content, str):
        yield name, content
    elif isinstance(content, dict):
        for key, value in content.items():
            yield from _texts(value, f"{name}.{key}".lstrip("."))
    elif isinstance(content, list):
        for item in content:
            yield from _texts(item, name)
