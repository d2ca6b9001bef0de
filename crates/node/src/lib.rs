//! The only place that knows everybody: config, stores, services, door.
