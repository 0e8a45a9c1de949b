"""A network of one's own: what it says is what the map says, and what does not fit is refused."""

from __future__ import annotations

import importlib.util
import json
import sys
from pathlib import Path

import numpy as np
import pytest

from cpazmal_scale.config import RunConfig
from cpazmal_scale.errors import ConfigError, CpazmalError, ModelMismatch
from cpazmal_scale.model import methods, open_model, save_model, train
from cpazmal_scale.samples import WindowSeries

onnx = pytest.importorskip("onnx", reason="needs the extra `onnx`")
pytest.importorskip("onnxruntime", reason="needs the extra `onnx`")

EXAMPLE = Path(__file__).parents[2] / "docs" / "examples" / "own_network.py"
DATES = np.datetime64("2020-01-08", "s") + np.arange(12) * np.timedelta64(11 * 86400, "s")
NAMES = ("HH.k1", "HH.k2", "HH.k3")


def example():
    specification = importlib.util.spec_from_file_location("own_network", EXAMPLE)
    module = importlib.util.module_from_spec(specification)
    specification.loader.exec_module(module)
    return module


def windows(seed=0, count=60):
    rng = np.random.default_rng(seed)
    codes = np.arange(count) % 3
    values = rng.normal(codes[:, None, None] * 0.8, 0.5, (count, 3, 12)).astype(np.float32)
    labels = np.array(["ABL", "ICA", "ROC"])[codes]
    return values, labels, np.array([f"{label}-{n % 5}" for n, label in enumerate(labels)])


def saved(folder, network, **told):
    facts = {"classes": ["ABL", "ICA", "ROC"], "features": list(NAMES)} | told
    onnx.helper.set_model_props(network, {name: json.dumps(one) for name, one in facts.items()})
    path = folder / "network.onnx"
    onnx.save_model(network, path)
    return path


def changed(network, *, reshape=None, outputs=None, first=None):
    """A copy that reshapes its input otherwise, has fewer outputs or one number of series."""
    made = onnx.ModelProto.FromString(network.SerializeToString())
    if reshape is not None:
        (shape,) = (one for one in made.graph.initializer if one.name == "flat_shape")
        shape.CopyFrom(onnx.helper.make_tensor("flat_shape", onnx.TensorProto.INT64, [2], reshape))
    if outputs is not None:
        del made.graph.output[outputs:]
    if first is not None:
        made.graph.input[0].type.tensor_type.shape.dim[0].dim_value = first
    return made


def trained(path, names=NAMES, classes=slice(None)):
    values, labels, groups = windows()
    config = RunConfig.parse({"classify": {"method": "onnx", "network": str(path)}})
    series = WindowSeries(values[classes], names, DATES)
    how = {"polarisations": ("HH",), "provenance": {}}
    return train(series, labels[classes], groups[classes], config, **how)


@pytest.fixture(scope="module")
def forest():
    pytest.importorskip("skl2onnx", reason="makes the network of this test")
    return example().with_scikit_learn(*windows()[:2])


def test_a_map_says_what_the_library_says(tmp_path, forest) -> None:
    """scikit-learn's own probabilities, from a stored model, with any number of pixels."""
    from sklearn.ensemble import ExtraTreesClassifier

    values, labels, _ = windows()
    peer = ExtraTreesClassifier(200, random_state=0).fit(values.reshape(60, -1), labels)
    model = trained(saved(tmp_path, forest))
    save_model(model, str(tmp_path / "model.zarr"))
    own = open_model(str(tmp_path / "model.zarr"))
    assert own.provenance["network_sha256"] == own.classifier.facts_["network_sha256"]
    other = windows(1, 90)[0]
    made = own.classifier.classify_block(np.ascontiguousarray(other.transpose(1, 2, 0)))
    expected = peer.predict_proba(other.reshape(90, -1))
    np.testing.assert_allclose(made.probability.T, expected, atol=1e-5)
    alone = own.classifier.classify_block(np.ascontiguousarray(other[4:5].transpose(1, 2, 0)))
    np.testing.assert_allclose(alone.probability[:, 0], made.probability[:, 4], atol=1e-6)
    assert not own.classifier.calibrated_
    gone = other.copy()
    gone[:, :, 3] = np.nan
    filled = other.copy()
    filled[:, :, 3] = values[:, :, 3].mean(axis=0)
    one, two = (own.classifier.decide(x).probability for x in (gone, filled))
    np.testing.assert_allclose(one, two, atol=1e-4)


def test_what_does_not_fit_is_refused(tmp_path, forest) -> None:
    path = saved(tmp_path, forest, features=["VV.k1", "VV.k2", "VV.k3"])
    with pytest.raises(ModelMismatch, match="other features: VV"):
        trained(path)
    path = saved(tmp_path, forest, dates=["2019-01-01"] * 12)
    with pytest.raises(ModelMismatch, match="other dates"):
        trained(path)
    path = saved(tmp_path, forest, classes=["ABL", "FOR", "ROC"])
    with pytest.raises(Exception, match="the network names ABL, FOR, ROC"):
        trained(path)
    with pytest.raises(ConfigError, match="the network cannot be run"):
        trained(saved(tmp_path, changed(forest, reshape=[-1, 7])))
    with pytest.raises(ModelMismatch, match="no output"):
        trained(saved(tmp_path, changed(forest, outputs=1)))
    with pytest.raises(ModelMismatch, match="names no classes"):
        trained(saved(tmp_path, forest, classes=[]))
    with pytest.raises(ConfigError, match="takes 1 series at a time"):
        trained(saved(tmp_path, changed(forest, first=1)))
    flat = onnx.ModelProto.FromString(forest.SerializeToString())
    flat.graph.input[0].type.tensor_type.shape.dim[2].dim_value = 13
    with pytest.raises((ModelMismatch, ConfigError)):
        trained(saved(tmp_path, flat))


def test_hostile_files_are_refused(tmp_path, forest, monkeypatch) -> None:
    from cpazmal_scale.model.methods import network

    path = saved(tmp_path, forest)
    whole = path.read_bytes()
    for raw in (b"", b"\x00" * 100, whole[: len(whole) // 2]):
        path.write_bytes(raw)
        with pytest.raises(ConfigError):
            trained(path)
    outside = onnx.ModelProto.FromString(whole)
    tensor = next(one for one in outside.graph.initializer)
    tensor.external_data.add(key="location", value="/etc/passwd")
    tensor.data_location = onnx.TensorProto.EXTERNAL
    path.write_bytes(outside.SerializeToString())
    with pytest.raises(ConfigError, match="data in other files"):
        trained(path)
    path.write_bytes(whole)
    monkeypatch.setattr(network, "MOST_BYTES", len(whole) - 1)
    with pytest.raises(ConfigError, match="more than"):
        trained(path)


@pytest.mark.parametrize("package", ["onnx", "onnxruntime", "google.protobuf.message"])
def test_without_the_extra_it_is_named(tmp_path, monkeypatch, package) -> None:
    monkeypatch.setitem(sys.modules, package, None)
    monkeypatch.delitem(sys.modules, "cpazmal_scale.model.methods.network", raising=False)
    with pytest.raises(ConfigError, match=f"needs the package {package}") as caught:
        trained(tmp_path / "network.onnx")
    assert caught.value.remedy == "pip install 'cpazmal-scale[onnx]'"


def test_a_network_learnt_anew_answers_as_the_new_one(tmp_path) -> None:
    """The session of a file is found by a digest that is kept."""
    values, labels, groups = windows()
    answers = []
    made = methods.network.Network(file=None)
    for network in (linear(), linear([(("Neg", ["scores"], ["y"]), {})], "y")):
        made.file = saved(tmp_path, network).read_bytes()
        made.fit(values, labels, groups=groups)
        answers.append(made.scores(np.ascontiguousarray(values.reshape(len(values), -1).T)))
    np.testing.assert_array_equal(answers[0], -answers[1])


def test_a_network_is_brought_not_compared() -> None:
    from cpazmal_scale.assess.validate.methods import chosen

    with pytest.raises(Exception, match="brought, not learnt"):
        RunConfig.parse({"classify": {"candidates": ["sum", "onnx"]}})
    config = RunConfig.parse({"classify": {"method": "onnx"}, "assess": {"methods": ["sum"]}})
    assert chosen(config) == ("DTW barycenter (sum)",)
    with pytest.raises(ConfigError, match="no network is named"):
        methods.make("onnx", config, None)


def test_a_network_made_by_torch(tmp_path) -> None:
    pytest.importorskip("torch", reason="torch is no dependency; the example runs where it is")
    values, labels, _ = windows()
    model = trained(saved(tmp_path, example().with_torch(values, labels)))
    assert (model.classifier.predict(values) == labels).mean() > 0.9
    assert "torch" in sys.modules


def linear(nodes=(), result="scores", batch="N", **numbers):
    """A network `(N, 3, 12)` → `(N, 3)` that ends in further nodes after its `scores`."""
    weights = np.random.default_rng(0).normal(size=(36, 3)).astype("f4")
    make, tensor = onnx.helper, onnx.numpy_helper.from_array
    first = [
        make.make_node("Flatten", ["x"], ["flat"]),
        make.make_node("MatMul", ["flat", "weights"], ["scores"]),
        make.make_node("Shape", ["x"], ["shape"]),
    ]
    graph = make.make_graph(
        [*first, *(make.make_node(*node, **options) for node, options in nodes)],
        "linear",
        [make.make_tensor_value_info("x", onnx.TensorProto.FLOAT, (batch, 3, 12))],
        [make.make_tensor_value_info(result, onnx.TensorProto.FLOAT, None)],
        [tensor(weights, "weights"), *(tensor(np.asarray(v), k) for k, v in numbers.items())],
    )
    network = make.make_model(graph, opset_imports=[make.make_opsetid("", 17)])
    network.ir_version = 9
    return network


def elsewhere():
    tensor = onnx.TensorProto(name="t", data_type=onnx.TensorProto.FLOAT, dims=(4,))
    tensor.external_data.add(key="location", value="secret.bin")
    tensor.data_location = onnx.TensorProto.EXTERNAL
    return tensor


def hidden_places():
    """Networks that name another file where no walk along the graph's own tensors comes by."""
    sparse = onnx.SparseTensorProto(values=elsewhere(), dims=(36, 3))
    held = linear()
    held.graph.sparse_initializer.append(sparse)
    yield held
    constant = linear()
    attribute = constant.graph.node[0].attribute.add(name="sparse_value")
    attribute.type = onnx.AttributeProto.SPARSE_TENSOR
    attribute.sparse_tensor.CopyFrom(sparse)
    yield constant
    called = linear()
    inner = called.functions.add(name="F", domain="own").node.add(op_type="If").attribute.add()
    inner.name, inner.type = "then_branch", onnx.AttributeProto.GRAPH
    inner.g.initializer.append(elsewhere())
    yield called
    learning = linear()
    learning.training_info.add().algorithm.initializer.append(elsewhere())
    yield learning


@pytest.mark.parametrize(
    "network", [*hidden_places()], ids=["sparse", "constant", "function", "info"]
)
def test_no_tensor_anywhere_refers_to_another_file(tmp_path, network) -> None:
    with pytest.raises(ConfigError, match="data in other files"):
        trained(saved(tmp_path, network))


def test_a_plain_network_is_taken(tmp_path) -> None:
    assert trained(saved(tmp_path, linear())).classifier.logits_


BY_CHANCE = [(("RandomNormalLike", ["scores"], ["y"]), {})]
BY_NUMBER = [
    (("Cast", ["shape"], ["real"]), {"to": 1}),
    (("ReduceMax", ["real"], ["largest"]), {"keepdims": 0}),
    (("Mul", ["scores", "largest"], ["y"]), {}),
]
TOO_LARGE = [
    (("Expand", ["nothing", "sizes"], ["much"]), {}),
    (("ReduceSum", ["much"], ["none"]), {"keepdims": 0}),
    (("Add", ["scores", "none"], ["y"]), {}),
]
NOTHING, SIZES = np.zeros(1, "f4"), np.array([400_000, 400_000])


@pytest.mark.parametrize(
    ("nodes", "numbers", "batch", "said"),
    [
        (BY_CHANCE, {}, "N", "answers otherwise"),
        (BY_NUMBER, {}, "N", "answers otherwise"),
        (TOO_LARGE, {"nothing": NOTHING, "sizes": SIZES}, "N", "cannot be run"),
        ([(("Identity", ["scores"], ["y"]), {})], {}, 60, "takes 60 series at a time"),
        ([(("Div", ["scores", "zero"], ["y"]), {})], {"zero": NOTHING}, "N", "some not finite"),
    ],
    ids=["by chance", "by number", "too large", "one number of series", "not finite"],
)
def test_networks_whose_maps_would_be_none_are_one_sentence(
    tmp_path, capfd, nodes, numbers, batch, said: str
) -> None:
    with pytest.raises(CpazmalError, match=said) as refusal:
        trained(saved(tmp_path, linear(nodes, "y", batch, **numbers)))
    assert len(str(refusal.value).splitlines()) == 1
    assert capfd.readouterr().err == ""


def test_fewer_answers_than_series_are_refused_in_a_map(tmp_path) -> None:
    """It answers the first 60 series of any number, as many as the training has."""
    nodes = [(("Slice", ["scores", "first", "last"], ["y"]), {})]
    network = linear(nodes, "y", first=np.array([0]), last=np.array([60]))
    model = trained(saved(tmp_path, network))
    with pytest.raises(ModelMismatch, match="60 × 3 for 90 series"):
        model.classifier.classify_block(np.ascontiguousarray(windows(1, 90)[0].transpose(1, 2, 0)))


def test_facts_that_are_nested_without_end_are_refused(tmp_path) -> None:
    network = linear()
    onnx.helper.set_model_props(network, {"classes": "[" * 5000})
    onnx.save_model(network, tmp_path / "n.onnx")
    with pytest.raises(CpazmalError, match="the network names"):
        trained(tmp_path / "n.onnx")
