// Statistics: plain values, copied out of the running counters.
#ifndef GRID_GRID_STATS_H_
#define GRID_GRID_STATS_H_

#include <chrono>
#include <cstdint>
#include <map>
#include <string>
#include <string_view>

namespace grid {

// The states of a connection (grid/README.md draws the graph).
enum class ConnectionState { kUnconnected, kConnecting, kConnected, kConnectionError, kShutdown };
// "unconnected", "connecting", …
std::string_view ConnectionStateName(ConnectionState state);

// Totals since the manager started, over all of a host's connections; gauges say so.
struct ConnectionStats {
  std::string host;
  ConnectionState state = ConnectionState::kUnconnected;  // gauge
  uint64_t bytes_in = 0, bytes_out = 0;  // grid messages, without WebSocket framing
  uint64_t messages_in = 0,
           messages_out = 0;               // grid messages; those inside a Merged count, it doesn't
  uint64_t merged_in = 0, merged_out = 0;  // messages that travelled inside a Merged
  uint64_t writes = 0;                     // WebSocket messages written
  uint64_t outgoing_requests = 0, incoming_requests = 0;  // gauges: in flight
  uint64_t outgoing_streams = 0, incoming_streams = 0;    // gauges: open
  uint64_t compressed_in = 0, compressed_out = 0;         // payloads that came or went compressed
  uint64_t saved_bytes_in = 0, saved_bytes_out = 0;       // by these
  uint64_t compression_skipped = 0;  // payloads sent as they are, as compression saved too little
  uint64_t resets = 0;               // requests and streams that the host gave up while they ran
  uint64_t drained = 0;              // requests and streams of the host that ended while we drained
  uint64_t peer_draining = 0;        // gauge: 1 while the host drains and takes no new calls
  uint64_t output_bytes = 0;         // gauge: encoded and not yet written
  uint64_t connects = 0;             // connections established
  uint64_t reconnects = 0;           // of these, after the first
  std::chrono::nanoseconds round_trip{0};         // of the last answered connection ping
  std::chrono::milliseconds since_last_pong{-1};  // -1: none yet
  // What was dropped, refused or ignored, by reason ("late-response", "unknown-op", …), and how
  // connections ended ("close-bad-checksum", "close-ping-timeout", …). Reasons that never happened
  // are missing.
  std::map<std::string, uint64_t> drops;
};

struct ManagerStats {
  ConnectionStats
      total;  // sums over all peers, and clients that have gone; host is ours, state meaningless
  std::map<std::string, ConnectionStats> peers;  // by host; with the clients that are connected
  uint64_t accepted = 0;                         // upgraded incoming connections
  std::map<std::string, uint64_t> refused;       // incoming connections turned down, by reason
  uint64_t handshakes_pending = 0;               // gauge
  uint64_t clients = 0;                          // gauge: connected
  uint64_t draining = 0;                         // gauge: 1 since Manager::Drain
  uint64_t worker_queue = 0;                     // gauge
  // Of the pool of buffers, which is this Manager's alone.
  uint64_t buffer_bytes_in_use = 0;    // gauge
  uint64_t buffer_bytes_retained = 0;  // gauge: of free ones
  uint64_t buffers_taken = 0;
  uint64_t buffers_allocated = 0;  // of these, from the system; the others were there
  uint64_t buffers_refused = 0;    // max_buffered_bytes
};

}  // namespace grid

#endif  // GRID_GRID_STATS_H_
