//! Predictions from closed candles: the window of each symbol in a store, the model over what one poll brought in one
//! matrix batch.

use std::sync::Arc;

use candlewick::{
    Context, Entry, Headers, KeyValueStore, ProcessError, Processor, Record, StoreHandle, Timestamp, Windowed,
};
use candlewick_models::{CandleWindow, Model, Prediction, Predictor};
use candlewick_operators::{Candle, Exchange, Interval, Symbol};

use super::model_slot::ModelSlot;
use super::records::PredictionRecord;

/// Turns closed candles into predictions. It runs in the task, synchronously, so that offsets and exactly-once need
/// nothing more than any other operator.
pub struct PredictProcessor {
    store: StoreHandle<KeyValueStore<Symbol, CandleWindow>>,
    slot: ModelSlot,
    /// The model and its packed weights, once it has been trained.
    serving: Option<(Arc<Model>, Predictor)>,
    exchange: Exchange,
    interval: Interval,
    /// Complete windows that wait for the end of the batch, and their numbers one behind the other.
    gathered: Vec<Gathered>,
    inputs: Vec<f32>,
    quantiles: Vec<f64>,
}

struct Gathered {
    window: CandleWindow,
    symbol: Symbol,
    timestamp: Timestamp,
    headers: Headers,
}

impl PredictProcessor {
    /// A processor over this store.
    #[must_use]
    pub fn new(
        store: StoreHandle<KeyValueStore<Symbol, CandleWindow>>,
        slot: ModelSlot,
        exchange: Exchange,
        interval: Interval,
    ) -> Self {
        Self {
            store,
            slot,
            serving: None,
            exchange,
            interval,
            gathered: Vec::new(),
            inputs: Vec::new(),
            quantiles: Vec::new(),
        }
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

impl Processor<Windowed<Symbol>, Candle, Symbol, PredictionRecord> for PredictProcessor {
    fn process(
        &mut self,
        record: Record<Windowed<Symbol>, Candle>,
        cx: &mut Context<'_, Symbol, PredictionRecord>,
    ) -> Result<(), ProcessError> {
        let Record { key: Windowed { key: symbol, window: time }, value: candle, timestamp, headers } =
            record;
        if self.serving.is_none() {
            self.serving = self.slot.get().map(|model| (Arc::clone(model), model.predictor()));
        }
        let (input, inputs, serving) = (self.slot.input(), &mut self.inputs, self.serving.is_some());
        let ready = cx.store(self.store).update(&symbol, timestamp, |slot| {
            // A window of another model, left in the store by an older run, begins anew.
            let kept = slot.take().map(|entry| entry.value).filter(|window| window.fits(input));
            let mut window = kept.unwrap_or_else(|| CandleWindow::new(input));
            // Candles that close while the model is still in training get no prediction.
            let ready = (window.push(time.start, &candle) && serving).then(|| {
                inputs.extend_from_slice(window.window());
                window.clone()
            });
            *slot = Some(Entry { value: window, timestamp });
            ready
        })?;
        if let Some(window) = ready {
            self.gathered.push(Gathered { window, symbol, timestamp, headers });
        }
        Ok(())
    }

    fn finish_batch(&mut self, cx: &mut Context<'_, Symbol, PredictionRecord>) -> Result<(), ProcessError> {
        let Some((model, predictor)) = &self.serving else { return Ok(()) };
        if self.gathered.is_empty() {
            return Ok(());
        }
        let width = predictor.quantiles();
        self.quantiles.clear();
        self.quantiles.resize(self.gathered.len() * width, 0.0);
        predictor.predict_batch(&self.inputs, &mut self.quantiles);
        self.inputs.clear();
        for (row, Gathered { window, symbol, timestamp, headers }) in
            std::mem::take(&mut self.gathered).into_iter().enumerate()
        {
            let quantiles = &self.quantiles[row * width..(row + 1) * width];
            let prediction = Prediction::new(symbol.clone(), &window, model, quantiles);
            let value = self.record(symbol.clone(), &prediction);
            cx.forward(Record { key: symbol, value, timestamp, headers })?;
        }
        Ok(())
    }
}
