//! Every bound of the links between sites.

/// Version of the session protocol that this build speaks.
pub const PROTOCOL: u32 = 1;

/// First wait before a dial is tried again, in milliseconds.
pub const BACKOFF_START_MS: u64 = 200;
/// Longest wait between two dials, in milliseconds: dead peers must cost next to nothing.
pub const BACKOFF_CAP_MS: u64 = 60_000;
/// How long a session must have lived for the backoff to start over, in milliseconds.
pub const BACKOFF_RESET_MS: u64 = 10_000;
/// The side that should be dialled waits this long for the other before it dials itself, in milliseconds.
pub const PATIENCE_MS: u64 = 10_000;

/// Time for TCP connect, TLS handshake and Hello together, in milliseconds.
pub const HANDSHAKE_MS: u64 = 10_000;
/// TLS handshakes that the listener has under way at most; more connections are dropped at once.
pub const HANDSHAKES_MAX: usize = 64;
/// Connections that the listener holds at most.
pub const CONNECTIONS_MAX: usize = 256;

/// A Progress frame is sent this often, in milliseconds.
pub const HEARTBEAT_MS: u64 = 3_000;
/// A session that heard nothing for this long is closed, in milliseconds.
pub const SILENCE_MS: u64 = 15_000;
/// How often the session's clock ticks, in milliseconds.
pub const TICK_MS: u64 = 500;

/// Bytes of entries of one share that may be sent and not acknowledged.
pub const IN_FLIGHT_BYTES_MAX: usize = 4 << 20;
/// Entries of one share that may be sent and not acknowledged.
pub const IN_FLIGHT_ENTRIES_MAX: usize = 4096;
/// Bytes of entries that one read of the share asks for.
pub const READ_BYTES_MAX: usize = 256 << 10;
/// Bytes of one frame on the wire. A single entry may be larger than a read, never larger than this.
pub const FRAME_BYTES_MAX: usize = 8 << 20;
/// Bytes of entries of one share that the receiver holds before they are absorbed. A peer that keeps to its window
/// (the window, one read over it, one entry of the largest size) never reaches it.
pub const ABSORB_BYTES_MAX: usize = IN_FLIGHT_BYTES_MAX + READ_BYTES_MAX + FRAME_BYTES_MAX;
/// Batches of one session that wait for the store.
pub const ABSORB_BATCHES_MAX: usize = 4096;

/// Shares with one peer.
pub const SHARES_MAX: usize = 1024;
/// Actors in one version vector on the wire.
pub const ACTORS_MAX: usize = 1024;
/// Bytes of one control message.
pub const CONTROL_BYTES_MAX: usize = 1 << 20;
/// Control messages of one session that wait for the store.
pub const CONTROLS_MAX: usize = 64;
/// Frames that wait for a peer that does not read.
pub const OUTBOUND_FRAMES_MAX: usize = 8192;
/// Frames in the hand of the transport.
pub const TRANSPORT_FRAMES_MAX: usize = 16;

/// Addresses that a peer may announce.
pub const ADDRESSES_MAX: usize = 8;
/// Bytes of one address, name or reason from a peer.
pub const TEXT_BYTES_MAX: usize = 512;

/// Open invitations at a time.
pub const INVITES_MAX: usize = 64;
/// Peers of one site.
pub const PEERS_MAX: usize = 256;

/// How long a held share waits before the peer is asked again if the store named no time, in milliseconds.
pub const HELD_RETRY_MS: u64 = 5_000;
