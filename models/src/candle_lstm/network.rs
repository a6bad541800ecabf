//! The network in candle: one LSTM layer over a window, a linear head, quantiles that cannot cross. Owns its shape and
//! the paths of its weights; must not know candles, streams or how it is trained.

use candle_core::{Result, Tensor};
use candle_nn::{Linear, Module, VarBuilder};

use super::fused::FusedLstm;
use super::kernel::Dims;
use super::quantile_head::QuantileHead;

/// The network for training; serving reads the same weights in their packed form.
pub(super) struct Network {
    dims: Dims,
    weight_ih: Tensor,
    weight_hh: Tensor,
    bias_ih: Tensor,
    bias_hh: Tensor,
    head: Linear,
    quantiles: QuantileHead,
}

impl Network {
    /// The network with the weights that `builder` has under PyTorch's names.
    pub(super) fn new(builder: &VarBuilder<'_>, dims: Dims, quantiles: usize) -> Result<Self> {
        let (lstm, head) = (builder.pp("lstm"), builder.pp("head"));
        let gates = dims.gates();
        Ok(Self {
            dims,
            weight_ih: lstm.get((gates, dims.inputs), "weight_ih_l0")?,
            weight_hh: lstm.get((gates, dims.hidden), "weight_hh_l0")?,
            bias_ih: lstm.get(gates, "bias_ih_l0")?,
            bias_hh: lstm.get(gates, "bias_hh_l0")?,
            head: Linear::new(
                head.get((quantiles, dims.hidden), "weight")?,
                Some(head.get(quantiles, "bias")?),
            ),
            quantiles: QuantileHead::new(quantiles)?,
        })
    }

    /// Scaled windows (rows × steps × inputs) to scaled quantiles (rows × quantiles).
    pub(super) fn forward(&self, windows: &Tensor) -> Result<Tensor> {
        self.quantiles.forward(&self.head.forward(&self.last_hidden(windows)?)?)
    }

    /// The hidden state after the last step (rows × hidden).
    pub(super) fn last_hidden(&self, windows: &Tensor) -> Result<Tensor> {
        let bias = (&self.bias_ih + &self.bias_hh)?.unsqueeze(0)?;
        let packed = Tensor::cat(&[&self.weight_ih.t()?, &self.weight_hh.t()?, &bias], 0)?.contiguous()?;
        windows.contiguous()?.apply_op2(&packed, FusedLstm::new(self.dims))
    }
}

/// The pinball loss: mean over rows and quantiles of max(τ·e, (τ − 1)·e) with e = target − quantile.
pub(super) fn pinball_loss(quantiles: &Tensor, targets: &Tensor, levels: &Tensor) -> Result<Tensor> {
    let error = targets.broadcast_sub(quantiles)?;
    (error.broadcast_mul(levels)? + error.neg()?.relu()?)?.mean_all()
}

#[cfg(test)]
mod tests {
    use candle_core::{DType, Device, IndexOp};
    use candle_nn::rnn::{LSTM, LSTMConfig, RNN};

    use super::super::weights::Weights;
    use super::*;

    /// The reference is candle's own layer, differentiated by candle's autograd step by step.
    #[test]
    fn fused_layer_and_its_gradients_equal_candles_own() -> Result<()> {
        for (rows, steps, inputs, hidden) in [(9, 7, 5, 6), (3, 12, 13, 16), (2, 1, 1, 1), (6, 5, 3, 25)] {
            let dims = Dims { inputs, hidden };
            let weights = Weights::seeded(dims, vec![-1.0, 0.0, 1.0], 7);
            let windows: Vec<f32> = (0..rows * steps * inputs).map(|i| (i as f32 * 0.7).sin()).collect();
            let windows = Tensor::from_vec(windows, (rows, steps, inputs), &Device::Cpu)?;
            let pull: Vec<f32> = (0..rows * hidden).map(|i| (i as f32 * 0.3).cos()).collect();
            let pull = Tensor::from_vec(pull, (rows, hidden), &Device::Cpu)?;

            let (map, variables) = weights.variables()?;
            let builder = VarBuilder::from_varmap(&map, DType::F32, &Device::Cpu);
            let ours = Network::new(&builder, dims, 3)?.last_hidden(&windows)?;
            let theirs = LSTM::new(inputs, hidden, LSTMConfig::default(), builder.pp("lstm"))?;
            let states = theirs.seq(&windows)?;
            let theirs = states.last().expect("at least one step").h().clone();
            assert!(largest(&(&ours - &theirs)?)? < 1e-6);

            let (ours, theirs) =
                ((ours * &pull)?.sum_all()?.backward()?, (theirs * &pull)?.sum_all()?.backward()?);
            for variable in &variables[..4] {
                let (one, other) = (ours.get(variable).expect("used"), theirs.get(variable).expect("used"));
                let scale = largest(other)?.max(1.0);
                assert!(largest(&(one - other)?)? / scale < 2e-6, "{rows} {steps} {inputs} {hidden}");
            }
        }
        Ok(())
    }

    fn largest(tensor: &Tensor) -> Result<f32> {
        tensor.abs()?.flatten_all()?.max(0)?.to_scalar()
    }

    #[test]
    fn pinball_loss_is_its_definition() -> Result<()> {
        let quantiles = Tensor::new(&[[-1.0_f32, 0.5], [0.0, 2.0]], &Device::Cpu)?;
        let targets = Tensor::new(&[[0.0_f32], [3.0]], &Device::Cpu)?;
        let levels = Tensor::new(&[[0.1_f32, 0.9]], &Device::Cpu)?;
        let mut sum = 0.0;
        for (row, level) in [(0, 0), (0, 1), (1, 0), (1, 1)] {
            let e: f32 =
                targets.i((row, 0))?.to_scalar::<f32>()? - quantiles.i((row, level))?.to_scalar::<f32>()?;
            let tau = [0.1, 0.9][level];
            sum += (tau * e).max((tau - 1.0) * e);
        }
        let loss: f32 = pinball_loss(&quantiles, &targets, &levels)?.to_scalar()?;
        assert!((loss - sum / 4.0).abs() < 1e-6);
        Ok(())
    }
}
