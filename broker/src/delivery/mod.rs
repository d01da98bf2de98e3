//! What routes put into the logs of webhook and storage endpoints goes on to where those endpoints are.

mod health;

pub use health::Health;
