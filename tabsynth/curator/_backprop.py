"""Gradients of a critic, unit by unit, shortened and added up in whole numbers. Real rows go in and out of here.

Each unit's part is worked out from the unit's own rows alone, in one fixed order of float64 operations (scalar code: no reordered sums,
no fused products, nothing that depends on which units are worked on together), and rounded towards zero to multiples of a quantum. Whole
numbers add up exactly in any order, so one unit more or less moves the sum by exactly that unit's part.
"""

from __future__ import annotations

import math

import numba
import numpy as np

IDENTITY, LEAKY, TANH = range(3)
"""What stands behind a layer."""
BITS = 32
"""The quantum is the clipping norm times 2**-BITS: 2**30 units add up to less than 2**63 quanta."""
ROOM = 1e-8
"""Norms are taken to be so much longer than computed: more than what float64 gets wrong with `MOST_PARAMETERS` squares."""
MOST_PARAMETERS = 2**25


@numba.njit(cache=True, nogil=True)
def add_units(
    rows, first, held, units, table, dense, biases, biased, widths, kinds, slopes, clip, out_table, out_dense, out_biases
):
    """Add to the `out` arrays, in quanta, the shortened gradients of ``softplus(-critic(row))``, summed over the rows of each of `units`.

    Parameters
    ----------
    rows : ndarray of int64, shape (rows, columns)
        Codes, numbered through all columns; a unit's rows stand side by side.
    first, held, units : ndarray of int64
        Of every unit its first row and number of rows; and the units to add.
    table, out_table : ndarray, shape (codes, widths[0])
        Weights of the first layer by code.
    dense, out_dense : ndarray
        Weights of the further layers, shape (widths[l], widths[l - 1]) each, one after the other.
    biases, out_biases, biased : ndarray
        Biases of all layers, one after the other, and whether each layer has them.
    widths, kinds, slopes : ndarray, shape (layers,)
        Outputs of each layer, and what stands behind it.
    clip : float
    """
    layers, width = len(widths), widths[0]
    at, block = np.zeros(layers + 1, np.int64), np.zeros(layers + 1, np.int64)
    for l in range(layers):  # noqa: E741
        at[l + 1] = at[l] + widths[l]
        block[l + 1] = block[l] + (widths[l] * widths[l - 1] if l else 0)
    before, after, delta = np.empty(at[layers]), np.empty(at[layers]), np.empty(at[layers])
    g_table, g_dense, g_biases = np.zeros(table.shape), np.zeros(dense.shape), np.zeros(biases.shape)
    seen, codes = np.zeros(len(table), np.bool_), np.empty(len(table), np.int64)
    squares = np.empty(width)
    for u in units:
        touched = 0
        for r in range(first[u], first[u] + held[u]):
            before[:width] = biases[:width]
            for c in rows[r]:
                for k in range(width):
                    before[k] += table[c, k]
            for l in range(layers):  # noqa: E741
                for o in range(widths[l] if l else 0):
                    total, place = biases[at[l] + o], block[l] + o * widths[l - 1]
                    for i in range(widths[l - 1]):
                        total += dense[place + i] * after[at[l - 1] + i]
                    before[at[l] + o] = total
                for o in range(at[l], at[l + 1]):
                    z = before[o]
                    after[o] = math.tanh(z) if kinds[l] == TANH else z if kinds[l] == IDENTITY or z > 0 else slopes[l] * z
            delta[at[layers - 1]] = -1 / (1 + math.exp(after[at[layers - 1]]))
            for l in range(layers - 1, -1, -1):  # noqa: E741
                for o in range(at[l], at[l + 1]):
                    if kinds[l] == TANH:
                        delta[o] *= 1 - after[o] * after[o]
                    elif kinds[l] == LEAKY and not before[o] > 0:
                        delta[o] *= slopes[l]
                if biased[l]:
                    for o in range(at[l], at[l + 1]):
                        g_biases[o] += delta[o]
                if l:
                    delta[at[l - 1] : at[l]] = 0
                for o in range(widths[l] if l else 0):
                    d, place = delta[at[l] + o], block[l] + o * widths[l - 1]
                    for i in range(widths[l - 1]):
                        g_dense[place + i] += d * after[at[l - 1] + i]
                        delta[at[l - 1] + i] += d * dense[place + i]
            for c in rows[r]:
                if not seen[c]:
                    seen[c], codes[touched], touched = True, c, touched + 1
                for k in range(width):
                    g_table[c, k] += delta[k]
        squares[:] = 0
        for c in codes[:touched]:
            for k in range(width):
                squares[k] += g_table[c, k] * g_table[c, k]
        square = 0.0
        for k in range(width):
            square += squares[k]
        for i in range(len(g_dense)):
            square += g_dense[i] * g_dense[i]
        for i in range(len(g_biases)):
            square += g_biases[i] * g_biases[i]
        norm = math.sqrt(square) * (1 + ROOM)
        if norm < math.inf:
            factor = 2.0**BITS / max(norm, clip)
            for c in codes[:touched]:
                for k in range(width):
                    out_table[c, k] += np.int64(g_table[c, k] * factor)
            for i in range(len(g_dense)):
                out_dense[i] += np.int64(g_dense[i] * factor)
            for i in range(len(g_biases)):
                out_biases[i] += np.int64(g_biases[i] * factor)
        for c in codes[:touched]:
            g_table[c] = 0
            seen[c] = False
        g_dense[:] = 0
        g_biases[:] = 0
