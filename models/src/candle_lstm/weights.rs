//! The weights as plain numbers under PyTorch's names: their seeded start, their bytes, and their packed form. Knows
//! safetensors; must not know training or files.

use candle_core::{Device, Tensor, Var};
use candle_nn::VarMap;
use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;
use safetensors::tensor::{Dtype, TensorView};
use safetensors::{SafeTensors, serialize};

use super::kernel::{Dims, transposed};
use crate::ModelError;

/// Names in the weights file, which are the paths of the network's `VarBuilder`, in the order of [`Weights::shapes`].
pub(super) const NAMES: [&str; 6] = [
    "lstm.weight_ih_l0",
    "lstm.weight_hh_l0",
    "lstm.bias_ih_l0",
    "lstm.bias_hh_l0",
    "head.weight",
    "head.bias",
];

/// All weights of a network.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Weights {
    pub(super) dims: Dims,
    pub(super) quantiles: usize,
    values: [Vec<f32>; 6],
}

impl Weights {
    fn shapes(dims: Dims, quantiles: usize) -> [Vec<usize>; 6] {
        let gates = dims.gates();
        [
            vec![gates, dims.inputs],
            vec![gates, dims.hidden],
            vec![gates],
            vec![gates],
            vec![quantiles, dims.hidden],
            vec![quantiles],
        ]
    }

    /// PyTorch's start (uniform within ±1/√hidden) from a seed, but for the head's bias, and a forget gate that
    /// starts open.
    pub(super) fn seeded(dims: Dims, head_bias: Vec<f32>, seed: u64) -> Self {
        let mut random = ChaCha8Rng::seed_from_u64(seed);
        let quantiles = head_bias.len();
        #[allow(clippy::cast_precision_loss)] // sizes are small
        let bound = 1.0 / (dims.hidden as f32).sqrt();
        let mut values = Self::shapes(dims, quantiles).map(|shape| {
            let count: usize = shape.iter().product();
            (0..count).map(|_| random.random_range(-bound..bound)).collect::<Vec<f32>>()
        });
        values[2][dims.hidden..2 * dims.hidden].fill(1.0);
        values[5] = head_bias;
        Self { dims, quantiles, values }
    }

    /// Trainable variables of these values, under their names.
    pub(super) fn variables(&self) -> candle_core::Result<(VarMap, Vec<Var>)> {
        let map = VarMap::new();
        let mut variables = Vec::with_capacity(NAMES.len());
        {
            let mut named = map.data().lock().expect("nobody else has the map yet");
            let shapes = Self::shapes(self.dims, self.quantiles);
            for ((name, values), shape) in NAMES.iter().zip(&self.values).zip(shapes) {
                let variable = Var::from_tensor(&Tensor::from_slice(values, shape, &Device::Cpu)?)?;
                named.insert((*name).to_owned(), variable.clone());
                variables.push(variable);
            }
        }
        Ok((map, variables))
    }

    /// Takes the values that training has reached; `variables` are those of [`variables`](Self::variables).
    pub(super) fn read_from(&mut self, variables: &[Var]) -> candle_core::Result<()> {
        for (values, variable) in self.values.iter_mut().zip(variables) {
            *values = variable.flatten_all()?.to_vec1()?;
        }
        Ok(())
    }

    /// The layer's weights in the order in which the kernel reads them, biases last.
    pub(super) fn packed(&self) -> Vec<f32> {
        let [input, recurrent, bias_ih, bias_hh, ..] = &self.values;
        let (gates, mut packed) = (self.dims.gates(), Vec::with_capacity(self.dims.packed()));
        packed.extend(transposed(input, gates, self.dims.inputs));
        packed.extend(transposed(recurrent, gates, self.dims.hidden));
        packed.extend(bias_ih.iter().zip(bias_hh).map(|(one, other)| one + other));
        packed
    }

    /// The head's matrix (quantiles × hidden) and bias.
    pub(super) fn head(&self) -> (&[f32], &[f32]) {
        (&self.values[4], &self.values[5])
    }

    /// The bytes of a safetensors file.
    pub(super) fn to_bytes(&self) -> Vec<u8> {
        let shapes = Self::shapes(self.dims, self.quantiles);
        let bytes = self
            .values
            .each_ref()
            .map(|values| values.iter().flat_map(|value| value.to_le_bytes()).collect::<Vec<u8>>());
        let views = NAMES.iter().zip(shapes).zip(&bytes).map(|((name, shape), bytes)| {
            (*name, TensorView::new(Dtype::F32, shape, bytes).expect("the bytes are those of the shape"))
        });
        serialize(views, None).expect("six small tensors with different names can always be written")
    }

    /// Reads a safetensors file; anything but six finite tensors of the right shapes is refused.
    pub(super) fn from_bytes(bytes: &[u8], dims: Dims, quantiles: usize) -> Result<Self, ModelError> {
        let tensors = SafeTensors::deserialize(bytes)?;
        let shapes = Self::shapes(dims, quantiles);
        let mut values: [Vec<f32>; 6] = Default::default();
        for ((name, shape), values) in NAMES.iter().zip(shapes).zip(&mut values) {
            let tensor = tensors.tensor(name)?;
            if tensor.shape() != shape || tensor.dtype() != Dtype::F32 {
                return Err(ModelError::mismatch(
                    format!("the tensor {name}"),
                    format!("{:?} of shape {:?}", tensor.dtype(), tensor.shape()),
                    format!("F32 of shape {shape:?}"),
                ));
            }
            let number = |bytes: &[u8]| f32::from_le_bytes(bytes.try_into().expect("chunks of four bytes"));
            *values = tensor.data().chunks_exact(4).map(number).collect();
            if !values.iter().all(|value| value.is_finite()) {
                return Err(ModelError::NotFinite { tensor: (*name).to_owned() });
            }
        }
        Ok(Self { dims, quantiles, values })
    }
}
