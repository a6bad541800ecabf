//! From the head's raw numbers to quantiles that cannot cross. Owns that map, for tensors and for slices; knows nothing
//! of returns.
//!
//! The middle raw number is the middle quantile; each further one adds a positive distance (its softplus) to its inner
//! neighbour, outwards in both directions.

use candle_core::{Device, Result, Tensor};

/// The map for a number of quantiles, as constants of the training graph.
pub(super) struct QuantileHead {
    /// One where a raw number is taken as it is: in the middle.
    middle: Tensor,
    /// One where it is taken as a distance.
    others: Tensor,
    /// How middle and distances add up to quantiles.
    sums: Tensor,
}

impl QuantileHead {
    pub(super) fn new(count: usize) -> Result<Self> {
        let middle = count / 2;
        let one_if = |yes: bool| if yes { 1.0_f32 } else { 0.0 };
        let mask: Vec<f32> = (0..count).map(|j| one_if(j == middle)).collect();
        let others: Vec<f32> = mask.iter().map(|mask| 1.0 - mask).collect();
        let mut sums = vec![0.0_f32; count * count];
        for from in 0..count {
            for to in 0..count {
                sums[from * count + to] = one_if(from == middle || from > middle && to >= from)
                    - one_if(from < middle && to <= from);
            }
        }
        Ok(Self {
            middle: Tensor::from_vec(mask, (1, count), &Device::Cpu)?,
            others: Tensor::from_vec(others, (1, count), &Device::Cpu)?,
            sums: Tensor::from_vec(sums, (count, count), &Device::Cpu)?,
        })
    }

    /// Raw numbers (rows × quantiles) to quantiles.
    pub(super) fn forward(&self, raw: &Tensor) -> Result<Tensor> {
        // ln(1 + eˣ) = max(x, 0) + ln(1 + e^-|x|) does not overflow.
        let softplus = (raw.relu()? + (raw.abs()?.neg()?.exp()? + 1.0)?.log()?)?;
        let parts = (raw.broadcast_mul(&self.middle)? + softplus.broadcast_mul(&self.others)?)?;
        parts.matmul(&self.sums)
    }
}

/// The same map for one row of raw numbers, in place.
pub(super) fn quantiles_in_place(raw: &mut [f32]) {
    let middle = raw.len() / 2;
    for at in middle + 1..raw.len() {
        raw[at] = raw[at - 1] + softplus(raw[at]);
    }
    for at in (0..middle).rev() {
        raw[at] = raw[at + 1] - softplus(raw[at]);
    }
}

/// The raw numbers whose quantiles are these: where training starts. They must rise strictly.
pub(super) fn raw_of(quantiles: &[f32]) -> Vec<f32> {
    let middle = quantiles.len() / 2;
    (0..quantiles.len())
        .map(|at| match at.cmp(&middle) {
            std::cmp::Ordering::Less => inverse_softplus(quantiles[at + 1] - quantiles[at]),
            std::cmp::Ordering::Equal => quantiles[at],
            std::cmp::Ordering::Greater => inverse_softplus(quantiles[at] - quantiles[at - 1]),
        })
        .collect()
}

fn softplus(x: f32) -> f32 {
    x.max(0.0) + (-x.abs()).exp().ln_1p()
}

fn inverse_softplus(y: f32) -> f32 {
    // Below this distance quantiles count as equal: the logarithm stays finite.
    let y = y.max(1e-3);
    y + (-(-y).exp()).ln_1p()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tensors_and_slices_agree_and_quantiles_rise() -> Result<()> {
        for raw in [vec![0.3, -2.0, 1.5], vec![-40.0, 3.0, 90.0, -1.0, 0.0], vec![7.0], vec![1.0, 2.0]] {
            let tensor = Tensor::from_slice(&raw, (1, raw.len()), &Device::Cpu)?;
            let from_tensor =
                QuantileHead::new(raw.len())?.forward(&tensor)?.flatten_all()?.to_vec1::<f32>()?;
            let mut slice = raw.clone();
            quantiles_in_place(&mut slice);
            assert!(slice.windows(2).all(|pair| pair[0] <= pair[1]), "{slice:?}");
            for (one, other) in slice.iter().zip(&from_tensor) {
                assert!((one - other).abs() <= 1e-5 * other.abs().max(1.0), "{slice:?} {from_tensor:?}");
            }
        }
        Ok(())
    }

    #[test]
    fn raw_numbers_of_quantiles_give_them_back() {
        let wanted = [-1.3, -0.4, 0.1, 0.9, 4.0];
        let mut raw = raw_of(&wanted);
        quantiles_in_place(&mut raw);
        assert!(raw.iter().zip(&wanted).all(|(one, other)| (one - other).abs() < 1e-5), "{raw:?}");
    }
}
