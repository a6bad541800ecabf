//! Predictions from closed candles: the window of each symbol in a store, and the model over the windows of all tasks of the
//! process together.

use std::sync::{Arc, OnceLock};

use candlewick::{Context, Entry, KeyValueStore, ProcessError, Processor, Record, StoreHandle, Windowed};
use candlewick_models::{CandleWindow, Model, Prediction, Predictor};
use candlewick_operators::{Candle, Exchange, Interval, Symbol};

use super::model_slot::ModelSlot;
use super::records::PredictionRecord;

/// Gathers closed candles, and forwards each symbol's window whenever it is complete.
pub struct WindowsProcessor {
    store: StoreHandle<KeyValueStore<Symbol, CandleWindow>>,
    slot: ModelSlot,
}

impl WindowsProcessor {
    /// A processor over this store.
    #[must_use]
    pub fn new(store: StoreHandle<KeyValueStore<Symbol, CandleWindow>>, slot: ModelSlot) -> Self {
        Self { store, slot }
    }
}

impl Processor<Windowed<Symbol>, Candle, Symbol, CandleWindow> for WindowsProcessor {
    fn process(
        &mut self,
        record: Record<Windowed<Symbol>, Candle>,
        cx: &mut Context<'_, Symbol, CandleWindow>,
    ) -> Result<(), ProcessError> {
        let Record { key: Windowed { key: symbol, window: time }, value: candle, timestamp, headers } =
            record;
        let (input, serving) = (self.slot.input(), self.slot.get().is_some());
        let ready = cx.store(self.store).update(&symbol, timestamp, |slot| {
            // A window of another model, left in the store by an older run, begins anew.
            let kept = slot.take().map(|entry| entry.value).filter(|window| window.fits(input));
            let mut window = kept.unwrap_or_else(|| CandleWindow::new(input));
            // Candles that close while the model is still in training get no prediction.
            let ready = (window.push(time.start, &candle) && serving).then(|| window.clone());
            *slot = Some(Entry { value: window, timestamp });
            ready
        })?;
        match ready {
            Some(window) => cx.forward(Record { key: symbol, value: window, timestamp, headers }),
            None => Ok(()),
        }
    }
}

/// The model at work: one matrix product for many windows costs little more than one for a single one, so it is given the
/// windows of all tasks of the process at once, by [`KStream::batch`](candlewick::KStream::batch).
pub struct Inference {
    slot: ModelSlot,
    /// The model and its packed weights, once it has been trained.
    serving: OnceLock<(Arc<Model>, Predictor)>,
    exchange: Exchange,
    interval: Interval,
}

impl Inference {
    /// Predictions of the model in this slot, about candles of this exchange and interval.
    #[must_use]
    pub fn new(slot: ModelSlot, exchange: Exchange, interval: Interval) -> Self {
        Self { slot, serving: OnceLock::new(), exchange, interval }
    }

    /// A prediction for each window, in their order.
    ///
    /// # Errors
    /// When there is no model: windows are forwarded only once there is one.
    pub fn predict(
        &self,
        windows: &[Record<Symbol, CandleWindow>],
    ) -> Result<Vec<PredictionRecord>, ProcessError> {
        let model = self.slot.get().ok_or_else(|| ProcessError::new("the model is not there yet"))?;
        let (model, predictor) = self.serving.get_or_init(|| (Arc::clone(model), model.predictor()));
        let inputs: Vec<f32> = windows.iter().flat_map(|record| record.value.window()).copied().collect();
        let width = predictor.quantiles();
        let mut quantiles = vec![0.0; windows.len() * width];
        predictor.predict_batch(&inputs, &mut quantiles);
        let rows = windows.iter().zip(quantiles.chunks(width));
        Ok(rows
            .map(|(Record { key, value, .. }, quantiles)| {
                self.record(key.clone(), &Prediction::new(key.clone(), value, model, quantiles))
            })
            .collect())
    }

    fn record(&self, symbol: Symbol, prediction: &Prediction) -> PredictionRecord {
        let prices = prediction.prices();
        let at = |index: usize| prices.get(index).copied().unwrap_or(f64::NAN);
        PredictionRecord {
            symbol,
            exchange: self.exchange.clone(),
            interval: self.interval,
            start: prediction.start,
            horizon_ms: prediction.horizon_ms,
            close: prediction.close.to_f64(),
            low: at(0),
            mid: at(prices.len() / 2),
            high: at(prices.len().saturating_sub(1)),
            model: prediction.model.as_str().to_owned(),
        }
    }
}
