//! The one road for every call: authorise, admit, audit, trace, time, run.
