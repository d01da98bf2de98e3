mod handshake;
mod stream;
