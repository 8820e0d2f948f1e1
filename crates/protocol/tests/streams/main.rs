//! Streams through `Protocols`: what becomes a child of which exchange, however the bytes are cut and whatever is lost.

#[allow(dead_code, reason = "two tests share it, and each looks at other facts")]
#[path = "../exchanges/driver.rs"]
mod driver;
mod ongoing;
mod properties;
mod websocket;
