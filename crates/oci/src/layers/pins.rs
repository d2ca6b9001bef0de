//! Who holds what, so that no sweep takes it from them.

use std::collections::HashMap;
use std::sync::Arc;

use super::{Inner, flat};
use crate::Digest;

/// How often each thing is held, by its file's name.
#[derive(Debug, Default)]
pub(super) struct Pins {
    held: HashMap<Held, usize>,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash)]
enum Held {
    Layer(String),
    Flat(String),
    Download(String),
}

impl Pins {
    pub(super) fn has_layer(&self, name: &str) -> bool {
        self.held.contains_key(&Held::Layer(name.to_owned()))
    }

    pub(super) fn has_flat(&self, name: &str) -> bool {
        self.held.contains_key(&Held::Flat(name.to_owned()))
    }

    pub(super) fn has_download(&self, name: &str) -> bool {
        self.held.contains_key(&Held::Download(name.to_owned()))
    }
}

/// Holds some things until it is dropped.
#[derive(Debug)]
pub(crate) struct Pin {
    inner: Arc<Inner>,
    held: Vec<Held>,
}

impl Pin {
    pub(super) fn layers(inner: &Arc<Inner>, layers: &[Digest]) -> Self {
        let held = layers.iter().map(|layer| Held::Layer(layer.file_name()));
        Self::new(inner, held.chain([Held::Flat(flat::name(layers))]).collect())
    }

    pub(super) fn download(inner: &Arc<Inner>, blob: &Digest) -> Self {
        Self::new(inner, vec![Held::Download(blob.file_name())])
    }

    fn new(inner: &Arc<Inner>, held: Vec<Held>) -> Self {
        let mut pins = inner.pins.lock().expect("nothing panics while it holds this lock");
        for one in &held {
            *pins.held.entry(one.clone()).or_default() += 1;
        }
        drop(pins);
        Self { inner: Arc::clone(inner), held }
    }
}

impl Drop for Pin {
    fn drop(&mut self) {
        let mut pins = self.inner.pins.lock().expect("nothing panics while it holds this lock");
        for one in &self.held {
            if let Some(times) = pins.held.get_mut(one) {
                *times -= 1;
                if *times == 0 {
                    pins.held.remove(one);
                }
            }
        }
    }
}
