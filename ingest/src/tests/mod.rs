//! The routes over an in-memory log and a processor of a few lines.

mod access;
mod change_keys;
mod edges;
mod orders;
mod processor;
mod stage;
mod status_and_stock;
mod streams;
