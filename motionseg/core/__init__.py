"""Ground floor: types, errors, checks, geometry, kernels, threads, catalog, parameters, state files."""
