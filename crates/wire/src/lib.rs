//! Shapes generated from the public AWS service models, and one codec per protocol.
