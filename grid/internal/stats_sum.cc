#include "grid/internal/stats_sum.h"

#include <algorithm>

namespace grid::internal {

void AddCounters(const SessionCounters& counters, ConnectionStats* stats) {
  stats->bytes_in += counters.bytes_in.Get();
  stats->bytes_out += counters.bytes_out.Get();
  stats->messages_in += counters.messages_in.Get();
  stats->messages_out += counters.messages_out.Get();
  stats->merged_in += counters.merged_in.Get();
  stats->merged_out += counters.merged_out.Get();
  stats->writes += counters.writes.Get();
  stats->compressed_in += counters.compressed_in.Get();
  stats->compressed_out += counters.compressed_out.Get();
  stats->saved_bytes_in += counters.saved_bytes_in.Get();
  stats->saved_bytes_out += counters.saved_bytes_out.Get();
  stats->compression_skipped += counters.compression_skipped.Get();
  stats->resets += counters.resets.Get();
  stats->drained += counters.drained.Get();
  for (size_t i = 0; i < counters.drops.size(); ++i) {
    const uint64_t n = counters.drops[i].Get();
    if (n > 0) stats->drops[std::string(DropName(static_cast<Drop>(i)))] += n;
  }
}

void AddGauges(const SessionCounters& counters, TimePoint now, ConnectionStats* stats) {
  using std::chrono::duration_cast;
  stats->outgoing_requests += counters.outgoing_requests.Get();
  stats->incoming_requests += counters.incoming_requests.Get();
  stats->outgoing_streams += counters.outgoing_streams.Get();
  stats->incoming_streams += counters.incoming_streams.Get();
  stats->peer_draining += counters.peer_draining.Get();
  stats->output_bytes += counters.output_bytes.Get();
  stats->round_trip = std::chrono::nanoseconds(counters.round_trip_ns.Get());
  if (const uint64_t at = counters.last_pong_ns.Get(); at > 0) {
    stats->since_last_pong = duration_cast<std::chrono::milliseconds>(now.time_since_epoch() -
                                                                      std::chrono::nanoseconds(at));
  }
}

void AddStats(const ConnectionStats& host, ConnectionStats* sum) {
  sum->bytes_in += host.bytes_in;
  sum->bytes_out += host.bytes_out;
  sum->messages_in += host.messages_in;
  sum->messages_out += host.messages_out;
  sum->merged_in += host.merged_in;
  sum->merged_out += host.merged_out;
  sum->writes += host.writes;
  sum->outgoing_requests += host.outgoing_requests;
  sum->incoming_requests += host.incoming_requests;
  sum->outgoing_streams += host.outgoing_streams;
  sum->incoming_streams += host.incoming_streams;
  sum->compressed_in += host.compressed_in;
  sum->compressed_out += host.compressed_out;
  sum->saved_bytes_in += host.saved_bytes_in;
  sum->saved_bytes_out += host.saved_bytes_out;
  sum->compression_skipped += host.compression_skipped;
  sum->resets += host.resets;
  sum->drained += host.drained;
  sum->peer_draining += host.peer_draining;
  sum->output_bytes += host.output_bytes;
  sum->connects += host.connects;
  sum->reconnects += host.reconnects;
  sum->round_trip = std::max(sum->round_trip, host.round_trip);
  sum->since_last_pong = std::max(sum->since_last_pong, host.since_last_pong);
  for (const auto& [reason, n] : host.drops) sum->drops[reason] += n;
}

}  // namespace grid::internal
