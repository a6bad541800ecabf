//! A place for the model, which may still be in training when the application starts.

use std::sync::{Arc, OnceLock};

use candlewick_models::{InputSpec, Model};

/// Holds the model once there is one. Its input is known from the start, so that windows can be gathered meanwhile.
#[derive(Clone)]
pub struct ModelSlot {
    input: Arc<InputSpec>,
    model: Arc<OnceLock<Arc<Model>>>,
}

impl ModelSlot {
    /// A place for a model with this input.
    #[must_use]
    pub fn empty(input: InputSpec) -> Self {
        Self { input: Arc::new(input), model: Arc::default() }
    }

    /// A place with its model in it.
    #[must_use]
    pub fn filled(model: Model) -> Self {
        let slot = Self::empty(model.input().clone());
        slot.fill(model);
        slot
    }

    /// Puts the model in; a second one is refused, since predictions would change in mid-stream.
    pub fn fill(&self, model: Model) {
        if self.model.set(Arc::new(model)).is_err() {
            tracing::warn!("a model is in use already; the new one is used from the next start on");
        }
    }

    /// What the model sees.
    #[must_use]
    pub fn input(&self) -> &InputSpec {
        &self.input
    }

    /// The model, if it is there.
    #[must_use]
    pub fn get(&self) -> Option<&Arc<Model>> {
        self.model.get()
    }
}
