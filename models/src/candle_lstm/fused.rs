//! The LSTM layer as one operation of candle's autograd, with its own backward pass. Knows tensors and the kernel; must
//! not know where weights come from.
//!
//! candle's own layer makes some twenty tensors per step and a graph of a thousand nodes per batch; this one makes two
//! tensors per batch and trains six to eight times cheaper.

use std::sync::Mutex;

use candle_core::{CpuStorage, CustomOp2, Layout, Result, Shape, Tensor, bail};

use super::kernel::{Dims, Tape, backward, forward};

/// Windows (rows × steps × inputs) and packed weights in, the last hidden states (rows × hidden) out.
///
/// The windows are data: they get no gradient.
pub(super) struct FusedLstm {
    dims: Dims,
    /// Written by the forward pass for the one backward pass that follows it.
    tape: Mutex<Option<Tape>>,
}

impl FusedLstm {
    pub(super) const fn new(dims: Dims) -> Self {
        Self { dims, tape: Mutex::new(None) }
    }

    fn keep(&self, tape: Option<Tape>) -> Option<Tape> {
        let mut kept = self.tape.lock().expect("no thread panics while it holds the tape");
        std::mem::replace(&mut *kept, tape)
    }
}

fn contiguous<'a>(storage: &'a CpuStorage, layout: &Layout) -> Result<&'a [f32]> {
    match layout.contiguous_offsets() {
        Some((start, end)) => Ok(&storage.as_slice::<f32>()?[start..end]),
        None => bail!("the fused LSTM takes contiguous tensors only"),
    }
}

impl CustomOp2 for FusedLstm {
    fn name(&self) -> &'static str {
        "fused-lstm"
    }

    fn cpu_fwd(
        &self,
        windows: &CpuStorage,
        windows_layout: &Layout,
        packed: &CpuStorage,
        packed_layout: &Layout,
    ) -> Result<(CpuStorage, Shape)> {
        let (rows, steps, inputs) = windows_layout.shape().dims3()?;
        if inputs != self.dims.inputs || packed_layout.shape().elem_count() != self.dims.packed() {
            bail!("the fused LSTM was made for {:?}, not for {inputs} inputs", self.dims);
        }
        let mut tape = Tape::new(self.dims, rows, steps);
        let mut last = vec![0.0; rows * self.dims.hidden];
        let (x, packed) = (contiguous(windows, windows_layout)?, contiguous(packed, packed_layout)?);
        forward(self.dims, packed, x, steps, &mut tape, &mut last);
        self.keep(Some(tape));
        Ok((CpuStorage::F32(last), (rows, self.dims.hidden).into()))
    }

    fn bwd(
        &self,
        windows: &Tensor,
        packed: &Tensor,
        _: &Tensor,
        gradient: &Tensor,
    ) -> Result<(Option<Tensor>, Option<Tensor>)> {
        let Some(mut tape) = self.keep(None) else {
            bail!("the fused LSTM remembers one forward pass for one backward pass");
        };
        let mut last = gradient.flatten_all()?.to_vec1::<f32>()?;
        let weights = packed.flatten_all()?.to_vec1::<f32>()?;
        let slopes = backward(self.dims, &weights, &mut tape, windows.dim(0)?, &mut last);
        Ok((None, Some(Tensor::from_vec(slopes, packed.shape(), packed.device())?)))
    }
}
