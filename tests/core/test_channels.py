"""Reductions over channels, against NumPy's own."""

import numpy as np
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as of

from motionseg.core.channels import channel_max, channel_sum


@given(
    values=of.arrays(
        st.sampled_from([np.uint8, np.int32, np.float32]),
        of.array_shapes(min_dims=1, max_dims=3, min_side=0, max_side=5).map(lambda shape: (*shape[:-1], 3)),
        elements=st.integers(0, 80),
    )
)
def test_they_are_numpys_and_leave_their_input(values):
    before = values.copy()
    for ours, theirs in ((channel_max(values), values.max(axis=-1)), (channel_sum(values), values.sum(axis=-1))):
        np.testing.assert_array_equal(ours, theirs)
        assert ours.dtype == values.dtype
    np.testing.assert_array_equal(values, before)


def test_one_channel_is_itself():
    values = np.arange(6.0).reshape(2, 3, 1)
    np.testing.assert_array_equal(channel_max(values), values[..., 0])
    np.testing.assert_array_equal(channel_sum(values), values[..., 0])
