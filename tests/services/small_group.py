"""A program that supervises small services, as `dropship up` does its own: `small_group.py FOLDER SERVICES`.

SERVICES is JSON: a list of [name, the body of a Python program, seconds it may take to end]. Each is ready when it has
said so; `{folder}` in a program is FOLDER. One called `heard…` is heard to the end.
"""

import json
import sys
from pathlib import Path

from dropship_pipeline.problem import Problem
from dropship_pipeline.services.output import Output
from dropship_pipeline.services.place import claim
from dropship_pipeline.services.service import Service
from dropship_pipeline.services.supervisor import Supervisor
from dropship_pipeline.settings import load_settings


def main(folder: str, told: str) -> int:
    services = [
        Service(
            name=name,
            title=f"the {name}",
            command=lambda program=program: (sys.executable, "-u", "-c", program.replace("{folder}", folder)),
            is_ready=lambda process: "ready" in process.lines,
            ready_within=1.5,
            ends_within=seconds,
            heard_to_the_end=name.startswith("heard"),
        )
        for name, program, seconds in json.loads(told)
    ]
    try:
        with claim(Path(folder)) as place:
            supervisor = Supervisor(services, place.folders, place.lock)
            output = Output([service.name for service in services], load_settings(), supervisor.nobody_reads)
            supervisor.run(output, lambda: output.plain("all started"))
    except Problem as problem:
        print(problem, file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
