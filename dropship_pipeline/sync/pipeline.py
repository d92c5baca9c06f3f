"""The loop that describing and stock-taking share: due, fetch, land, normalise, merge; and what a killed run left behind.

An answer is landed as it came before it is interpreted; that it was landed, normalised and merged is recorded in the
transaction of the merge. A run that is killed therefore loses nothing that was landed, and repeats at most one batch:
`FanOut` has one hand-over of `HAND_OVER` answers under way while the one before it is merged, and a batch is the two.
"""

import json
import time
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import datetime
from typing import Protocol

import pyarrow as pa

from dropship_pipeline.alibaba.errors import ApiError, Refused
from dropship_pipeline.alibaba.fanout import Answered, Outcome
from dropship_pipeline.alibaba.operations import Operation
from dropship_pipeline.alibaba.protocol import unwrap
from dropship_pipeline.alibaba.requests import Request
from dropship_pipeline.alibaba.values import Unreadable
from dropship_pipeline.storage.fetches import FETCHES_SCHEMA, DueList
from dropship_pipeline.storage.merge import MergeCounts
from dropship_pipeline.storage.raw import RawAnswer, RawFile
from dropship_pipeline.storage.rejects import Reject
from dropship_pipeline.sync.session import Session
from dropship_pipeline.sync.summary import StageOutcome

HAND_OVER = 250
