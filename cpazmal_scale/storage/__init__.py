"""The few object-store operations everything else uses, on any fsspec URL."""

from cpazmal_scale.addresses import (
    absolute,
    is_remote,
    join,
    local_path,
)
from cpazmal_scale.storage.documents import (
    json_bytes,
    read_arrays,
    read_json,
    write_arrays,
    write_json,
)
from cpazmal_scale.storage.files import (
    REQUESTS,
    create_bytes,
    each,
    read_bytes,
    remove,
    sweep,
    upload,
    write_bytes,
)
from cpazmal_scale.storage.look import (
    exists,
    find,
    list_names,
    modified,
    sizes,
    stamp,
    tags,
)
from cpazmal_scale.storage.opening import (
    open_binary,
    open_local,
    open_seekable,
    zarr_store,
)
from cpazmal_scale.storage.reach import filesystem_of, is_from_store, one_sentence
from cpazmal_scale.storage.temporary import local_scratch, scratch

__all__ = [
    "REQUESTS",
    "absolute",
    "create_bytes",
    "each",
    "exists",
    "filesystem_of",
    "find",
    "is_from_store",
    "is_remote",
    "join",
    "json_bytes",
    "list_names",
    "local_path",
    "modified",
    "one_sentence",
    "open_binary",
    "open_local",
    "open_seekable",
    "read_arrays",
    "read_bytes",
    "read_json",
    "remove",
    "sizes",
    "stamp",
    "scratch",
    "sweep",
    "tags",
    "local_scratch",
    "upload",
    "write_arrays",
    "write_bytes",
    "write_json",
    "zarr_store",
]
