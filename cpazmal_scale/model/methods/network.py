"""A network of one's own as an ONNX file, run by onnxruntime in the place of a learnt classifier.

The file is untrusted: its size is bounded, it may not refer to data in other files, it runs with
the operators of the runtime alone, and its bytes are kept in the model with their SHA-256.
"""

from __future__ import annotations

import functools
import hashlib
import json
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np
import onnx
import onnxruntime
from google.protobuf.message import DecodeError, Message

from cpazmal_scale.errors import ConfigError, ModelMismatch
from cpazmal_scale.model.methods.flat import NEAREST_DAYS, FlatClassifier, imputed

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import ArrayLike, NDArray

    from cpazmal_scale.config import RunConfig

MOST_BYTES = 256 * 2**20
"""Largest file that is read."""
_LEAST = 1e-12
_SESSIONS: dict[str, Any] = {}
"""Running networks of this process by SHA-256: a worker opens each once."""


class Network(FlatClassifier):
    """Classes that a network tells of series `(N, K, T)`, missing numbers filled with their mean.

    Attributes:
        network_: uint8, the bytes of the ONNX file.
        names_: text `(C,)` classes in the network's order.
        logits_: 1 where the network gives logits, 0 where it gives probabilities.
        fill_: float32 `(K·T,)` means, which stand for missing numbers.
    """

    fitted: ClassVar[tuple[str, ...]] = ("network_", "names_", "logits_", "fill_")
    nanoseconds: ClassVar[float] = 3.0

    def __init__(
        self,
        days: ArrayLike | None = None,
        nearest_days: float = NEAREST_DAYS,
        min_dates: int = 1,
        reject: float | None = None,
        temperature: float | None = None,
        seed: int = 0,
        file: bytes | None = None,
    ) -> None:
        super().__init__(days, nearest_days, min_dates, reject, temperature, seed)
        self.file = file

    def get_params(self, deep: bool = True) -> dict[str, Any]:
        """Settings; the file is kept as an array."""
        return {name: value for name, value in super().get_params(deep).items() if name != "file"}

    def expect(self, features: Sequence[str], dates: NDArray[np.datetime64]) -> None:
        """Compare what the file says of its input with what a run will give it.

        Raises:
            ModelMismatch: other features, dates or numbers of them.
        """
        _, told, shape = _opened(bytes(self.file or b""))
        given = (len(features), len(dates))
        for what, own, wanted in zip(("features", "dates"), given, shape[1:], strict=True):
            if isinstance(wanted, int) and wanted != own:
                raise ModelMismatch(
                    f"the network wants {wanted} {what}, the run has {own}",
                    remedy="make the network from the same cube, period and features",
                )
        days = [str(day)[:10] for day in dates.astype("datetime64[D]")]
        for what, ours in (("features", list(features)), ("dates", days)):
            theirs = _listed(told.get(what))
            if theirs is not None and [t[:10] if what == "dates" else t for t in theirs] != ours:
                raise ModelMismatch(
                    f"the network was made for other {what}: {', '.join(theirs[:4])} …",
                    remedy="make the network from the same cube, period and features",
                )

    def learn(
        self,
        values: NDArray[np.float64],
        codes: NDArray[np.intp],  # noqa: ARG002
        groups: NDArray[np.intp] | None,  # noqa: ARG002
    ) -> None:
        """Take the network, and try it on the training vectors `(N, K·T)`."""
        raw = bytes(self.file or b"")
        session, told, _ = _opened(raw)
        self.network_ = np.frombuffer(raw, np.uint8).copy()
        self.__dict__.pop("_digest", None)
        self.fill_ = imputed(values)[1].astype(np.float32)
        answers, mapped = _run(session, self._input(np.ascontiguousarray(values.T, np.float32)))
        names = _listed(told.get("classes")) or mapped
        if names is None:
            raise ModelMismatch(
                "the network names no classes",
                remedy="write them to `classes` in metadata_props, a JSON list in its order",
            )
        if sorted(names) != [str(label) for label in self.classes_]:
            labels = ", ".join(map(str, self.classes_))
            raise ModelMismatch(
                f"the network names {', '.join(sorted(names))}, the samples {labels}",
                remedy="train it on these samples, or set samples.classes to its classes",
            )
        _require_answers(answers, len(values), len(names))
        self._require_each_alone(session, values, answers)
        chances = (answers >= 0).all() and np.allclose(answers.sum(axis=1), 1, atol=1e-3)
        self.names_, self.logits_ = np.array(names, str), np.array(not chances, np.uint8)

    def _require_each_alone(
        self, session: Any, values: NDArray[np.float64], answers: NDArray[np.floating]
    ) -> None:
        """Refuse a network whose answer to a series is by chance, or hangs on the series beside it.

        A map of it would depend on how it is cut into blocks.
        """
        some = np.ascontiguousarray(values[: (len(values) + 1) // 2].T, np.float32)
        again, _ = _run(session, self._input(some))
        largest = max(1.0, float(np.abs(answers).max()))
        if again.shape != answers[: some.shape[1]].shape or not np.allclose(
            again, answers[: some.shape[1]], rtol=0, atol=1e-3 * largest
        ):
            raise ValueError("the network answers otherwise when the same series are asked again")

    def scores(self, block: NDArray[np.float32]) -> NDArray[np.float64]:
        """Logits, or logarithms of probabilities, `(C, P)` of raw vectors `(K·T, P)`."""
        session = _SESSIONS.get(self._digest) or _opened(self.network_.tobytes())[0]
        answers, _ = _run(session, self._input(block))
        _require_answers(answers, block.shape[1], len(self.names_))
        order = np.argsort(self.names_)
        found = np.ascontiguousarray(answers[:, order].T, np.float64)
        return found if self.logits_ else np.log(np.maximum(found, _LEAST))

    @functools.cached_property
    def _digest(self) -> str:
        """SHA-256 of the file, which tells its session; taken once and not for every tile."""
        return hashlib.sha256(self.network_.tobytes()).hexdigest()

    @property
    def facts_(self) -> dict[str, str]:
        """What the card says of the file."""
        return {"network_sha256": self._digest}

    def check(self) -> None:
        """Refuse classes or means of another shape; the file is checked when it is opened."""
        super().check()
        if sorted(self.names_.tolist()) != [str(label) for label in self.classes_]:
            raise ValueError("the classes of the network are damaged, or of another shape")
        if self.fill_.shape != (self.n_features_in_ * self.dates_in_,):
            raise ValueError(f"means of shape {self.fill_.shape}")
        if self.network_.dtype != np.uint8 or self.logits_.shape != ():
            raise ValueError("the network is damaged, or of another shape")

    def _calibrate(
        self,
        series: NDArray[np.float64],
        codes: NDArray[np.intp],
        groups: NDArray[np.intp] | None,  # noqa: ARG002
    ) -> None:
        """What the file says: whether the network has seen a polygon is not known here."""
        super()._calibrate(series, codes, None)
        self.calibrated_ = _opened(self.network_.tobytes())[1].get("calibrated") == "true"

    def _input(self, block: NDArray[np.float32]) -> NDArray[np.float32]:
        """Complete series `(N, K, T)` of raw vectors `(K·T, N)`."""
        whole = np.where(np.isnan(block), self.fill_[:, None], block).T
        return np.ascontiguousarray(whole).reshape(-1, self.n_features_in_, self.dates_in_)


def make(config: RunConfig, days: NDArray[np.float64] | None) -> Network:
    """The network of a run's `classify.network`.

    Raises:
        ConfigError: there is none, or it is too large.
    """
    from cpazmal_scale import storage

    url = config.classify.network
    if url is None:
        raise ConfigError("no network is named", remedy="set classify.network to an ONNX file")
    with storage.open_binary(url) as file:
        raw = file.read(MOST_BYTES + 1)
    if len(raw) > MOST_BYTES:
        raise ConfigError(f"the network has more than {MOST_BYTES} bytes", where=url)
    made = Network.of_run(config, days)
    made.file = raw
    try:
        _opened(raw)
    except ConfigError as error:
        raise ConfigError(error.what, where=url, remedy=error.remedy) from None
    return made


def _opened(raw: bytes) -> tuple[Any, dict[str, str], list[Any]]:
    """A session on one thread, what the file says of itself, and the shape of its input.

    Raises:
        ConfigError: no network, data in other files, or another input than `(N, K, T)`.
    """
    name = hashlib.sha256(raw).hexdigest()
    if name not in _SESSIONS:
        _SESSIONS[name] = _session(raw)
    session = _SESSIONS[name]
    (one, *more) = session.get_inputs()
    if more or len(one.shape) != 3 or one.type != "tensor(float)":
        raise ConfigError(
            f"the network's input is {one.type} {one.shape}{' and others' if more else ''}",
            remedy="give it one float input (N, K, T): series, features, dates",
        )
    if isinstance(one.shape[0], int):
        raise ConfigError(
            f"the network takes {one.shape[0]} series at a time",
            remedy="export it with a free first dimension (dynamic_shapes, dynamic_axes)",
        )
    return session, session.get_modelmeta().custom_metadata_map, one.shape


def _session(raw: bytes) -> Any:
    try:
        graph = onnx.load_model_from_string(raw)
    except (ValueError, DecodeError) as error:
        raise ConfigError(
            f"no ONNX network: {_in_one_line(error)}", remedy="export the model again"
        ) from None
    if _refers_outside(graph):
        raise ConfigError(
            "the network refers to data in other files", remedy="save all tensors in one file"
        )
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = options.inter_op_num_threads = 1
    options.log_severity_level = 4  # what it says is raised as well
    try:
        return onnxruntime.InferenceSession(raw, options, providers=["CPUExecutionProvider"])
    except Exception as error:  # noqa: BLE001  the runtime's errors have no base of their own
        raise _not_run(error) from None


def _refers_outside(message: Message) -> bool:
    """Whether any tensor, wherever it stands in a network, names data elsewhere."""
    if isinstance(message, onnx.TensorProto) and (
        message.external_data or message.data_location == onnx.TensorProto.EXTERNAL
    ):
        return True
    for field, value in message.ListFields():
        if field.message_type is not None:
            inner = [value] if isinstance(value, Message) else value
            if any(map(_refers_outside, inner)):
                return True
    return False


def _not_run(error: Exception) -> ConfigError:
    return ConfigError(
        f"the network cannot be run: {_in_one_line(error)}", remedy="export it again"
    )


def _in_one_line(error: Exception) -> str:
    return " ".join(str(error).split())[:300]


def _require_answers(answers: NDArray[np.floating], series: int, classes: int) -> None:
    """Refuse answers that are none.

    Raises:
        ModelMismatch: another number of them, or no finite numbers.
    """
    if answers.shape != (series, classes) or not np.isfinite(answers).all():
        what = "of shape " + " × ".join(map(str, answers.shape))
        what += "" if np.isfinite(answers).all() else ", some not finite"
        raise ModelMismatch(
            f"the network gives numbers {what} for {series} series and {classes} classes",
            remedy="export it with any number of series as input, and one number for each class",
        )


def _run(session: Any, series: NDArray[np.float32]) -> tuple[NDArray[np.floating], Any]:
    """Numbers `(N, C)` per class, and the classes where the output is a map of them."""
    try:
        made = session.run(None, {session.get_inputs()[0].name: series})
    except Exception as error:  # noqa: BLE001  the runtime's errors have no base of their own
        raise _not_run(error) from None
    for value in reversed(made):
        if isinstance(value, list) and value and isinstance(value[0], dict):
            names = list(value[0])
            return np.array([[row[name] for name in names] for row in value]), [*map(str, names)]
        if isinstance(value, np.ndarray) and value.ndim == 2 and value.dtype.kind == "f":
            return value, None
    raise ModelMismatch(
        "the network has no output (N, C) of numbers, nor a map of classes",
        remedy="let it give probabilities or logits, not the class alone",
    )


def _listed(text: str | None) -> list[str] | None:
    """A list that a file's metadata hold as JSON, or separated by commas."""
    if text is None:
        return None
    try:
        found = json.loads(text)
    except (ValueError, RecursionError):
        found = text.split(",")
    return [str(one).strip() for one in (found if isinstance(found, list) else [found])]


opened = Network.from_state
