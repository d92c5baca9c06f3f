"""The loop that describing and stock-taking share: due, fetch, land, normalise, merge; and what a killed run left.

An answer is landed as it came before it is interpreted; that it was landed, normalised and merged is recorded in the
transaction of the merge. A run that is killed therefore loses nothing that was landed, and repeats at most one batch:
one hand-over of answers is fetched while the one before it is landed and merged, and a batch is the two (ADR 0004).
"""

import time
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from datetime import timedelta
from typing import Any, Protocol

import orjson
import pyarrow as pa

from dropship_pipeline.alibaba.answers import unwrap
from dropship_pipeline.alibaba.errors import ApiError, Refused
from dropship_pipeline.alibaba.fanout import Answered, Failed, Outcome
from dropship_pipeline.alibaba.operations import Operation
from dropship_pipeline.alibaba.requests import Request
from dropship_pipeline.alibaba.values import Unreadable
from dropship_pipeline.catalog.ledger import Ledger
from dropship_pipeline.catalog.rejects import Rejects
from dropship_pipeline.storage.raw import RawAnswer, RawFile, read_raw, unmerged
from dropship_pipeline.sync.request import SyncRequest
from dropship_pipeline.sync.session import Session
from dropship_pipeline.sync.summary import StageOutcome
