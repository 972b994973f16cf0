//! The routes over an in-memory log and a processor of a few lines.

mod access;
mod edges;
mod orders;
mod processor;
mod stage;
mod status_and_stock;
mod streams;
