//! Whole packets through `decode`: each layer by itself, against an oracle, and damaged.

mod build;
mod damage;
mod layers;
mod oracle;
