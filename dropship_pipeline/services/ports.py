"""Ports: whether one is free, and who has it if not."""

import errno
import socket

import psutil

from dropship_pipeline.problem import Problem


def take_port(host: str, port: int, option: str) -> int:
    """The port, or any free one where it is 0. Raises `Problem` if it is taken, or `host` is none of this machine's.

    `option` is what the person may type to choose another one.
    """
    try:
        family, _, _, _, address = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0]
        with socket.socket(family, socket.SOCK_STREAM) as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            probe.bind(address)
            return int(probe.getsockname()[1])
    except OSError as error:
        if error.errno == errno.EADDRINUSE:
            raise Problem(
                f"Port {port} is taken{_by_whom(port)}",
                f"Stop that, or choose another port: {option} {port + 1}; {option} 0 takes any free one",
            ) from None
        raise Problem(f"Port {port} of {host} cannot be used: {error.strerror}", f"Choose another: {option}") from None


def _by_whom(port: int) -> str:
    """Who listens there, as far as this user may know."""
    try:
        listeners = [
            one.pid
            for one in psutil.net_connections("tcp")
            if one.status == psutil.CONN_LISTEN and one.laddr and one.laddr.port == port and one.pid
        ]
        return f" by process {listeners[0]} ({psutil.Process(listeners[0]).name()})" if listeners else ""
    except psutil.Error:
        return ""
