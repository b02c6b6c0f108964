"""The one switch between the two halves of the hot path. `COMPILED` says which of them runs."""

from __future__ import annotations

from mangum._speedups.pure import (
    decode_body,
    decode_headers,
    decode_path,
    encode_alb_query_string,
    encode_body,
    encode_edge_headers,
    encode_headers,
    encode_multi_value_headers,
    encode_path,
    encode_query_string,
    fold_headers,
    group_headers,
    split_headers,
    split_host,
)

COMPILED = False

__all__ = [
    "COMPILED",
    "decode_body",
    "decode_headers",
    "decode_path",
    "encode_alb_query_string",
    "encode_body",
    "encode_edge_headers",
    "encode_headers",
    "encode_multi_value_headers",
    "encode_path",
    "encode_query_string",
    "fold_headers",
    "group_headers",
    "split_headers",
    "split_host",
]
