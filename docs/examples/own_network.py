"""A network of one's own: train it on the samples of a workspace, save it as ONNX, map it.

    python docs/examples/own_network.py run.yaml scikit-learn
    python docs/examples/own_network.py run.yaml torch

writes `network.onnx` into the workspace and makes the map with it. The first way needs the packages
scikit-learn and skl2onnx, the second torch and onnxscript; both need the extra `[onnx]`.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path

import numpy as np
import onnx
from onnx import TensorProto, helper

from cpazmal_scale.config import RunConfig
from cpazmal_scale.stages import classify, train
from cpazmal_scale.stages.samples import training_data


def main(settings: Path, way: str) -> None:
    """Train, save and map."""
    config = RunConfig.load(settings)
    series, windows = training_data(config)
    values = np.nan_to_num(series.values)  # the network is given each number's mean instead of NaN
    make = {"scikit-learn": with_scikit_learn, "torch": with_torch}[way]
    network = make(values, windows["class"].to_numpy(str))
    told = {
        "classes": json.dumps(sorted(set(windows["class"]))),
        "features": json.dumps(list(series.names)),
        "dates": json.dumps(series.dates.astype("datetime64[D]").astype(str).tolist()),
    }
    helper.set_model_props(network, told)
    path = Path(config.workspace) / "network.onnx"
    onnx.save_model(network, path)
    own = config.with_values({"classify": {"method": "onnx", "network": str(path)}})
    model = train.train(own)
    entry, _ = classify.classify(own)
    sys.stdout.write(f"{path}\n{model.metadata['card']}\n{entry}\n")


def with_scikit_learn(values: np.ndarray, labels: np.ndarray) -> onnx.ModelProto:
    """Extremely randomised trees on the K·T numbers of a series."""
    from skl2onnx import convert_sklearn
    from skl2onnx.common.data_types import FloatTensorType
    from sklearn.ensemble import ExtraTreesClassifier

    numbers = values.reshape(len(values), -1)
    trees = ExtraTreesClassifier(200, random_state=0).fit(numbers, labels)
    network = convert_sklearn(
        trees,
        initial_types=[("flat", FloatTensorType([None, numbers.shape[1]]))],
        options={"zipmap": False},
        target_opset=17,
    )
    return of_series(network, *values.shape[1:])


def of_series(network: onnx.ModelProto, features: int, dates: int) -> onnx.ModelProto:
    """The same for input (N, K, T) instead of (N, K·T)."""
    graph = network.graph
    flat = graph.input[0].name
    shape = helper.make_tensor("flat_shape", TensorProto.INT64, [2], [-1, features * dates])
    graph.initializer.append(shape)
    graph.node.insert(0, helper.make_node("Reshape", ["series", "flat_shape"], [flat]))
    del graph.input[:]
    graph.input.append(
        helper.make_tensor_value_info("series", TensorProto.FLOAT, [None, features, dates])
    )
    return network


def with_torch(values: np.ndarray, labels: np.ndarray) -> onnx.ModelProto:
    """Two convolutions along the dates, their mean, and a linear layer; logits as output."""
    import torch

    torch.manual_seed(0)
    x = torch.tensor(values, dtype=torch.float32)
    y = torch.tensor(np.unique(labels, return_inverse=True)[1])
    mean, scale = x.mean(dim=(0, 2), keepdim=True), x.std(dim=(0, 2), keepdim=True)

    class Network(torch.nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.layers = torch.nn.Sequential(
                torch.nn.Conv1d(x.shape[1], 64, 7, padding=3),
                torch.nn.ReLU(),
                torch.nn.Conv1d(64, 64, 5, padding=2),
                torch.nn.ReLU(),
                torch.nn.AdaptiveAvgPool1d(1),
                torch.nn.Flatten(),
                torch.nn.Linear(64, int(y.max()) + 1),
            )

        def forward(self, series: torch.Tensor) -> torch.Tensor:
            return self.layers((series - mean) / scale)

    network = Network()
    optimiser = torch.optim.Adam(network.parameters(), 1e-3)
    for _ in range(60):
        for some in torch.randperm(len(x)).split(64):
            optimiser.zero_grad()
            torch.nn.functional.cross_entropy(network(x[some]), y[some]).backward()
            optimiser.step()
    program = torch.onnx.export(
        network.eval(), (x[:2],), input_names=["series"], dynamic_shapes={"series": {0: "N"}}
    )
    return program.model_proto


if __name__ == "__main__":
    main(Path(sys.argv[1]), sys.argv[2])
