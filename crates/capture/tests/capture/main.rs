//! Sources over real files that the tests write, over damage, and over the loopback interface.

mod blocks;
mod damage;
mod follow;
mod formats;
mod interfaces;
mod merging;
mod operator;
mod samples;
mod written;
