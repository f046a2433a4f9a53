import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from motionseg.core.errors import OutputError, StateError
from motionseg.core.state import read_state, write_state


@given(array=hnp.arrays(st.sampled_from([np.uint8, np.float32, np.int64]), hnp.array_shapes(max_dims=3, max_side=4)))
def test_what_is_written_is_read(tmp_path_factory, array):
    path = tmp_path_factory.mktemp("state") / "a.npz"
    write_state(path, {"x": array}, {"class": "X", "params": {"a": 1.5}})
    arrays, head = read_state(path)
    np.testing.assert_array_equal(arrays["x"], array)
    assert arrays["x"].dtype == array.dtype
    assert (head["class"], head["params"]) == ("X", {"a": 1.5})


def test_nothing_is_pickled(tmp_path):
    with pytest.raises(StateError, match="'x'"):
        write_state(tmp_path / "a.npz", {"x": np.array([{}], object)}, {})
    assert not list(tmp_path.iterdir())


def test_a_failed_write_leaves_the_old_file(tmp_path, monkeypatch):
    path = tmp_path / "a.npz"
    write_state(path, {"x": np.arange(3)}, {})
    before = path.read_bytes()

    def full(*args, **kwargs):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(np, "savez", full)
    with pytest.raises(OutputError, match=r"a\.npz.*No space left"):
        write_state(path, {"x": np.arange(4)}, {})
    assert path.read_bytes() == before
    assert [p.name for p in tmp_path.iterdir()] == ["a.npz"]


@pytest.mark.parametrize("content", [b"", b"no zip", None])
def test_what_is_no_state_is_refused(tmp_path, content):
    path = tmp_path / "a.npz"
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(StateError, match=r"a\.npz"):
        read_state(path)


def test_a_file_cut_short_is_refused(tmp_path):
    path = tmp_path / "a.npz"
    write_state(path, {"x": np.zeros(1000)}, {})
    path.write_bytes(path.read_bytes()[:-300])
    with pytest.raises(StateError):
        read_state(path)


def test_an_npz_of_others_and_a_newer_format_are_refused(tmp_path):
    np.savez(tmp_path / "a.npz", x=np.arange(3))
    with pytest.raises(StateError):
        read_state(tmp_path / "a.npz")
    write_state(tmp_path / "b.npz", {}, {"format": 99})
    with pytest.raises(StateError, match="99"):
        read_state(tmp_path / "b.npz")
