//! What the store promises, tried against the simulated disk. `final/tests/promises` does some of it
//! at another size.

mod batch;
mod crash;
mod damage;
mod due;
mod faults;
mod later;
mod oracle;
mod replay;
mod safe;
mod tail;
mod workload;
