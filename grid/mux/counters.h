// What a session counts. Written by the session's I/O thread only, read by any thread.
#ifndef GRID_GRID_MUX_COUNTERS_H_
#define GRID_GRID_MUX_COUNTERS_H_

#include <array>
#include <atomic>
#include <cstdint>
#include <string_view>

namespace grid {

// A counter with one writer: no locked instruction on the hot path.
class Counter {
 public:
  void Add(uint64_t n) {
    value_.store(value_.load(std::memory_order_relaxed) + n, std::memory_order_relaxed);
  }
  void Sub(uint64_t n) { Add(~n + 1); }
  void Set(uint64_t n) { value_.store(n, std::memory_order_relaxed); }
  uint64_t Get() const { return value_.load(std::memory_order_relaxed); }

 private:
  std::atomic<uint64_t> value_{0};
};

// Why something that arrived, or was to be sent, was dropped, refused or ignored.
enum class Drop : uint8_t {
  kLateResponse,       // an answer to a call that has ended (deadline, cancellation) or never was
  kLateStreamMessage,  // a message of a stream that has ended or never was
  kExpiredReply,       // a handler's answer after the deadline, or after the caller cancelled
  kUnknownOp,          // ignored, as version 1 does
  kUnknownFlags,       // bits ignored, as version 1 does
  kUnexpectedOp,       // an op that has no place here: Connect on an established connection
  kBadControlPayload,  // a payload of Ping, Pong or MuxConnectError that can't be decoded
  kDuplicateMux,       // a mux id that is in use already
  kUnknownHandler,     // answered with MuxConnectError
  kStatelessStream,    // answered with MuxConnectError
  kNilStreamMessage,   // stream message without payload and without EOF: skipped, not counted
  kOutOfSequence,      // ended its stream
  kCreditExceeded,     // ended its stream
  kStreamPingTimeout,  // ended its stream
  kInflightLimitIn,    // refused: max_inflight, by the peer
  kInflightLimitOut,   // refused: max_inflight, by us
  kOutputLimit,        // refused: max_output_bytes
  kMessageTooBig,      // refused: max_message_bytes or max_payload_bytes, on sending
  kHandlerRefused,     // refused by the host: no room for another handler to run
  kBufferedLimit,      // max_buffered_bytes were held when a payload needed more: ended its mux
  kWindowLimit,        // a stream's window stayed smaller: max_window_bytes
  kDraining,           // refused: we drain
  kPeerDraining,       // refused: the peer drains
  kBadFragment,        // not the next of its message: ended its mux
  kLateFragment,       // of a payload that nobody waits for any more
  kPayloadTooBig,      // fragments or a compressed payload beyond the limit: ended its mux
  kReassemblyLimit,    // max_reassemblies, max_reassembly_bytes or max_buffered_bytes: the same
  kBadMetadata,        // metadata or traceparent of a call that can't be read: it was refused
  kMetadataNotSent,    // of a call of ours, because the peer does not speak meta
  kHandlerNotSent,  // refused: an id above 255, by us, because the peer does not speak handlers16
  kBadCompression,  // a compressed payload that can't be decompressed: ended its mux
  kUnknownDictionary,  // or not here: the same
  kCount,
};
// "late-response", …
std::string_view DropName(Drop drop);

// Why a session ended its connection.
enum class SessionEnd : uint8_t {
  kMalformedMessage,  // not a message of the protocol
  kBadChecksum,
  kNestedMerged,
  kBadMerged,  // count and contents differ
  kPingTimeout,
  kOutputOverflow,  // the peer does not read
  kPeerDisconnect,  // the peer said that it is going away
  kTooManyResets,   // the peer gives up too many of the calls that it makes
  kCount,
};
// "malformed-message", …
std::string_view SessionEndName(SessionEnd end);

struct SessionCounters {
  Counter bytes_in, bytes_out;
  Counter messages_in, messages_out;
  Counter merged_in, merged_out;
  Counter writes;
  Counter outgoing_requests, incoming_requests;  // gauges
  Counter outgoing_streams, incoming_streams;    // gauges
  Counter resets;                                // of the peer's calls, by itself, as they ran
  Counter drained;                               // of the peer's calls that ended in a drain
  Counter compressed_in, compressed_out;         // payloads
  Counter saved_bytes_in, saved_bytes_out;       // by these
  Counter compression_skipped;                   // payloads to be sent that it was not worth it for
  Counter peer_draining;                         // gauge: 1 since the peer has said so
  Counter output_bytes;                          // gauge
  Counter round_trip_ns;                         // of the last answered connection ping
  Counter last_pong_ns;                          // on the steady clock; 0: none yet
  std::array<Counter, static_cast<size_t>(Drop::kCount)> drops;

  void Count(Drop drop) { drops[static_cast<size_t>(drop)].Add(1); }
  uint64_t Dropped(Drop drop) const { return drops[static_cast<size_t>(drop)].Get(); }
};

}  // namespace grid

#endif  // GRID_GRID_MUX_COUNTERS_H_
