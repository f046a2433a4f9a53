import subprocess
import sys
import threading

import numpy as np
import pytest

import motionseg
from motionseg.core import parallel
from motionseg.core.errors import ParameterError
from motionseg.core.parallel import get_num_threads, run_strips, set_num_threads


def mark(start, stop, out):
    out[start:stop] += 1


@pytest.mark.parametrize("n_threads", [1, 2, 5, 64])
@pytest.mark.parametrize("n", [0, 1, 3, 1000])
def test_every_unit_is_worked_on_once(n, n_threads):
    set_num_threads(n_threads)
    out = np.zeros(n, int)
    run_strips(mark, n, out, pixels_per_unit=10**6)
    assert (out == 1).all()


def test_small_frames_stay_on_this_thread():
    set_num_threads(5)
    seen = []
    run_strips(lambda start, stop: seen.append((start, stop, threading.get_ident())), 100, pixels_per_unit=10)
    assert seen == [(0, 100, threading.get_ident())]


def test_an_error_on_any_strip_arrives_after_all_have_ended():
    set_num_threads(4)
    ended = []

    def work(start, stop):
        if start == 50:
            raise RuntimeError("third strip")
        ended.append(start)

    with pytest.raises(RuntimeError, match="third strip"):
        run_strips(work, 100, pixels_per_unit=10**6)
    assert sorted(ended) == [0, 25, 75]


def test_number_of_threads():
    assert motionseg.get_num_threads() == get_num_threads() >= 1
    motionseg.set_num_threads(3)
    assert get_num_threads() == 3
    for bad in (0, -1, 1.5, "2", None):
        with pytest.raises(ParameterError):
            set_num_threads(bad)
    assert get_num_threads() == 3


def test_threads_change_while_others_work():
    stop = threading.Event()
    failures = []

    def work():
        out = np.zeros(64, int)
        for _ in range(300):
            try:
                out[:] = 0
                run_strips(mark, 64, out, pixels_per_unit=10**6)
                assert (out == 1).all()
            except BaseException as error:
                failures.append(error)
        stop.set()

    worker = threading.Thread(target=work)
    worker.start()
    n = 0
    while not stop.is_set():
        set_num_threads(2 + n % 3)
        n += 1
    worker.join()
    assert not failures


@pytest.mark.skipif(not hasattr(parallel.os, "fork"), reason="no fork on this system")
def test_a_forked_child_can_work():
    code = """
import os, warnings
warnings.simplefilter("ignore")
import numpy as np
from motionseg.core.parallel import run_strips, set_num_threads
def mark(start, stop, out): out[start:stop] += 1
set_num_threads(3)
out = np.zeros(9, int)
run_strips(mark, 9, out, pixels_per_unit=10**6)
child = os.fork()
run_strips(mark, 9, out, pixels_per_unit=10**6)
if child == 0:
    os._exit(0 if (out == 2).all() else 1)
raise SystemExit(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]))
"""
    assert subprocess.run([sys.executable, "-c", code], timeout=60, check=False).returncode == 0
