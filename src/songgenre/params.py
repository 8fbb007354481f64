"""Typed and validated parameters of ``params.yaml``, one section per stage."""

from __future__ import annotations

import difflib
import re
import shutil
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, ValidationError, field_validator, model_validator
from ruamel.yaml import YAML
from ruamel.yaml.comments import Comment, CommentedMap, CommentedSeq
from ruamel.yaml.error import MarkedYAMLError, YAMLError
from ruamel.yaml.nodes import ScalarNode
from ruamel.yaml.representer import RoundTripRepresenter
from ruamel.yaml.tokens import CommentToken

from songgenre.atomic import replacing
from songgenre.errors import UserError, did_you_mean
from songgenre.redaction import redact

if TYPE_CHECKING:
    from pydantic_core import ErrorDetails


LIMITS = ("min_songs", "max_songs", "max_genres")
"""Parameters of `Sklearn` that leave models out of a corpus that is too small or too large for them."""


class Section(BaseModel):
    """Base of all sections: an unknown name, a wrong type or a value out of range is an error."""

    model_config = ConfigDict(extra="forbid", strict=True, frozen=True, allow_inf_nan=False)

    @classmethod
    def from_variables(cls, variables: Mapping[str, Any]) -> Self:
        """Collect a section from the variables of a notebook, which its parameters cell has set.

        Parameters
        ----------
        variables : mapping
            From name to value; names that are no parameters of the section are ignored.

        Returns
        -------
        Section
            The validated section.
        """
        return cls(**{name: variables[name] for name in cls.model_fields})


Seed = Annotated[int, Field(ge=0, lt=1 << 32)]
"""Seed of NumPy and scikit-learn: 32 bits."""

Metric = Literal["accuracy", "balanced_accuracy", "f1_macro"]
"""Metric of scikit-learn; the last two count every genre the same, however many songs it has."""

ClassWeight = Literal["none", "balanced"]
"""Whether every song has the same weight in training, or every genre."""

MAX_VALUES = 10_000
"""Largest number of values in ``params.yaml``."""


class Site(Section):
    """Web site to crawl, see `songgenre.sources.website.CrawlConfig`.

    Parameters
    ----------
    name : str
        Name of the source.
    listing_urls : dict of str to list of str
        Addresses of the listings of each genre.
    song_url_pattern, next_page_pattern : str
        Regular expressions for the addresses of song pages and of the next page of a listing.
    audio_hosts : list of str
        Hosts of audio besides those of the listings.
    """

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
    """Limits of a crawl.

    Parameters
    ----------
    max_songs_per_genre : int
        Largest number of songs per genre.
    max_file_mb, max_total_mb : float
        Largest size of one file and of all files together, in MB.
    concurrency : int
        Number of simultaneous requests.
    autothrottle : bool
        Whether the request rate adapts to the response times of the site.
    timeout_s : float
        Longest time for a response, in seconds.
    retries : int
        Number of retries of a failed request.
    """

    max_songs_per_genre: int = Field(ge=1)
    max_file_mb: float = Field(gt=0)
    max_total_mb: float = Field(gt=0)
    concurrency: int = Field(ge=1)
    autothrottle: bool
    timeout_s: float = Field(gt=0)
    retries: int = Field(ge=0)


class Demo(Section):
    """Size of the demo corpus, see `songgenre.demo.corpus.plan_corpus`.

    Parameters
    ----------
    songs_per_genre, artists_per_genre : int
        Number of regular songs and of artists per genre.
    seed : int
        Seed of the corpus.
    """

    songs_per_genre: int = Field(ge=1)
    artists_per_genre: int = Field(ge=1)
    seed: Seed


class Fma(Section):
    """Free Music Archive data set, see `songgenre.sources.fma.Fma`.

    Parameters
    ----------
    size : {"small", "medium", "large"}
        Size of the data set.
    genres : {"top", "all"}
        Whether a song has its top-level genre, or all genres that its artist chose.
    url : str
        Address of the folder of the archives; ends in a slash.
    """

    size: Literal["small", "medium", "large"]
    genres: Literal["top", "all"]
    url: str = Field(pattern=r"^https?://\S+/$")


class Scraping(Section):
    """Source of the music.

    Parameters
    ----------
    source : {"demo", "folder", "fma", "site"}
        Kind of source.
    folder : str
        Folder of the user's audio or of downloaded FMA archives; empty for none.
    genre_from : {"folder", "tags"}
        Where source ``folder`` finds the genre of a song that no table names.
    genre_names : dict of str to str
        For spellings of genres, the name to use, see `songgenre.sources.genres.merge_spellings`.
    demo, fma, site, crawl : Section
        Parameters of the kinds of source.
    """

    source: Literal["demo", "folder", "fma", "site"]
    folder: str
    genre_from: Literal["folder", "tags"]
    genre_names: dict[Annotated[str, Field(min_length=1)], Annotated[str, Field(min_length=1)]]
    demo: Demo
    fma: Fma
    site: Site
    crawl: Crawl

    @model_validator(mode="after")
    def _folder_is_named(self) -> Scraping:
        if self.source == "folder" and not self.folder:
            raise ValueError("folder is empty, but source is 'folder'; name a directory of audio")
        return self


class Wrangling(Section):
    """Cleaning and artist-grouped split, see `songgenre.wrangling`.

    Parameters
    ----------
    clip_duration_s, min_duration_s : float
        Length of the clip and of the shortest song, in seconds.
    silence_threshold_db : float
        Level below which a song is silent, in dB of full scale.
    multi_genre : {"drop", "first", "primary"}
        Treatment of a song with several genres.
    balance_genres : bool
        Whether each genre is reduced to the size of the rarest.
    split : {"official", "artist"}
        Whether a split that the source publishes is used.
    validation_fraction, test_fraction : float
        Shares of the songs, 0 to 1.
    min_songs_per_genre : int
        Number of songs below which a genre is rare.
    rare_genres : {"drop", "other"}
        Whether the songs of rare genres are excluded, or form the genre ``other``.
    seed : int
        Seed of the balance and of the split.
    """

    clip_duration_s: float = Field(gt=0)
    min_duration_s: float = Field(gt=0)
    silence_threshold_db: float = Field(lt=0)
    multi_genre: Literal["drop", "first", "primary"]
    balance_genres: bool
    split: Literal["official", "artist"]
    validation_fraction: float = Field(gt=0, lt=1)
    test_fraction: float = Field(gt=0, lt=1)
    min_songs_per_genre: int = Field(ge=1)
    rare_genres: Literal["drop", "other"]
    seed: Seed

    @model_validator(mode="after")
    def _something_is_left_to_train_on(self) -> Wrangling:
        if self.validation_fraction + self.test_fraction >= 1:
            raise ValueError("validation_fraction + test_fraction must be below 1")
        return self


class Eda(Section):
    """Exploratory data analysis.

    Parameters
    ----------
    compared_genres : list of str
        Two different genres whose waveforms and spectrograms are compared.
    songs_per_genre : int
        Number of songs per genre in the figures.
    """

    compared_genres: list[str] = Field(min_length=2, max_length=2)
    songs_per_genre: int = Field(ge=1)

    @field_validator("compared_genres")
    @classmethod
    def _are_two(cls, genres: list[str]) -> list[str]:
        if len(set(genres)) < len(genres):
            raise ValueError("must be two different genres")
        return genres


class Features(Section):
    """Descriptors and mel spectrograms, see `songgenre.features`.

    Parameters
    ----------
    feature_set : {"basic", "fma", "full"}
        Set of descriptors.
    sample_rate : int
        Sample rate of the clips, in Hz.
    n_fft, hop_length : int
        Length and distance of the analysis frames, in samples.
    n_mfcc, n_mels : int
        Number of MFCC and of mel bands.
    mel_db_range : float
        Dynamic range of the mel spectrogram, in dB.
    """

    feature_set: Literal["basic", "fma", "full"]
    sample_rate: int = Field(ge=16000, le=192000)  # spectral contrast looks up to 6.4 kHz
    n_fft: int = Field(ge=256)
    hop_length: int = Field(ge=64, multiple_of=64)  # halved six times for the constant-Q transform
    n_mfcc: int = Field(ge=1, le=40)
    n_mels: int = Field(ge=40)
    mel_db_range: float = Field(gt=0)

    @model_validator(mode="after")
    def _frames_fit(self) -> Features:
        if self.hop_length > self.n_fft:
            raise ValueError(f"hop_length must not exceed n_fft, {self.n_fft}; some samples would be in no frame")
        if self.n_mels > self.n_fft // 2:
            raise ValueError(f"n_mels must not exceed n_fft / 2, {self.n_fft // 2}; some bands would be empty")
        return self


class Sklearn(Section):
    """Classical models, see `songgenre.models.classical`.

    Parameters
    ----------
    folds, repeats : int
        Number of folds and of repeats of the cross-validation.
    metric : {"accuracy", "balanced_accuracy", "f1_macro"}
        Metric by which models are tuned and compared.
    class_weight : {"none", "balanced"}
        Whether every song has the same weight, or every genre.
    grids : dict of str to dict
        Hyperparameter grid of each model; ``baseline`` is required.
    min_songs, max_songs : dict of str to int
        Smallest and largest number of training songs of models of `grids`.
    max_genres : dict of str to int
        Largest number of genres of models of `grids`.
    halving_min_songs : int
        Number of training songs from which the grid search is a successive halving.
    nested_max_songs : int
        Largest corpus for the nested cross-validation and the diagnostics.
    soft_voting_members : list of str
        Models of `grids` that vote; empty for no vote.
    permutation_repeats : int
        Number of permutations per group of descriptors.
    seed : int
        Seed of folds, models and permutations.
    """

    folds: int = Field(ge=2)
    repeats: int = Field(ge=1)
    metric: Metric
    class_weight: ClassWeight
    grids: dict[str, dict[str, Annotated[list[Any], Field(min_length=1)]]]
    min_songs: dict[str, Annotated[int, Field(ge=0)]]
    max_songs: dict[str, Annotated[int, Field(ge=0)]]
    max_genres: dict[str, Annotated[int, Field(ge=0)]]
    halving_min_songs: int = Field(ge=0)
    nested_max_songs: int = Field(ge=0)
    soft_voting_members: list[str]
    permutation_repeats: int = Field(ge=1)
    seed: Seed

    def left_out(self, n_songs: int, n_genres: int) -> dict[str, str]:
        """List the models of `grids` that the size of the corpus rules out.

        Parameters
        ----------
        n_songs, n_genres : int
            Number of training songs, and of genres in the corpus.

        Returns
        -------
        dict
            From the name of a model to the reason.
        """
        few = {name: f"fewer than {least} training songs" for name, least in self.min_songs.items() if n_songs < least}
        many = {name: f"more than {most} training songs" for name, most in self.max_songs.items() if n_songs > most}
        diverse = {name: f"more than {most} genres" for name, most in self.max_genres.items() if n_genres > most}
        return {
            name: " and ".join(reasons[name] for reasons in (few, many, diverse) if name in reasons)
            for name in self.grids
            if name in few | many | diverse
        }

    def voters(self, n_songs: int, n_genres: int) -> list[str]:
        """List the models whose probabilities soft voting averages.

        Parameters
        ----------
        n_songs, n_genres : int
            Number of training songs, and of genres in the corpus.

        Returns
        -------
        list of str
            The `soft_voting_members` that the size of the corpus does not rule out.
        """
        left_out = self.left_out(n_songs, n_genres)
        return [name for name in self.soft_voting_members if name not in left_out]

    @field_validator("grids")
    @classmethod
    def _has_the_baseline(cls, grids: dict[str, Any]) -> dict[str, Any]:
        if "baseline" not in grids:
            raise ValueError("must name 'baseline', which every model is compared with")
        for name, grid in grids.items():
            for parameter, values in grid.items():
                if not all(isinstance(value, bool | int | float | str | None) and value == value for value in values):
                    raise ValueError(f"{name}.{parameter} must be a list of numbers, texts, true, false or null")
        return grids

    @model_validator(mode="after")
    def _baseline_has_no_limit(self) -> Sklearn:
        for limit in LIMITS:
            if "baseline" in getattr(self, limit):
                raise ValueError(f"{limit} must not name 'baseline', which every model is compared with")
        return self

    @model_validator(mode="after")
    def _members_are_tuned(self) -> Sklearn:
        _refuse_repeats("soft_voting_members", self.soft_voting_members)
        unknown = sorted(set(self.soft_voting_members) - set(self.grids))
        if unknown:
            raise ValueError(
                f"soft_voting_members: {', '.join(unknown)} not in grids.{did_you_mean(unknown[0], self.grids)}"
            )
        return self


class Network(Section):
    """Architecture of the CNN, see `songgenre.models.cnn`.

    Parameters
    ----------
    architecture : {"plain", "residual"}
        Kind of convolutional block.
    filters : list of int
        Number of filters in each block.
    dropout : float
        Share of units that dropout disables, 0 to 1.
    """

    architecture: Literal["plain", "residual"]
    filters: list[Annotated[int, Field(ge=1)]] = Field(min_length=1)
    dropout: float = Field(ge=0, lt=1)


class Sampling(Section):
    """Crops and batches for the training of the CNN.

    Parameters
    ----------
    crop_frames : int
        Length of a crop, in frames.
    crops_per_song : int
        Number of crops per song.
    batch_size : int
        Number of crops in a batch.
    class_balance : float
        0 for the genre frequencies of the corpus, 1 for equal frequencies.
    label_smoothing : float
        Share of the probability that is spread over all genres.
    """

    crop_frames: int = Field(ge=64)  # the ablation halves it
    crops_per_song: int = Field(ge=1)
    batch_size: int = Field(ge=1)
    class_balance: float = Field(ge=0, le=1)
    label_smoothing: float = Field(ge=0, lt=1)


class Augmentation(Section):
    """Augmentation of the crops for training; zeros switch it off.

    Parameters
    ----------
    mixup : float
        Parameter of the Beta distribution of the mixing weight (`zhang2018mixup`).
    spec_augment : float
        Largest share of the bands, and of the frames, that is masked (`park2019specaugment`).
    pitch_shift_bands : int
        Largest shift along the mel bands.
    random_eq_std : float
        Standard deviation of the gain of each of five bands, in levels of the 8-bit spectrogram.
    """

    mixup: float = Field(ge=0)
    spec_augment: float = Field(ge=0, lt=1)
    pitch_shift_bands: int = Field(ge=0)
    random_eq_std: float = Field(ge=0)


class Hardware(Section):
    """Devices and number format for the training of the CNN.

    Parameters
    ----------
    distribution : {"none", "mirrored"}
        Whether training is distributed over all GPUs.
    precision : {"float32", "mixed_bfloat16", "mixed_float16"}
        Keras precision policy.
    intra_op_threads : int
        Number of CPU threads per operation.
    """

    distribution: Literal["none", "mirrored"]
    precision: Literal["float32", "mixed_bfloat16", "mixed_float16"]
    intra_op_threads: int = Field(ge=1)


class Cnn(Section):
    """Training of the CNN, see `songgenre.models.cnn`.

    Parameters
    ----------
    epochs : int
        Number of epochs.
    learning_rate, weight_decay : float
        Parameters of the optimizer.
    network, sampling, augmentation, hardware : Section
        Architecture, crops, augmentation and devices.
    ablation_epochs : int
        Number of epochs in the ablation study.
    folds : int
        Number of folds of the cross-validation; with 0, there is none, and no collection is left out either.
    seed : int
        Seed of initialization, crops and augmentation.
    """

    epochs: int = Field(ge=1)
    learning_rate: float = Field(gt=0)
    weight_decay: float = Field(ge=0)
    network: Network
    sampling: Sampling
    augmentation: Augmentation
    ablation_epochs: int = Field(ge=1)
    folds: int = Field(ge=0)
    hardware: Hardware
    seed: Seed

    @field_validator("folds")
    @classmethod
    def _one_fold_leaves_nothing_to_train_on(cls, folds: int) -> int:
        if folds == 1:
            raise ValueError("must be 0, for no cross-validation, or at least 2")
        return folds

    @model_validator(mode="after")
    def _crop_is_long_enough_for_the_blocks(self) -> Cnn:
        smallest = 4 << len(self.network.filters)  # halved by the ablation, the first convolution and each block
        if self.sampling.crop_frames < smallest:
            raise ValueError(
                f"sampling.crop_frames must be at least {smallest}, because network.filters has "
                f"{len(self.network.filters)} blocks and each halves the crop"
            )
        return self


class Transfer(Section):
    """Classifier of the embeddings.

    Parameters
    ----------
    folds, repeats : int
        Number of folds and of repeats of the cross-validation.
    metric : {"accuracy", "balanced_accuracy", "f1_macro"}
        Metric by which the classifier is tuned.
    class_weight : {"none", "balanced"}
        Whether the prior probability of a genre is its share of the songs, or the same for every genre.
    shrinkage : list of float
        Candidates for the shrinkage of the LDA, 0 to 1.
    nested_max_songs : int
        Largest corpus for the nested cross-validation.
    seed : int
        Seed of the folds.
    """

    folds: int = Field(ge=2)
    repeats: int = Field(ge=1)
    metric: Metric
    class_weight: ClassWeight
    shrinkage: list[Annotated[float, Field(ge=0, le=1)]] = Field(min_length=1)
    nested_max_songs: int = Field(ge=0)
    seed: Seed


class Evaluation(Section):
    """Comparison of the models, see `songgenre.evaluation`.

    Parameters
    ----------
    metric : {"accuracy", "balanced_accuracy", "f1_macro"}
        Metric by which the models are compared.
    ensemble : list of str
        Models whose probabilities are averaged.
    bootstrap_samples : int
        Number of resamples of the bootstrap over artists.
    seed : int
        Seed of the bootstrap.
    """

    metric: Metric
    ensemble: list[str] = Field(min_length=1)
    bootstrap_samples: int = Field(ge=100)
    seed: Seed


class Compute(Section):
    """Machines that compute, see `songgenre.compute`.

    Parameters
    ----------
    scheduler : str or None
        Address of a Dask scheduler; None for the cores of this machine.
    audio_url, cache_url : str
        URL of a copy of the audio and of the feature cache that the workers can reach; empty for this folder.
    partition_songs : int
        Number of songs above which workers write the features themselves, see `songgenre.partitions`.
    """

    scheduler: str | None = Field(pattern=r"^(tcp|tls)://\S+$")
    audio_url: str
    cache_url: str
    partition_songs: int = Field(ge=1)

    @model_validator(mode="after")
    def _cache_is_where_the_audio_is(self) -> Compute:
        if self.scheduler and self.audio_url and not self.cache_url:
            raise ValueError(
                "cache_url is empty, but scheduler and audio_url are set; name a place that the workers can reach"
            )
        return self


LOCAL = Compute(scheduler=None, audio_url="", cache_url="", partition_songs=1000)
"""Computation on this machine and in this folder."""


class Params(Section):
    """All sections of ``params.yaml``.

    Parameters
    ----------
    scraping, wrangling, eda, features, sklearn, cnn, transfer, evaluation, compute : Section
        Sections of the file.
    """

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
                f"evaluation.ensemble: {', '.join(unknown)} not among the trained models "
                f"({', '.join(sorted(trained))}).{did_you_mean(unknown[0], trained)}"
            )
        return self

    @model_validator(mode="after")
    def _crop_fits_into_the_mel_image(self) -> Params:
        frames = 1 + round(self.wrangling.clip_duration_s * self.features.sample_rate) // self.features.hop_length
        if self.cnn.sampling.crop_frames > frames:
            raise ValueError(
                f"cnn.sampling.crop_frames must not exceed {frames}, the frames of a clip of "
                f"{self.wrangling.clip_duration_s:g} s"
            )
        if self.features.n_mels < 1 << len(self.cnn.network.filters):
            raise ValueError(
                f"cnn.network.filters has too many blocks for features.n_mels, {self.features.n_mels}; each halves them"
            )
        return self

    def section(self, name: str) -> dict[str, Any]:
        """Return the parameters of one section as plain literals.

        Parameters
        ----------
        name : str
            Name of the section.

        Returns
        -------
        dict
            Value of each parameter; nested sections are dictionaries.

        Raises
        ------
        UserError
            If there is no such section.
        """
        if name not in type(self).model_fields:
            sections = list(type(self).model_fields)
            raise UserError(
                f"params.yaml: no section {name!r}.{did_you_mean(name, sections)} "
                f"The sections are {', '.join(sections)}."
            )
        section: Section = getattr(self, name)
        return section.model_dump()


def load_params(path: Path) -> Params:
    """Read and validate ``params.yaml``.

    The file is YAML 1.2, as DVC reads it: ``1e-3`` is a number and ``no`` a string.

    Parameters
    ----------
    path : Path
        File with the parameters.

    Returns
    -------
    Params
        Validated parameters. Commands and notebooks pass each function the section that it needs.

    Raises
    ------
    UserError
        If the file is missing or not valid YAML; if an address contains a password or a token; or if parameters are
        missing, unknown, of the wrong type or out of range. The message names every such parameter.
    """
    return _validate(_parse(path), path)


def write_section(path: Path, name: str, values: Mapping[str, Any]) -> None:
    """Set parameters of a section of ``params.yaml``; comments and all other lines stay.

    Parameters
    ----------
    path : Path
        File with the parameters.
    name : str
        Name of the section.
    values : mapping
        From parameter to its new value; the other parameters of the section stay.

    Raises
    ------
    UserError
        If the file is missing or not valid YAML, or the new parameters are not valid; the file is then unchanged.
    """
    parameters = _validate(_parse(path), path)
    changed = {**parameters.section(name), **values}
    wanted = _validate(parameters.model_dump() | {name: changed}, f"{path} (not changed)")
    yaml = YAML()
    yaml.Representer = _Representer
    yaml.preserve_quotes, yaml.width = True, 1_000_000
    content = yaml.load(path)
    _merge(content[name], changed)
    with replacing(path.resolve()) as partial:
        yaml.dump(content, partial)
        shutil.copymode(path, partial)
        if _validate(_parse(partial), path) != wanted:
            raise UserError(f"{path}: not changed, as YAML would change a value. Remove control characters from it.")


def _validate(content: Any, path: object) -> Params:
    """Check the content of a file with parameters."""
    for name, text in _texts(content):
        if re.match(r"[a-z][a-z0-9+.-]*://", text, re.IGNORECASE) and redact(text) != text:
            raise UserError(
                f"{path}: {name} is an address with a password or a token. Git stores this file, and DVC, the "
                "notebooks and the reports repeat its values. Remove the secret and set it where the library that "
                "opens the address reads it, such as AWS_SECRET_ACCESS_KEY for s3://."
            )
    try:
        return Params.model_validate(content)
    except ValidationError as error:
        problems = "\n".join(f"  {_describe(problem)}" for problem in error.errors())
        raise UserError(f"{path}: invalid parameters. Correct them:\n{problems}") from None


def _parse(path: Path) -> Any:
    """Read YAML whose content is finite."""
    try:
        content = YAML(typ="safe", pure=True).load(path)
    except FileNotFoundError:
        raise UserError(f"{path}: not found. Restore it, for example with `git checkout -- params.yaml`.") from None
    except OSError as error:
        raise UserError(f"{path}: cannot be read ({error.strerror}). Check the path and its permissions.") from None
    except RecursionError:
        raise UserError(f"{path}: nested too deeply. Remove the brackets that are too many.") from None
    except MarkedYAMLError as error:
        line = f" in line {error.problem_mark.line + 1}" if error.problem_mark else ""
        raise UserError(f"{path}: not valid YAML{line}: {redact(str(error.problem))}. Correct the line.") from None
    except YAMLError as error:
        raise UserError(f"{path}: not valid YAML ({redact(str(error))}). Correct it.") from None
    except Exception as error:  # values such as a month 13, a number of 5,000 digits or !!int abc
        raise UserError(f"{path}: a value is not valid ({redact(str(error))}). Correct it.") from None
    if not _is_small(content):
        raise UserError(
            f"{path}: more than {MAX_VALUES} values, or an alias that refers to itself. Write values without aliases."
        )
    return content


def _is_small(content: Any) -> bool:
    """Tell whether content has at most `MAX_VALUES` values, where each alias counts as often as it is used."""
    waiting, n = [content], 0
    while waiting and n <= MAX_VALUES:
        value = waiting.pop()
        n += 1
        if isinstance(value, dict):
            waiting += value.values()
        elif isinstance(value, list):
            waiting += value
    return n <= MAX_VALUES


class _Representer(RoundTripRepresenter):
    """Write nothing as ``null``, as ``params.yaml`` does."""

    def represent_none(self, data: None) -> ScalarNode:
        return self.represent_scalar("tag:yaml.org,2002:null", "null")


_Representer.add_representer(type(None), _Representer.represent_none)


def _merge(section: CommentedMap, values: Mapping[str, Any]) -> None:
    """Give a section other values; lines of equal values stay, and comments of changed ones."""
    for name in section.keys() - values.keys():
        del section[name]
    for name, value in values.items():
        current = section.get(name)
        if isinstance(current, CommentedMap) and isinstance(value, Mapping) and value:
            _merge(current, value)
        elif name not in section or current != value:
            section[name] = _as_nodes(value)
            if isinstance(current, CommentedSeq) and isinstance(value, list):
                section[name].ca.comment = current.ca.comment
            _move_comments(section.ca.items.get(name), getattr(current, "ca", Comment()).comment)


def _as_nodes(value: Any) -> Any:
    """Give new values the layout of ``params.yaml``: lists, and what is empty, in one line."""
    if isinstance(value, Mapping):
        nodes: CommentedMap | CommentedSeq = CommentedMap((name, _as_nodes(each)) for name, each in value.items())
    elif isinstance(value, list):
        nodes = CommentedSeq(map(_as_nodes, value))
    else:
        return value
    if isinstance(value, list) or not value:
        nodes.fa.set_flow_style()
    return nodes


def _move_comments(*groups: list[CommentToken | None] | None) -> None:
    """Put comments directly behind the values, which may be shorter than before."""
    for token in (token for group in groups for token in group or []):
        if token is not None:
            token.start_mark.column = 0


def _describe(problem: ErrorDetails) -> str:
    """Name a parameter, what is wrong with it and its value."""
    place = ".".join(map(str, problem["loc"]))
    if problem["type"] == "missing":
        return f"{place}: missing"
    if problem["type"] == "extra_forbidden":
        return f"{place}: no such parameter; {_suggest(place)}"
    if problem["type"] == "string_pattern_mismatch":
        return f"{place}: must match the regular expression {problem['ctx']['pattern']}{_got(problem['input'])}"
    fact = problem["msg"].removeprefix("Value error, ").replace("Input should be", "must be")
    return f"{place}: {fact}{_got(problem['input'])}".removeprefix(": ")


def _suggest(place: str) -> str:
    """Suggest the parameter of the same section whose name is nearest."""
    *above, name = place.split(".")
    section: type[BaseModel] = Params
    for part in above:
        section = section.model_fields[part].annotation  # type: ignore[assignment]
    nearest = difflib.get_close_matches(name, section.model_fields, n=1)
    return f"did you mean {nearest[0]}?" if nearest else f"the parameters here are {', '.join(section.model_fields)}"


def _refuse_repeats(name: str, members: list[str]) -> None:
    if len(set(members)) < len(members):
        raise ValueError(f"{name} must name each model once")


def _got(value: Any) -> str:
    """Quote a wrong value, but not a whole section."""
    return "" if isinstance(value, dict | BaseModel) else f", got {redact(repr(value))}"


def _texts(content: Any, name: str = "") -> Iterator[tuple[str, str]]:
    """Yield each text in nested parameters with the name of its parameter."""
    if isinstance(content, str):
        yield name, content
    elif isinstance(content, dict):
        for key, value in content.items():
            yield from _texts(value, f"{name}.{key}".lstrip("."))
    elif isinstance(content, list):
        for item in content:
            yield from _texts(item, name)
