"""Credentials of the object store from a Prefect block."""

from __future__ import annotations

import json
import os
from typing import Any

from fsspec.config import conf, set_conf_env
from prefect.blocks.core import Block
from pydantic import SecretStr

from cpazmal_scale.errors import ConfigError

VARIABLE = "CPAZMAL_CREDENTIALS"
"""Environment variable of the worker or job that names the block, such as `aws-credentials/paz`."""


def use_block() -> None:
    """Put what the block holds into the environment, where Dask workers look, and into fsspec.

    Nothing happens without the variable. A `secret` block holds a JSON object of environment
    variables; an `aws-credentials` block (prefect-aws) is translated.

    Raises:
        ConfigError: there is no such block, or it holds something else.
    """
    name = os.environ.get(VARIABLE)
    if name is None:
        return
    try:
        os.environ.update(_variables(Block.load(name)))
        set_conf_env(conf)  # fsspec looked when it was imported
    except (ValueError, TypeError, AttributeError) as error:
        # Never the message: it may quote what the block holds.
        raise ConfigError(
            f"the Prefect block `{name}` gives no credentials ({type(error).__name__})",
            where=VARIABLE,
            remedy="name a `secret` block with a JSON object of variables, or `aws-credentials/…`",
        ) from None


def _variables(block: Any) -> dict[str, str]:
    if block.get_block_type_slug() == "secret":
        held = block.get()
        values = json.loads(held) if isinstance(held, str) else held
        return {str(name): str(value) for name, value in values.items()}
    found = {
        "AWS_ACCESS_KEY_ID": block.aws_access_key_id,
        "AWS_SECRET_ACCESS_KEY": block.aws_secret_access_key,
        "AWS_SESSION_TOKEN": block.aws_session_token,
        "AWS_PROFILE": block.profile_name,
        "AWS_DEFAULT_REGION": block.region_name,
        "AWS_ENDPOINT_URL": block.aws_client_parameters.endpoint_url,
    }
    return {
        name: value.get_secret_value() if isinstance(value, SecretStr) else str(value)
        for name, value in found.items()
        if value is not None
    }
