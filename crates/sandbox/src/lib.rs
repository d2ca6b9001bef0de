//! The walls around one guest: a hostile program gets a view of the system that it cannot leave or change, and limits that the
//! kernel holds.
//!
//! What it is: [`Host`] says once what this machine gives, then spawns guests from a [`Plan`]. It knows nothing of functions,
//! languages or invocations. What always holds: a guest dies with the node, a kill takes all its processes, and what the machine
//! cannot give is named in the [`Report`].
//!
//! A guest is started whole ([`Host::spawn`]), or ahead of its purpose ([`Host::boot`]) and then made into somebody's in some
//! tenths of a millisecond ([`Child::place`]).
//!
//! Set-up runs in a helper, the running program itself with a hidden first argument ([`init_main_if_asked`]): between fork and
//! exec of a program with threads nearly nothing is allowed, and a fresh single-threaded process has no such trouble.
//!
//! All `unsafe` of the project is here, in [`sys`], each block with its need and why it is sound.

mod cgroup;
mod child;
mod host;
mod init;
mod message;
mod outside;
mod plan;
mod probe;
mod report;
mod rules;
mod seccomp;
mod steward;
mod sys;
mod uids;

pub use child::{Child, Exit, Memory, PlaceError};
pub use host::{Booted, Host, SpawnError, StartError, Streams};
pub use init::init_main_if_asked;
pub use outside::{Outside, Rules};
pub use plan::{Boot, Mount, Network, Placement, Plan, Program};
pub use report::{Mode, Part, Report, State};
