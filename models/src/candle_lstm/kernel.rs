//! The arithmetic of an LSTM layer over plain slices, forward and backward. Owns the gate functions, the small matrix
//! product and what the backward pass needs to remember; must not know tensors, candles or training.
//!
//! Every sum runs in one fixed order, whatever the batch and whatever the processor's vectors: a window's result does
//! not depend on the windows beside it.
// Counted loops over arrays of constant length are what the compiler turns into vector code.
#![allow(clippy::needless_range_loop)]

use pulp::{Arch, Simd, WithSimd};

/// Sizes of a layer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Dims {
    pub(super) inputs: usize,
    pub(super) hidden: usize,
}

impl Dims {
    /// Numbers that go into a step: the inputs and the previous hidden state.
    pub(super) const fn joined(self) -> usize {
        self.inputs + self.hidden
    }

    /// Gate values of a row: input, forget, cell, output, as PyTorch orders them.
    pub(super) const fn gates(self) -> usize {
        4 * self.hidden
    }

    /// Length of the packed weights: one row of gates per joined number, and one of biases.
    pub(super) const fn packed(self) -> usize {
        (self.joined() + 1) * self.gates()
    }
}

/// What the forward pass writes down: for every step when gradients are wanted, else for one step at a time.
pub(super) struct Tape {
    slots: usize,
    joined: Vec<f32>,
    gates: Vec<f32>,
    before: Vec<f32>,
    tanh: Vec<f32>,
}

impl Tape {
    /// A tape for `rows` windows; `slots` is the number of steps to remember, or 1 for none.
    pub(super) fn new(dims: Dims, rows: usize, slots: usize) -> Self {
        let zeros = |width: usize| vec![0.0; slots * rows * width];
        Self {
            slots,
            joined: zeros(dims.joined()),
            gates: zeros(dims.gates()),
            before: zeros(dims.hidden),
            tanh: zeros(dims.hidden),
        }
    }
}

/// Runs the layer from a zero state over `x` (rows × steps × inputs); `last` (rows × hidden) takes the last hidden state.
pub(super) fn forward(
    dims: Dims,
    packed: &[f32],
    x: &[f32],
    steps: usize,
    tape: &mut Tape,
    last: &mut [f32],
) {
    last.fill(0.0);
    let cell = &mut vec![0.0; last.len()];
    Arch::new().dispatch(Forward { dims, packed, x, steps, tape, hidden: last, cell });
}

/// The gradient of the packed weights, given that of the last hidden state, which is used up, as is the tape.
pub(super) fn backward(
    dims: Dims,
    packed: &[f32],
    tape: &mut Tape,
    rows: usize,
    last: &mut [f32],
) -> Vec<f32> {
    let mut gradient = vec![0.0; dims.packed()];
    let recurrent = transposed(
        &packed[dims.inputs * dims.gates()..dims.joined() * dims.gates()],
        dims.hidden,
        dims.gates(),
    );
    let cell = &mut vec![0.0; last.len()];
    Arch::new().dispatch(Backward {
        dims,
        recurrent: &recurrent,
        tape,
        rows,
        hidden: last,
        cell,
        gradient: &mut gradient,
    });
    gradient
}

/// `matrix` (rows × columns) with its axes exchanged.
pub(super) fn transposed(matrix: &[f32], rows: usize, columns: usize) -> Vec<f32> {
    (0..columns).flat_map(|column| (0..rows).map(move |row| matrix[row * columns + column])).collect()
}

struct Forward<'a> {
    dims: Dims,
    packed: &'a [f32],
    x: &'a [f32],
    steps: usize,
    tape: &'a mut Tape,
    hidden: &'a mut [f32],
    cell: &'a mut [f32],
}

impl WithSimd for Forward<'_> {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: Simd>(self, _: S) {
        let Self { dims, packed, x, steps, tape, hidden, cell } = self;
        let (width, gates, size) = (dims.joined(), dims.gates(), dims.hidden);
        let rows = hidden.len() / size;
        let (weights, bias) = packed.split_at(width * gates);
        for step in 0..steps {
            let slot = if tape.slots == 1 { 0 } else { step };
            let joined = &mut tape.joined[slot * rows * width..][..rows * width];
            let gate = &mut tape.gates[slot * rows * gates..][..rows * gates];
            let before = &mut tape.before[slot * rows * size..][..rows * size];
            let tanh = &mut tape.tanh[slot * rows * size..][..rows * size];
            before.copy_from_slice(cell);
            for row in 0..rows {
                let to = &mut joined[row * width..][..width];
                to[..dims.inputs].copy_from_slice(&x[(row * steps + step) * dims.inputs..][..dims.inputs]);
                to[dims.inputs..].copy_from_slice(&hidden[row * size..][..size]);
                gate[row * gates..][..gates].copy_from_slice(bias);
            }
            add_product((rows, gates, width), joined, (width, 1), weights, gate);
            for row in 0..rows {
                let at = row * size;
                let gate = &mut gate[row * gates..][..gates];
                let (cell, tanh) = (&mut cell[at..][..size], &mut tanh[at..][..size]);
                activate_row(gate, cell, tanh, &mut hidden[at..][..size]);
            }
        }
    }
}

struct Backward<'a> {
    dims: Dims,
    recurrent: &'a [f32],
    tape: &'a mut Tape,
    rows: usize,
    hidden: &'a mut [f32],
    cell: &'a mut [f32],
    gradient: &'a mut [f32],
}

impl WithSimd for Backward<'_> {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: Simd>(self, _: S) {
        let Self { dims, recurrent, tape, rows, hidden, cell, gradient } = self;
        let (width, gates, size) = (dims.joined(), dims.gates(), dims.hidden);
        let (weights, bias) = gradient.split_at_mut(width * gates);
        for slot in (0..tape.slots).rev() {
            let joined = &tape.joined[slot * rows * width..][..rows * width];
            let gate = &mut tape.gates[slot * rows * gates..][..rows * gates];
            let before = &tape.before[slot * rows * size..][..rows * size];
            let tanh = &tape.tanh[slot * rows * size..][..rows * size];
            for row in 0..rows {
                let at = row * size;
                let gate = &mut gate[row * gates..][..gates];
                let cell = &mut cell[at..][..size];
                differentiate_row(
                    gate,
                    &before[at..][..size],
                    &tanh[at..][..size],
                    &hidden[at..][..size],
                    cell,
                );
                for (sum, slope) in bias.iter_mut().zip(&*gate) {
                    *sum += slope;
                }
            }
            add_product((width, gates, rows), joined, (1, width), gate, weights);
            hidden.fill(0.0);
            add_product((rows, size, gates), gate, (gates, 1), recurrent, hidden);
        }
    }
}

/// `to` (m × n) += `a` (m × k, with its strides) · `b` (k × n).
#[inline(always)]
fn add_product(
    (m, n, k): (usize, usize, usize),
    a: &[f32],
    strides: (usize, usize),
    b: &[f32],
    to: &mut [f32],
) {
    let mut column = 0;
    if m == 1 {
        // One row: eight independent sums hide the latency of a multiply-add.
        while column + 64 <= n {
            add_block::<1, 64>(n, k, a, strides, b, column, to);
            column += 64;
        }
    }
    while column + 16 <= n {
        add_rows::<16>((m, n, k), a, strides, b, column, to);
        column += 16;
    }
    while column + 8 <= n {
        add_rows::<8>((m, n, k), a, strides, b, column, to);
        column += 8;
    }
    while column < n {
        add_rows::<1>((m, n, k), a, strides, b, column, to);
        column += 1;
    }
}

#[inline(always)]
fn add_rows<const C: usize>(
    (m, n, k): (usize, usize, usize),
    a: &[f32],
    strides: (usize, usize),
    b: &[f32],
    column: usize,
    to: &mut [f32],
) {
    let mut row = 0;
    while row + 4 <= m {
        add_block::<4, C>(n, k, &a[row * strides.0..], strides, b, column, &mut to[row * n..]);
        row += 4;
    }
    while row < m {
        add_block::<1, C>(n, k, &a[row * strides.0..], strides, b, column, &mut to[row * n..]);
        row += 1;
    }
}

#[inline(always)]
fn add_block<const R: usize, const C: usize>(
    n: usize,
    k: usize,
    a: &[f32],
    strides: (usize, usize),
    b: &[f32],
    column: usize,
    to: &mut [f32],
) {
    let mut sums = [[0.0_f32; C]; R];
    for r in 0..R {
        sums[r] = block(to, r * n + column);
    }
    for i in 0..k {
        let b: [f32; C] = block(b, i * n + column);
        for r in 0..R {
            let a = a[r * strides.0 + i * strides.1];
            for c in 0..C {
                sums[r][c] = a.mul_add(b[c], sums[r][c]);
            }
        }
    }
    for r in 0..R {
        to[r * n + column..][..C].copy_from_slice(&sums[r]);
    }
}

#[inline(always)]
fn block<const L: usize>(from: &[f32], at: usize) -> [f32; L] {
    from[at..at + L].try_into().expect("the slice has the length of the array")
}

/// Gate sums in, gate values out in their place; the cell and hidden state move on by one step.
#[inline(always)]
fn activate_row(gates: &mut [f32], cell: &mut [f32], tanh: &mut [f32], hidden: &mut [f32]) {
    let mut at = 0;
    while at + 16 <= cell.len() {
        activate_block::<16>(gates, cell, tanh, hidden, at);
        at += 16;
    }
    while at + 8 <= cell.len() {
        activate_block::<8>(gates, cell, tanh, hidden, at);
        at += 8;
    }
    while at < cell.len() {
        activate_block::<1>(gates, cell, tanh, hidden, at);
        at += 1;
    }
}

#[inline(always)]
fn activate_block<const L: usize>(
    gates: &mut [f32],
    cell: &mut [f32],
    tanh: &mut [f32],
    hidden: &mut [f32],
    at: usize,
) {
    let size = cell.len();
    let mut value: [[f32; L]; 4] = [0, 1, 2, 3].map(|gate| block(gates, gate * size + at));
    for (gate, values) in value.iter_mut().enumerate() {
        for j in 0..L {
            values[j] = if gate == 2 { tangent(values[j]) } else { sigmoid(values[j]) };
        }
        gates[gate * size + at..][..L].copy_from_slice(values);
    }
    let [input, forget, candidate, output] = value;
    let mut c: [f32; L] = block(cell, at);
    let mut t = [0.0; L];
    for j in 0..L {
        c[j] = forget[j] * c[j] + input[j] * candidate[j];
    }
    for j in 0..L {
        t[j] = tangent(c[j]);
    }
    cell[at..][..L].copy_from_slice(&c);
    tanh[at..][..L].copy_from_slice(&t);
    for j in 0..L {
        t[j] *= output[j];
    }
    hidden[at..][..L].copy_from_slice(&t);
}

/// Gate values in, gradients of the gate sums out in their place; the cell's gradient moves back by one step.
#[inline(always)]
fn differentiate_row(gates: &mut [f32], before: &[f32], tanh: &[f32], hidden: &[f32], cell: &mut [f32]) {
    let mut at = 0;
    while at + 16 <= cell.len() {
        differentiate_block::<16>(gates, before, tanh, hidden, cell, at);
        at += 16;
    }
    while at + 8 <= cell.len() {
        differentiate_block::<8>(gates, before, tanh, hidden, cell, at);
        at += 8;
    }
    while at < cell.len() {
        differentiate_block::<1>(gates, before, tanh, hidden, cell, at);
        at += 1;
    }
}

#[inline(always)]
fn differentiate_block<const L: usize>(
    gates: &mut [f32],
    before: &[f32],
    tanh: &[f32],
    hidden: &[f32],
    cell: &mut [f32],
    at: usize,
) {
    let size = cell.len();
    let [mut i, mut f, mut g, mut o]: [[f32; L]; 4] = [0, 1, 2, 3].map(|gate| block(gates, gate * size + at));
    let (before, t): ([f32; L], [f32; L]) = (block(before, at), block(tanh, at));
    let (dh, mut dc): ([f32; L], [f32; L]) = (block(hidden, at), block(cell, at));
    for j in 0..L {
        let (input, forget, candidate, output) = (i[j], f[j], g[j], o[j]);
        let slope = dc[j] + dh[j] * output * (1.0 - t[j] * t[j]);
        i[j] = slope * candidate * input * (1.0 - input);
        f[j] = slope * before[j] * forget * (1.0 - forget);
        g[j] = slope * input * (1.0 - candidate * candidate);
        o[j] = dh[j] * t[j] * output * (1.0 - output);
        dc[j] = slope * forget;
    }
    for (gate, slopes) in [i, f, g, o].iter().enumerate() {
        gates[gate * size + at..][..L].copy_from_slice(slopes);
    }
    cell[at..][..L].copy_from_slice(&dc);
}

/// eˣ within two units in the last place: 2ⁿ by exponent bits times a polynomial over half an octave to each side.
#[inline(always)]
fn exponential(x: f32) -> f32 {
    // Adding 1.5 × 2²³ rounds to a whole number and leaves it in the low bits.
    const ROUND: f32 = 12_582_912.0;
    // ln 2 in two parts, the first short enough for exact products.
    const LN_2_HIGH: f32 = 0.693_359_4;
    const LN_2_LOW: f32 = -2.121_944_4e-4;
    let x = x.clamp(-87.0, 87.0);
    let shifted = x * std::f32::consts::LOG2_E + ROUND;
    let whole = shifted - ROUND;
    let rest = x - whole * LN_2_HIGH;
    let rest = rest - whole * LN_2_LOW;
    let mut sum = 1.987_569_1e-4_f32;
    for coefficient in [1.398_2e-3, 8.333_452e-3, 4.166_579_6e-2, 1.666_666_5e-1, 0.5] {
        sum = sum * rest + coefficient;
    }
    let power = f32::from_bits(shifted.to_bits().wrapping_add(127) << 23);
    (sum * rest * rest + rest + 1.0) * power
}

#[inline(always)]
fn sigmoid(x: f32) -> f32 {
    1.0 / (1.0 + exponential(-x))
}

#[inline(always)]
fn tangent(x: f32) -> f32 {
    2.0 / (1.0 + exponential(-2.0 * x)) - 1.0
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn gate_functions_equal_the_standard_library_to_single_precision() {
        for i in -2_000..=2_000 {
            let x = i as f32 / 100.0;
            let exact = f64::from(x);
            assert!((f64::from(sigmoid(x)) - 1.0 / (1.0 + (-exact).exp())).abs() < 2e-7, "sigmoid({x})");
            assert!((f64::from(tangent(x)) - exact.tanh()).abs() < 3e-7, "tanh({x})");
        }
    }

    #[test]
    fn product_equals_its_definition_for_every_shape() {
        for (m, n, k) in [(1, 1, 1), (1, 130, 7), (5, 27, 3), (9, 64, 11), (13, 8, 2)] {
            let a: Vec<f32> = (0..m * k).map(|i| (i as f32 * 0.37).sin()).collect();
            let b: Vec<f32> = (0..k * n).map(|i| (i as f32 * 0.11).cos()).collect();
            let (mut to, mut of_transposed) = (vec![0.5; m * n], vec![0.5; m * n]);
            add_product((m, n, k), &a, (k, 1), &b, &mut to);
            add_product((m, n, k), &transposed(&a, m, k), (1, m), &b, &mut of_transposed);
            for (at, value) in to.iter().enumerate() {
                let sum = (0..k).fold(0.5, |sum, i| a[at / n * k + i].mul_add(b[i * n + at % n], sum));
                assert_eq!(value.to_bits(), sum.to_bits());
            }
            assert_eq!(to, of_transposed);
        }
    }
}
