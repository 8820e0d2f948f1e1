//! Whole packets through `decode`: each layer by itself, against an oracle, and damaged.

mod build;
mod damage;
mod fragments;
mod layers;
mod oracle;
mod tunnels;
mod wrap;
