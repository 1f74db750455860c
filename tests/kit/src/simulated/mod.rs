//! What a store of `final` promises, tried on the simulated disk: a [`workload`], during which there is
//! a [`crash`], an error of the disk ([`faults`]) or of somebody who has to do with the [`directory`],
//! or after it some [`damage`].

pub mod crash;
pub mod damage;
pub mod directory;
pub mod faults;
pub mod salvage;
pub mod workload;
