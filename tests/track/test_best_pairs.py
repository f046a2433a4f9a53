"""The best pairs: by trying all of them, and by what every matching has to keep."""

import itertools

import numpy as np
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from motionseg.track._assignment import assigned

tables = hnp.arrays(
    np.float64,
    st.tuples(st.integers(0, 5), st.integers(0, 5)),
    elements=st.sampled_from([0.0, 0.1, 0.25, 0.4, 0.55, 0.7, 0.95]),
)


def best_sum(table, least):
    """Of every way to give each row a column of its own, or none."""
    n, m = table.shape
    best = 0.0
    for columns in itertools.product(range(-1, m), repeat=n):
        taken = [c for c in columns if c >= 0]
        if len(set(taken)) == len(taken):
            values = [table[r, c] for r, c in enumerate(columns) if c >= 0]
            if all(value >= least and value > 0 for value in values):
                best = max(best, sum(values))
    return best


@given(tables, st.sampled_from([0.0, 0.2, 0.5]))
def test_pairs_are_allowed_and_the_best(table, least):
    rows, columns = assigned(table, least)
    assert len(set(rows.tolist())) == len(rows)
    assert len(set(columns.tolist())) == len(columns)
    assert (np.diff(rows) > 0).all()
    values = table[rows, columns]
    assert (values >= least).all()
    assert (values > 0).all()
    np.testing.assert_allclose(values.sum(), best_sum(table, least))


def test_the_order_of_regions_does_not_matter():
    table = np.random.default_rng(0).random((30, 40)) * (np.random.default_rng(1).random((30, 40)) < 0.2)
    rows, columns = assigned(table, 0.1)
    order = np.random.default_rng(2).permutation(40)
    other_rows, other = assigned(table[:, order], 0.1)
    np.testing.assert_array_equal(rows, other_rows)
    np.testing.assert_array_equal(columns, order[other])
