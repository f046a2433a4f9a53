import sys

import numpy as np
import pytest

import motionseg
from motionseg.core import catalog
from motionseg.core.errors import ParameterError
from motionseg.core.jit import kernel
from motionseg.core.params import Parametrized, signature_defaults


class Thing(Parametrized):
    def __init__(self, *, size: int = 3, name: str = "a") -> None:
        self.size, self.name = size, name


def test_parameters_are_data():
    thing = Thing(size=5)
    assert thing.params() == {"size": 5, "name": "a"}
    assert repr(thing) == "Thing(size=5, name='a')"
    assert thing.clone(name="b").params() == {"size": 5, "name": "b"}
    assert signature_defaults(Thing) == {"size": 3, "name": "a"}
    with pytest.raises(ParameterError, match="no parameter 'colour'; it has size, name"):
        thing.clone(colour=1)


def test_algorithms_are_found_by_their_file():
    assert "gaussian_mixture" in catalog.names("background")
    assert not [name for name in catalog.names("background") if name.startswith("_") or name == "base"]
    assert catalog.find("background", "gaussian_mixture") is motionseg.background.GaussianMixture
    with pytest.raises(ParameterError, match=r"no background model 'mog3'; there are: .*gaussian_mixture"):
        catalog.find("background", "mog3")
    with pytest.raises(ParameterError):
        catalog.find("background", "base")


def test_rooms_know_their_classes():
    assert "GaussianMixture" in dir(motionseg.background)
    assert motionseg.track.RegionLinker in motionseg.track.KalmanIoU.__mro__
    with pytest.raises(AttributeError, match="NoSuchModel"):
        _ = motionseg.background.NoSuchModel


def test_a_kernel_without_a_cache_folder_still_runs(monkeypatch):
    import numba

    real = numba.njit

    def unwritable(*args, cache=False, **flags):
        if cache:
            raise RuntimeError("cannot cache function 'f': no locator available")
        return real(*args, **flags)

    monkeypatch.setattr(numba, "njit", unwritable)
    with pytest.warns(RuntimeWarning, match="compiled anew"):

        @kernel
        def double(start, stop, out):
            for i in range(start, stop):
                out[i] *= 2

    out = np.arange(4)
    double(1, 3, out)
    assert out.tolist() == [0, 2, 4, 3]
    assert double.py_func is not None


def test_kernels_release_the_lock_and_divide_as_numpy():
    from motionseg.background import gaussian_mixture

    options = gaussian_mixture._step.targetoptions
    assert options["nogil"] is True
    assert options["error_model"] == "numpy"
    assert "numba" in sys.modules
