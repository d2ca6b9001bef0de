//! The operations as a caller meets them: through dispatch, with the model's constraints, over a store in memory and a compute
//! that really unpacks and runs.

mod aliases;
mod asynchronous;
mod functions;
mod images;
mod invoking;
mod layers;
mod limits;
mod permissions;
mod provisioned;
mod restart;
mod urls;
mod versions;
mod world;
